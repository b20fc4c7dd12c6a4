"""The names of the crops that papers test with."""

from typing import Literal

Crops = Literal["center", "ten", "144", "150", "dense"]
"""Which parts of an image an evaluation averages over.

- `center`: the center crop alone.
- `ten`: the four corners and the center of the central square, each also mirrored (Krizhevsky et
  al., 2012, section 4.1).
- `144`: at four scales, of the left, central and right square (in portraits the upper, central and
  lower one) the four corners, the center and the whole square, each also mirrored (Szegedy et al.,
  2014, section 7).
- `150`: at three scales, a regular grid of 5x5 crops of the whole image, each also mirrored
  (Simonyan & Zisserman, 2015, section 3.2).
- `dense`: the whole image, over which the network slides (the same, and Sermanet et al., 2014).
"""
