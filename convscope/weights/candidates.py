"""Where in a checkpoint a network's weights lie: behind which common prefix of the names.

Trainers put a network into wrappers and its state dict into other dicts; either puts words before
the names. So a place is a prefix: "model.", "student.backbone.", or none.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from convscope.errors import RequestError, nearest
from convscope.weights.head import State, head_layers, layer_of
from convscope.weights.names import Match, closest_match, mismatch

WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Words that DataParallel, torch.compile and FSDP put into names, before or inside of them."""

_COUNTER = "num_batches_tracked"
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?|shadow)(_|$)")
_MOST_CLOSE = 8  # prefixes that are compared name by name for an error


@dataclass(frozen=True)
class Candidate:
    """Tensors whose names fit the network.

    Attributes:
        place: the words before their names, joined with dots; empty at the top of the file.
        match: which name in the file, without those words, is which of the network.
        tensors: by the network's names; the head may be missing.
    """

    place: str
    match: Match
    tensors: Mapping[str, Tensor]

    @property
    def is_averaged(self) -> bool:
        """Whether the place says that these are averages of weights (EMA, SWA)."""
        return any(_AVERAGED.search(word) for word in self.place.lower().split("."))


def plain_name(name: str, kept: Collection[str] = ()) -> str:
    """A name without the words of wrappers.

    >>> plain_name("module.conv1._orig_mod.weight")
    'conv1.weight'
    """
    words = name.split(".")
    return ".".join(word for word in words if word not in WRAPPERS or word in kept)


def find_candidates(
    tensors: Mapping[str, Tensor],
    state: State,
    *,
    source: str,
    containers: Mapping[str, str] | None = None,
    choice: str = "",
) -> list[Candidate]:
    """Find every place whose names fit the network's; `choice` names one.

    The names fit if all of the network's are there, but for those of the head, and no others of its
    layers. Raises RequestError, with the differences at the closest place, if there is none.
    """
    kept = {word for name in state for word in name.split(".")} & WRAPPERS
    plain, twice = _plain(tensors, kept)
    inside = {plain_name(n, kept): plain_name(c, kept) for n, c in (containers or {}).items()}
    places = _places(plain, state, plain_name(choice, kept))
    if not places:
        known = sorted({name.partition(".")[0] for name in plain if "." in name})
        raise RequestError(
            f"{source} has nothing named {choice!r}.{nearest(choice, known)} It has "
            f"{', '.join(known[:12])}."
        )
    found: list[Candidate] = []
    failed: list[Match] = []
    for place in places:
        candidate = _candidate_at(place, plain, state, inside)
        if _fits(candidate.match, state):
            found.append(_with_split_head(candidate, plain, state))
        else:
            failed.append(candidate.match)
    if not found:
        closest = min(failed, key=lambda match: match.disagreements)
        raise RequestError(mismatch(closest, source))
    for candidate in found:
        _check_unique(candidate, twice, source)
    return found


def _plain(
    tensors: Mapping[str, Tensor], kept: Collection[str]
) -> tuple[dict[str, Tensor], dict[str, tuple[str, str]]]:
    """The tensors by plain names, and those names that two different tensors have."""
    plain: dict[str, Tensor] = {}
    first: dict[str, str] = {}
    twice: dict[str, tuple[str, str]] = {}
    for name, tensor in tensors.items():
        short = plain_name(name, kept)
        if short in plain and not same_values(plain[short], tensor):
            twice[short] = (first[short], name)
        plain.setdefault(short, tensor)
        first.setdefault(short, name)
    return plain, twice


