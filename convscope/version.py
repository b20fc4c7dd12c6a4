"""The version of convscope, which a release raises."""

__version__ = "0.1.0"
