"""The card that a file of weights holds: by it a card.json that was changed is noticed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from convscope.card import Card
from convscope.errors import RequestError

_KEY = "card"
_DIGESTS = {"splits.csv": "splits_sha256", "network.toml": "layers_sha256"}
_CLASSES = "classes"  # all that files of earlier versions hold of their card
_FEW = 6  # values that a message lists
_PLACES = ("data", "network", "weights")
"""What the provenance calls folders and files: equal trainings have other names for them."""

UNBOUND = (
    "{path} is of an earlier version and holds no card, so nothing would show that the input size, "
    "mean or std in card.json were changed since the training."
)


def bound_to(card: Card, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a file of tensors that belongs to this card, and to no other."""
    provenance = {key: card.provenance[key] for key in card.provenance if key not in _PLACES}
    return {**metadata, _KEY: replace(card, provenance=provenance).to_dict()}


def card_in(metadata: Mapping[str, Any], *, where: Path) -> Card | None:
    """The card in the metadata of a file; None for a file of an earlier version.

    Raises RequestError, naming `where`, for a card that cannot be read.
    """
    held = metadata.get(_KEY)
    return None if held is None else Card.from_dict(held, where=f"The card in {where}")


def check_bound(
    card: Card,
    metadata: Mapping[str, Any],
    *,
    where: Path,
    source: Path,
    of_training: bool = False,
) -> None:
    """Check that `card`, from the file `source`, is the one of the tensors in the file `where`.

    `of_training`: apart from what is chosen after training, as the state of one knows nothing of.

    Raises RequestError, naming every field that differs, with both values.
    """
    held = card_in(metadata, where=where)
    if of_training:
        card, held = card.of_training, held and held.of_training
    if held is None:
        names = metadata.get(_CLASSES)
        differences = [] if names is None else [*_difference(_CLASSES, card.classes, tuple(names))]
    else:
        differences = [*_differences(card, held)]
    if not differences:
        return
    found = "; ".join(
        f"{name} is {one} there and {other} in {where.name}" for name, one, other in differences
    )
    remedy = "" if held is None else f", or delete it: then the card in {where.name} counts"
    raise RequestError(
        f"{source} is not the card that {where} was trained with: {found}. Weights mean something "
        "with their own card alone, so its classes and preprocessing cannot be changed after "
        f"training. Restore {source.name}{remedy}. Other classes need a new training."
    )


def digest_of_text(text: str) -> str:
    """SHA-256 of a text as a file has it."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def provenance_of(*, splits: str, layers: str | None) -> dict[str, str]:
    """What a card's provenance says of the text of splits.csv and network.toml."""
    texts = {"splits.csv": splits, "network.toml": layers}
    return {_DIGESTS[name]: digest_of_text(t) for name, t in texts.items() if t is not None}


def names_digest(card: Card, name: str) -> bool:
    """Whether a card says what the file of that name contains."""
    return _DIGESTS[name] in card.provenance


def check_text(card: Card, text: str, *, source: Path) -> str:
    """The text of splits.csv or network.toml, if it is what the card's provenance says.

    Raises RequestError for another text; that of an earlier version is not known.
    """
    known = card.provenance.get(_DIGESTS[source.name])
    if known is not None and known != digest_of_text(text):
        raise RequestError(
            f"{source} is not the one that the run was trained with: its content has changed. "
            "Restore it, or start a new run."
        )
    return text


_Difference = tuple[str, str, str]  # of a field: its name, and both values


def _differences(one: Card, other: Card) -> Iterator[_Difference]:
    for each in fields(Card):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if each.name != "provenance":
            yield from _difference(each.name, mine, theirs)
            continue
        for key in sorted({*map(str, mine), *map(str, theirs)}.difference(_PLACES)):
            yield from _difference(f"{each.name}.{key}", mine.get(key), theirs.get(key))


def _difference(name: str, one: object, other: object) -> Iterator[_Difference]:
    """The two values of a field where they differ; of long lists the first entry that does."""
    if one == other:
        return
    if not (isinstance(one, tuple) and isinstance(other, tuple)):
        yield name, repr(one), repr(other)
        return
    left, right = list(cast("Sequence[object]", one)), list(cast("Sequence[object]", other))
    if max(len(left), len(right)) <= _FEW:
        yield name, repr(left), repr(right)
    elif len(left) != len(right):
        yield f"the number of {name}", str(len(left)), str(len(right))
    else:
        place = next(n for n, pair in enumerate(zip(left, right, strict=True)) if len({*pair}) > 1)
        yield f"{name}[{place}]", repr(left[place]), repr(right[place])
