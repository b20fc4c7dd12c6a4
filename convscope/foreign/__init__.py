"""Networks of other libraries, read from their files: Keras and ConvNetJS.

Nothing in a file is executed, and neither library is needed.
"""

from convscope.foreign.architecture import ARCHITECTURES, build_architecture
from convscope.foreign.network_file import ForeignNetwork, is_network_file, read_network
from convscope.foreign.trainable import with_logits

__all__ = [
    "ARCHITECTURES",
    "ForeignNetwork",
    "build_architecture",
    "is_network_file",
    "read_network",
    "with_logits",
]