def same_values(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal in shape, type and every value."""
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def _places(names: Collection[str], state: State, choice: str) -> list[str]:
    """The prefixes with enough names for the network, the fullest first."""
    counts = Counter[str]()
    for name in names:
        counts.update(_prefixes(name))
    if choice:
        chosen = [p for p in counts if p == f"{choice}."]
        chosen += [p for p in counts if p.startswith(f"{choice}.") and p not in chosen]
        chosen += [p for p in counts if f".{choice}." in f".{p}" and p not in chosen]
        counts = Counter({place: counts[place] for place in chosen})
    head = head_layers(state)
    body = [n for n in state if not n.endswith(_COUNTER) and layer_of(n) not in head]
    enough = [place for place, count in counts.most_common() if count >= max(1, len(body))]
    return enough or [place for place, _ in counts.most_common(_MOST_CLOSE)]


def _prefixes(name: str) -> Iterator[str]:
    """Every prefix of a name that ends before one of its words, with its dot.

    >>> list(_prefixes("a.b.c"))
    ['', 'a.', 'a.b.']
    """
    yield ""
    for dot in re.finditer(r"\.", name):
        yield name[: dot.end()]


def _candidate_at(
    place: str, plain: Mapping[str, Tensor], state: State, containers: Mapping[str, str]
) -> Candidate:
    """The names behind a prefix, matched to the network's."""
    layers = {name.partition(".")[0] for name in state}
    names: list[str] = []
    for name in plain:
        if not name.startswith(place):
            continue
        short = name.removeprefix(place)
        is_deeper = len(containers.get(name, "")) > len(place.rstrip("."))
        if not (is_deeper and short.partition(".")[0] not in layers and short not in state):
            names.append(short)
    if not names:  # all lie in dicts of their own
        names = [name.removeprefix(place) for name in plain if name.startswith(place)]
    match = closest_match(names, state)
    return Candidate(
        place.rstrip("."),
        match,
        {ours: plain[f"{place}{theirs}"] for ours, theirs in match.theirs.items()},
    )


def _fits(match: Match, state: State) -> bool:
    """Whether nothing differs but a head that is missing, or has other layers."""
    if not match.disagreements:
        return True
    head = head_layers(state)
    if not (match.theirs and match.missing) or any(
        layer_of(name) not in head for name in match.missing
    ):
        return False
    body = {name.partition(".")[0] for name in state if layer_of(name) not in head}
    return not any(name.partition(".")[0] in body for name in match.extra)


def _with_split_head(candidate: Candidate, plain: Mapping[str, Tensor], state: State) -> Candidate:
    """The candidate with the head from elsewhere, as `head.fc.weight` beside `backbone.`."""
    missing = candidate.match.missing
    if not missing or not candidate.place:
        return candidate
    parent = candidate.place.rpartition(".")[0]
    found: dict[str, Tensor] = {}
    for ours in missing:
        ends = [n for n in plain if n.endswith(f".{ours}") and n.startswith(parent)]
        fitting = [n for n in ends if plain[n].shape[1:] == state[ours].shape[1:]]
        if len(ends) != 1 or len(fitting) != 1:
            return candidate
        found[ours] = plain[fitting[0]]
    match = replace(candidate.match, missing=(), extra=())
    return Candidate(candidate.place, match, {**candidate.tensors, **found})


def _check_unique(candidate: Candidate, twice: Mapping[str, tuple[str, str]], source: str) -> None:
    before = f"{candidate.place}." if candidate.place else ""
    for theirs in candidate.match.theirs.values():
        if (name := f"{before}{theirs}") in twice:
            one, other = twice[name]
            raise RequestError(
                f"{source} has {name} twice, as {one} and as {other}, with different values. Save "
                "one of them alone."
            )


def choose(candidates: Iterable[Candidate], *, source: str) -> tuple[Candidate, str]:
    """Choose among places that fit equally, and say in a sentence which others there are.

    Averaged weights (EMA, SWA) are taken only where nothing else fits, or by name. The top of the
    file goes before what lies in it. Raises RequestError where two places differ in their values
    and nothing tells which one is meant.
    """
    listed = list(candidates)
    raw = [one for one in listed if not one.is_averaged]
    averaged = [one for one in listed if one.is_averaged]
    chosen = next((one for one in raw if not one.place), (raw or averaged)[0])
    rivals = [
        one
        for one in (raw or averaged)
        if one is not chosen and chosen.place and not _equal(one, chosen)
    ]
    if rivals:
        names = [one.place for one in (chosen, *rivals)]
        raise RequestError(
            f"{source} has {len(names)} sets of weights that fit this network: "
            f"{', '.join(names)}. Choose one: `weights='{source}#{names[0]}'`."
        )
    return chosen, _beside(chosen, averaged if raw else [], source)


def _equal(one: Candidate, other: Candidate) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        same_values(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


def _beside(chosen: Candidate, averaged: list[Candidate], source: str) -> str:
    """A sentence about averaged weights that were not taken."""
    others = [one for one in averaged if one is not chosen]
    if not others:
        return ""
    places = ", ".join(one.place for one in others)
    return (
        f"Averaged weights (EMA) lie beside them, in {places}; take those with "
        f"`weights='{source}#{others[0].place}'`"
    )
