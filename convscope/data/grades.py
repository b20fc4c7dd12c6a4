"""Classes that are grades: their order, by what a person says or by the numbers in their names."""

import re
from collections.abc import Sequence

from convscope.data.classes import quote_names
from convscope.data.spellings import match_names
from convscope.errors import RequestError

_NUMBER = re.compile(r"\d+")
_WORDS = re.compile(r"(?i)(grade|stage|level|severity|score|birads|bi-rads|isup|kl|gleason)")
_BARE = re.compile(r"[01234567]")  # of classes that are nothing but numbers
_FEWEST, _MOST = 3, 8


def order_grades(classes: Sequence[str], stated: Sequence[str] | None, *, where: str) -> list[str]:
    """The classes from the lowest grade to the highest.

    In the order that is `stated`, else of the only number in each name. Raises RequestError for
    stated grades that are not the classes, and for names whose order is not plain.

    >>> order_grades(["grade 10", "grade 2"], None, where="data")
    ['grade 2', 'grade 10']
    """
    if stated is not None:
        return _as_stated(classes, stated, where)
    numbers = [{int(text) for text in _NUMBER.findall(name)} for name in classes]
    values = [number.pop() for number in numbers if len(number) == 1]
    if len(set(values)) < len(classes):
        raise RequestError(
            f"{where}: the order of the grades {quote_names([*classes])} is not plain, for not "
            "each has a number of its own. Name them from the lowest to the highest: "
            f"`grades='{','.join(classes[:3])}{',...' if len(classes) > 3 else ''}'`."
        )
    return [name for _, name in sorted(zip(values, classes, strict=True))]


def _as_stated(classes: Sequence[str], stated: Sequence[str], where: str) -> list[str]:
    matches = match_names(stated, classes)
    if unknown := [name for name, match in zip(stated, matches, strict=True) if match is None]:
        raise RequestError(
            f"`grades` has {quote_names(unknown)}, and {where} has no such class. Its classes are "
            f"{quote_names([*classes], max_shown=20)}."
        )
    ordered = [classes[index] for index in matches if index is not None]
    if missing := [name for name in classes if name not in ordered]:
        raise RequestError(f"`grades` lacks {quote_names(missing)}, which {where} has.")
    return ordered


def look_like_grades(classes: Sequence[str]) -> bool:
    """Whether class names look like grades: 0 to 4, or "grade 1", "grade 2", ...

    >>> look_like_grades(["0", "1", "2", "3", "4"]), look_like_grades(["stage I", "stage II"])
    (True, False)
    >>> look_like_grades([*"0123456789"]), look_like_grades(["Grade 1", "Grade 2", "Grade 3"])
    (False, True)
    """
    if not _FEWEST <= len(classes) <= _MOST:
        return False
    if all(_BARE.fullmatch(name) for name in classes):
        return True
    numbers = {tuple(_NUMBER.findall(name)) for name in classes}
    has_numbers = len(numbers) == len(classes) and all(len(found) == 1 for found in numbers)
    return has_numbers and all(_WORDS.search(name) for name in classes)
