"""Match the parameter names in a file of weights to those of a network."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from convscope.errors import RequestError
from convscope.zoo import ZOO
from convscope.zoo.parameter_names import NameMap, rename_parameter

CURRENT_NAMES: NameMap = (
    (r"(.*\.denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),  # torchvision's files of DenseNet
    (r"pre_logits\.fc1\.", "classifier.0."),  # timm's VGG
    (r"pre_logits\.fc2\.", "classifier.3."),
    (r"head\.fc\.", "classifier.6."),
)
"""Today's names in torchvision, for names in its old files and in timm's."""

Renaming = Callable[[str], str]

_OPTIONAL = "num_batches_tracked"  # of batch norm since PyTorch 0.4.1; older files lack it
_LEFT_OUT = re.compile(
    r"aux|(criterion|loss|loss_fn|loss_func)\.|(n_averaged|epoch|step|best_acc\d*)\Z", re.IGNORECASE
)  # aux1 of torchvision's GoogLeNet; what trainers keep beside the network's own
_MAX_LISTED = 3  # names in an error


@dataclass(frozen=True)
class Match:
    """How the names in a file correspond to those of a network.

    Attributes:
        theirs: the file's name of each parameter, by our name.
        convention: "equal", or the library and networks whose names they are.
        missing: names of the network that the file does not have.
        extra: names of the file that the network does not have.
        left_out: auxiliary heads, losses and counters of the file that the network does not have.
    """

    theirs: Mapping[str, str]
    convention: str
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def disagreements(self) -> int:
        return len(self.missing) + len(self.extra)


def match_names(file: Collection[str], network: Collection[str], *, source: str) -> Match:
    """Find the naming convention by which file and network have the same parameters.

    Raises RequestError with the differences of the closest convention.
    """
    match = closest_match(file, network)
    if match.disagreements:
        raise RequestError(mismatch(match, source))
    return match


def closest_match(file: Collection[str], network: Collection[str]) -> Match:
    """The match by the naming convention with the fewest differences.

    Equal names are tried first, then torchvision's and timm's for each network of the zoo.
    """
    for convention, renaming in _renamings():
        if all(renaming(name) in network or _LEFT_OUT.match(name) for name in file):
            match = _compare(file, network, convention, renaming)
            if not match.disagreements:
                return match
    compared = (
        _compare(file, network, convention, renaming) for convention, renaming in _renamings()
    )
    return min(compared, key=lambda match: match.disagreements)


def mismatch(match: Match, source: str) -> str:
    """What differs, for an error."""
    lacks = f"lacks {_few(match.missing)}" if match.missing else ""
    has = f"has {_few(match.extra)}, unknown to the network" if match.extra else ""
    return (
        f"{source} has the weights of another network: by the closest names "
        f"({match.convention}) it {' and '.join(filter(None, (lacks, has)))}. Create the network "
        "that these weights belong to, or choose weights of this network."
    )


def _renamings() -> Iterator[tuple[str, Renaming]]:
    """Yield the naming conventions, each with the function that translates a name to ours."""
    yield "equal", lambda name: name
    yield "torchvision's", partial(rename_parameter, names=CURRENT_NAMES)
    tables: dict[NameMap, list[str]] = {}
    for network, entry in ZOO.items():
        if entry.torchvision_names is not None:
            tables.setdefault(entry.torchvision_names, []).append(network)
    for table, networks in tables.items():
        yield f"torchvision's of {', '.join(networks)}", partial(_by_table, table)
    timms: dict[NameMap, list[str]] = {}
    for network, entry in ZOO.items():
        if entry.timm_names is not None:
            timms.setdefault(entry.timm_names, []).append(network)
    for table, networks in timms.items():
        yield f"timm's of {', '.join(networks)}", partial(rename_parameter, names=table)


def _by_table(table: NameMap, name: str) -> str:
    return rename_parameter(rename_parameter(name, CURRENT_NAMES), table)


def _compare(
    file: Collection[str], network: Collection[str], convention: str, renaming: Renaming
) -> Match:
    renamed = [(renaming(name), name) for name in file]
    theirs = dict(renamed)
    missing = [name for name in network if name not in theirs and not name.endswith(_OPTIONAL)]
    extra = [name for new, name in renamed if new not in network or theirs[new] != name]
    heads = [name for name in extra if _LEFT_OUT.match(name)]
    return Match(
        {name: theirs[name] for name in network if name in theirs},
        convention,
        tuple(missing),
        tuple(name for name in extra if name not in heads),
        tuple(dict.fromkeys(name.partition(".")[0] for name in heads)),
    )


def _few(names: Collection[str]) -> str:
    shown, rest = ", ".join([*names][:_MAX_LISTED]), len(names) - _MAX_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown
