"""Names of parameters in other libraries' versions of a network in the zoo."""

import re
from collections.abc import Callable, Mapping
from functools import cache

NameMap = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
"""Pairs of a pattern for the start of their name and its replacement in ours.

The first pattern that matches is replaced; a name that matches none is the same in both.
"""


def module_names(read: Callable[[], Mapping[str, str]]) -> NameMap:
    """Map the names of modules by a look-up, for networks of many blocks.

    `read` returns our name for each of their modules, or of their parameters that belong to no
    module of ours. It is called at the first look-up.

        >>> names = module_names(lambda: {"features.0.0": "conv1", "gamma": "scale.weight"})
        >>> rename_parameter("features.0.0.bias", names), rename_parameter("gamma", names)
        ('conv1.bias', 'scale.weight')
    """
    known = cache(read)

    def replaced(name: re.Match[str]) -> str:
        module, dot, parameter = name[0].rpartition(".")
        return known().get(name[0]) or f"{known().get(module, module)}{dot}{parameter}"

    return ((r".+", replaced),)


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
