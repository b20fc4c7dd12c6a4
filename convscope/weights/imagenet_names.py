"""The names of ImageNet's 1,000 classes, from torchvision or timm where one is installed.

Both are read as text: neither library is imported, which takes a second, and fails where it does
not fit the installed torch.
"""

import ast
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HOW_TO_GET = (
    "ImageNet's class names come with torchvision or timm: "
    '`pip install "convscope[torchvision]"` or `pip install "convscope[timm]"`'
)


@cache
def imagenet_names() -> tuple[str, ...] | None:
    """The names in the order of the outputs, torchvision's first; None without either library.

    Two classes of one name (both cranes, both maillots) have their numbers in parentheses.
    """
    names = torchvision_names() or timm_names()
    if names is None:
        return None
    counts = Counter(names)
    return tuple(
        f"{name} ({index})" if counts[name] > 1 else name for index, name in enumerate(names)
    )


def torchvision_names() -> tuple[str, ...] | None:
    """The list in torchvision's source; None if it is not there."""
    text = _read("torchvision", "models/_meta.py")
    for statement in ast.parse(text or "").body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="_IMAGENET_CATEGORIES")], value=value):
                return _of_imagenet(ast.literal_eval(value))
            case _:
                pass
    return None


def timm_names() -> tuple[str, ...] | None:
    """The first word of each class in timm's tables; None if they are not there."""
    synsets = _read("timm", "data/_info/imagenet_synsets.txt")
    lemmas = _read("timm", "data/_info/imagenet_synset_to_lemma.txt")
    if synsets is None or lemmas is None:
        return None
    words = dict(line.split("\t", 1) for line in lemmas.splitlines() if "\t" in line)
    return _of_imagenet([words.get(one, "").partition(",")[0] for one in synsets.split()])


def _of_imagenet(names: list[str]) -> tuple[str, ...] | None:
    return tuple(names) if len(names) == 1000 and all(names) else None


def _read(package: str, file: str) -> str | None:
    """A file of an installed package, which is not imported."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        try:
            return Path(folder, file).read_text("utf-8")
        except OSError:
            continue
    return None
