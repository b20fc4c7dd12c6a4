"""Whose names a file of weights uses, and which parameter of a network each of them is."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from convscope.errors import RequestError
from convscope.zoo import ZOO
from convscope.zoo.parameter_names import NameMap, rename_parameter

TODAYS: NameMap = (
    (r"(.*\.denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),  # torchvision's files of DenseNet
    (r"pre_logits\.fc1\.", "classifier.0."),  # timm's VGG
    (r"pre_logits\.fc2\.", "classifier.3."),
    (r"head\.fc\.", "classifier.6."),
)
"""What torchvision's modules are called today, of names in its old files and in timm's."""

Renaming = Callable[[str], str]

_LATER = "num_batches_tracked"  # batch norm counts since PyTorch 0.4.1; older files lack it
_AUXILIARY = re.compile(r"aux", re.IGNORECASE)  # aux1 of torchvision's GoogLeNet
_SHOWN = 3  # names that an error lists


@dataclass(frozen=True)
class Match:
    """How the names of a file become those of a network.

    Attributes:
        theirs: what the file calls each parameter, by our name of it.
        whose: "equal", or whose names they are.
        missing: names of the network that the file has not.
        extra: names of the file that the network has not.
        left_out: auxiliary heads of the file that the network was built without.
    """

    theirs: Mapping[str, str]
    whose: str
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def disagreements(self) -> int:
        return len(self.missing) + len(self.extra)


def match_names(file: Collection[str], network: Collection[str], *, source: str) -> Match:
    """Find the names by which every parameter of a network is in a file, and nothing else is.

    Equal names are tried first, then torchvision's for each network of the zoo.

    Raises RequestError, telling what the names that come closest disagree about.
    """
    for whose, renaming in _renamings():
        if all(renaming(name) in network or _AUXILIARY.match(name) for name in file):
            found = _compare(file, network, whose, renaming)
            if not found.disagreements:
                return found
    compared = (_compare(file, network, whose, renaming) for whose, renaming in _renamings())
    closest = min(compared, key=lambda match: match.disagreements)
    lacks = f"lacks {_few(closest.missing)}" if closest.missing else ""
    has = f"has {_few(closest.extra)}, unknown to the network" if closest.extra else ""
    raise RequestError(
        f"{source} holds the weights of another network: by the names that come closest "
        f"({closest.whose}) it {' and '.join(filter(None, (lacks, has)))}. Build the network that "
        "these weights are of, or give weights of this one."
    )


def _renamings() -> Iterator[tuple[str, Renaming]]:
    """Whose names there are, and what makes ours of one of them."""
    yield "equal", lambda name: name
    yield "torchvision's", partial(rename_parameter, names=TODAYS)
    tables: dict[NameMap, list[str]] = {}
    for network, entry in ZOO.items():
        if entry.torchvision_names is not None:
            tables.setdefault(entry.torchvision_names, []).append(network)
    for table, networks in tables.items():
        yield f"torchvision's of {', '.join(networks)}", partial(_by_table, table)


def _by_table(table: NameMap, name: str) -> str:
    return rename_parameter(rename_parameter(name, TODAYS), table)


def _compare(
    file: Collection[str], network: Collection[str], whose: str, renaming: Renaming
) -> Match:
    renamed = [(renaming(name), name) for name in file]
    theirs = dict(renamed)
    missing = [name for name in network if name not in theirs and not name.endswith(_LATER)]
    extra = [name for new, name in renamed if new not in network or theirs[new] != name]
    heads = [name for name in extra if _AUXILIARY.match(name)]
    return Match(
        {name: theirs[name] for name in network if name in theirs},
        whose,
        tuple(missing),
        tuple(name for name in extra if name not in heads),
        tuple(dict.fromkeys(name.partition(".")[0] for name in heads)),
    )


def _few(names: Collection[str]) -> str:
    shown, rest = ", ".join([*names][:_SHOWN]), len(names) - _SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
