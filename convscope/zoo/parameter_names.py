"""What other libraries call the parameters of a network that the zoo has too."""

import re

NameMap = tuple[tuple[str, str], ...]
"""Pairs of a pattern over the beginning of their name and what stands there in ours.

The first pattern that matches is replaced; a name that none matches is the same in both.
"""


def rename_parameter(theirs: str, names: NameMap) -> str:
    r"""Our name of one of their parameters.

    >>> ours("layer1.0.conv1.weight", ((r"layer1\.0\.", "conv2_1."),))
    'conv2_1.conv1.weight'
    >>> ours("fc.bias", ())
    'fc.bias'
    """
    for pattern, replacement in names:
        renamed, found = re.subn(rf"\A(?:{pattern})", replacement, theirs)
        if found:
            return renamed
    return theirs
