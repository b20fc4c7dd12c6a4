"""What `convscope.data.augment` makes random about an epoch, by name."""

from typing import Literal

Augment = Literal["none", "crop", "crop-flip", "resized-crop", "resized-crop-flip"]
"""`crop` shifts an image within a black border; `resized-crop` scales a window of random area and
aspect ratio to the network's input. With `-flip`, half of the images are mirrored, too.
"""

RESIZED = ("resized-crop", "resized-crop-flip")

Sampling = Literal["shuffle", "balanced"]
