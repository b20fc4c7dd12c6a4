"""Networks of other libraries, read from their files: Keras and ConvNetJS.

Nothing in a file is executed, and neither library is needed.
"""

from convscope.foreign.network_file import ForeignNetwork, is_network_file, read_network

__all__ = ["ForeignNetwork", "is_network_file", "read_network"]
