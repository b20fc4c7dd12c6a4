"""Requests for several trainings in one folder: how two differ, and which folder has the same."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError, RequestError


def differences(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], *, free: Collection[str], same_images: bool
) -> list[str]:
    """What another request asks for otherwise, as in "folds is 5, not 10"; `free` may differ.

    Data may lie elsewhere if their images are the same.
    """
    free = (*free, *(["data"] if same_images else []))
    differing = [
        f"{name} is {mine.get(name)!r}, not {theirs.get(name)!r}"
        for name in dict.fromkeys([*mine, *theirs])
        if name not in free and mine.get(name) != theirs.get(name)
    ]
    if not differing and not same_images:
        return ["the images, their labels or their groups have changed"]
    return differing


def find_folder(
    out: Path | None,
    name: str,
    *,
    kind: str,
    is_one: Callable[[Path], bool],
    is_finished: Callable[[Path], bool],
    differing: Callable[[Path], Sequence[str]],
) -> Path | None:
    """The folder that has the same request, `out` or one of `runs/*_NAME` that is not finished.

    None where one is to be created. Raises RequestError, with what differs, where `out` is another
    one of this `kind`.
    """
    if out is None:
        for path in sorted(Path("runs").glob(f"*_{name}*"), reverse=True):
            with suppress(ConvscopeError):  # what cannot be read is another one
                if is_one(path) and not is_finished(path) and not differing(path):
                    return path
        return None
    if not is_one(out):
        return None
    if found := differing(out):
        raise RequestError(
            f"{out} is another {kind}: {'; '.join(found)}. Name a new folder with `out`, or ask "
            "for the same again to go on with it."
        )
    return out
