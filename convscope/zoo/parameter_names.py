"""Names of parameters in other libraries' versions of a network in the zoo."""

import re

NameMap = tuple[tuple[str, str], ...]
"""Pairs of a pattern for the start of their name and its replacement in ours.

The first pattern that matches is replaced; a name that matches none is the same in both.
"""


def rename_parameter(theirs: str, names: NameMap) -> str:
    r"""Translate one of their parameter names to ours.

    >>> rename_parameter("layer1.0.conv1.weight", ((r"layer1\.0\.", "conv2_1."),))
    'conv2_1.conv1.weight'
    >>> rename_parameter("fc.bias", ())
    'fc.bias'
    """
    for pattern, replacement in names:
        renamed, replaced = re.subn(rf"\A(?:{pattern})", replacement, theirs)
        if replaced:
            return renamed
    return theirs
