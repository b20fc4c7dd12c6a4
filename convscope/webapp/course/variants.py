"""Which variant of the exercises a student has; the page runs this file, too, as JavaScript."""


def variant_of(student: str, variants: int) -> int:
    """Return the variant from 1 of a student's name or number: the same on every machine.

    Spaces and capitals make no difference. A whole number up to `variants` is that variant.

    >>> variant_of("Ada Lovelace", 100) == variant_of("  ada  lovelace ", 100)
    True
    >>> variant_of("17", 100)
    17
    """
    name = " ".join(student.split()).lower()  # JavaScript has no casefold
    if name and all(letter in "0123456789" for letter in name) and 1 <= int(name) <= variants:
        return int(name)
    code = 0
    for letter in name:
        code = (code * 31 + ord(letter)) % 1_000_003
    return code % variants + 1
