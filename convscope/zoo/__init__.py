"""The networks, one file per paper, and how to create them by name."""

import fnmatch
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from convscope import synonyms
from convscope.errors import RequestError, nearest
from convscope.foreign import is_network_file, read_network
from convscope.synonyms import takes_synonyms
from convscope.zoo.entries import ENTRIES, ZOO, Entry, default_lr, paper
from convscope.zoo.files import build_from_architecture, build_from_file, input_of_file
from convscope.zoo.import_model import build_imported, imported
from convscope.zoo.libraries import (
    build_from_library,
    check_library_model,
    libraries_with,
    library_of,
    library_preprocessing,
)
from convscope.zoo.narrowed import narrow
from convscope.zoo.table_file import Table, errors_at, is_table, read_table
from convscope.zoo.table_layers import build_table

__all__ = [
    "ENTRIES",
    "ZOO",
    "Creation",
    "Entry",
    "check_arguments",
    "create_model",
    "default_input",
    "default_lr",
    "get_entry",
    "list_models",
    "paper",
    "resolve_model",
]


@dataclass(frozen=True)
class Creation:
    """How a network was created; `create_model` leaves it on the network as `creation`."""

    model: str
    num_classes: int | None
    in_channels: int | None
    input_size: tuple[int, int] | None


@takes_synonyms
def create_model(
    name: str | Path,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    stride_in_1x1: bool = False,
) -> nn.Module:
    """Create a network by name, with random weights; `convscope.create_model` says the rest."""
    size = (input_size, input_size) if isinstance(input_size, int) else input_size
    check_arguments(num_classes=num_classes, in_channels=in_channels, input_size=size)
    name = _spelled(str(name))
    if stride_in_1x1:
        _check_stride(name)
    creation = Creation(name, num_classes, in_channels, size)
    net = _build(creation, stride_in_1x1=stride_in_1x1)
    is_whole = is_network_file(name) and num_classes is None
    if not (is_whole or (":" in name and library_of(name) is None)):
        vars(net)["creation"] = creation
    return net


def _build(creation: Creation, *, stride_in_1x1: bool) -> nn.Module:
    name, size = creation.model, creation.input_size
    num_classes, in_channels = creation.num_classes, creation.in_channels
    build: Callable[..., nn.Module] | None = None
    if is_table(name):
        build = partial(_build_table, read_table(name))
    elif is_network_file(name):
        build = partial(build_from_file, name)
    elif (library := library_of(name)) is not None:
        build = partial(build_from_library, *library)
    elif ":" in name:
        build = partial(build_imported, name)
    if build is not None:
        return build(num_classes=num_classes, in_channels=in_channels, input_size=size)
    entry = get_entry(name)
    size = size or entry.input_size
    if min(size) < entry.min_size:
        raise RequestError(
            f"{name} cannot take images of {size[0]}x{size[1]}: its layers need "
            f"{entry.min_size}x{entry.min_size} or more. Set a larger `input_size`, "
            "or choose a network for small images, such as tinyvgg."
        )
    builder = partial(entry.builder, stride_in_1x1=True) if stride_in_1x1 else entry.builder
    return builder(
        num_classes=entry.num_classes if num_classes is None else num_classes,
        in_channels=entry.in_channels if in_channels is None else in_channels,
        input_size=size,
    )


def _build_table(
    table: Table,
    *,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> nn.Module:
    """The network of a table: of layers, or a network by name; narrower where it is pruned."""
    if table.foreign is not None:
        build = partial(build_from_architecture, table)
    elif table.model is None:
        build = partial(build_table, table)
    else:
        build = partial(create_model, table.model)
    net = build(num_classes=num_classes, in_channels=in_channels, input_size=input_size)
    with errors_at(table.path):
        narrow(net, table.pruned)
    return net


def check_arguments(
    *, num_classes: int | None, in_channels: int | None, input_size: object | None
) -> None:
    """Raise RequestError for numbers below 1 and for a size that is not (height, width)."""
    for argument, number in (("num_classes", num_classes), ("in_channels", in_channels)):
        if number is not None and number < 1:
            raise RequestError(f"`{argument}` must be at least 1, not {number}.")
    match input_size:
        case None:
            return
        case (int(height), int(width)):
            if min(height, width) < 1:
                raise RequestError(f"`input_size` must be 1x1 or more, not {height}x{width}.")
        case _:
            raise RequestError(f"`input_size` must be (height, width), not {input_size!r}.")


def list_models(pattern: str = "") -> list[str]:
    """List the names of the zoo that match a glob pattern, sorted; all of them without one.

    >>> list_models("resnet*_cifar")[:3]
    ['resnet20_cifar', 'resnet32_cifar', 'resnet44_cifar']
    """
    return sorted(fnmatch.filter(ENTRIES, pattern or "*"), key=_natural_key)


def _natural_key(name: str) -> list[str | int]:
    """A sort key by which resnet18 comes before resnet101."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _check_stride(name: str) -> None:
    foreign = is_table(name) or is_network_file(name) or ":" in name
    if foreign or "stride_in_1x1" not in inspect.signature(get_entry(name).builder).parameters:
        raise RequestError(f"{name} has no option stride_in_1x1; only ResNets have. Leave it out.")


def get_entry(name: str) -> Entry:
    """Look up a network. Raises RequestError, with the nearest name, for an unknown one."""
    known = _spelled(name)
    if known in ENTRIES:
        return ENTRIES[known]
    elsewhere = [f"{library}:{name}" for library in libraries_with(name)]
    if elsewhere:
        library = elsewhere[0].partition(":")[0]
        raise RequestError(
            f"The zoo has no network named {name!r}, but {library} has: write "
            f"{' or '.join(elsewhere)}."
        )
    if re.search(r"[/\\]", name):
        _refuse_path(Path(name))
    hint = _family(name) or nearest(name, ENTRIES)
    raise RequestError(
        f"There is no network named {name!r}.{hint} `convscope models` lists all {len(ENTRIES)}; a "
        "layer table in a .toml file, your own module:attr, timm:NAME and torchvision:NAME are "
        "accepted too."
    )


def _refuse_path(path: Path) -> None:
    if path.is_file():
        raise RequestError(
            f"{path} is a file, not a network. The run folder or the name of a network comes first."
        )
    beside = [each.name for each in path.parent.glob("*")]
    raise RequestError(
        f"There is no run folder {path}, nor a network of that name.{nearest(path.name, beside)}"
    )


def _family(name: str) -> str:
    """Names that begin alike: of "resnet", resnet18 and so on; else where large families are."""
    plain = _plain(name)
    alike = [known for known in list_models() if plain and _plain(known).startswith(plain)]
    if alike:
        return f" Did you mean {', '.join(map(repr, alike[:4]))}?"
    if plain.startswith(_ELSEWHERE):
        return (
            f" timm and torchvision have networks like it: timm:{name} "
            '(`pip install "convscope[timm]"`).'
        )
    return ""


_ELSEWHERE = (
    "beit", "coat", "convit", "convmixer", "convnext", "deit", "dla", "dpn", "efficientnet",
    "ghostnet", "hrnet", "inception", "maxvit", "mixer", "mnasnet", "mobilenet", "mobilevit",
    "nfnet", "regnet", "resnest", "senet", "shufflenet", "swin", "vit", "xception",
)  # fmt: skip
"""Families of networks that the zoo lacks and these libraries have."""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _spelled(name: str) -> str:
    """A name as the zoo has it: ResNet-18 is resnet18, lenet is lenet5; other text as it is."""
    is_file = is_table(name) or is_network_file(name)
    is_name = name not in ENTRIES and ":" not in name and not is_file
    return (synonyms.model(name, ENTRIES) or name) if is_name else name


def resolve_model(model: str) -> str:
    """A model as it is written in a run: names as the zoo spells them.

    Looks up the name, reads the table, imports `module:attr`; builds nothing, so it takes no time.
    Raises RequestError for what cannot be found.
    """
    if is_table(model):
        read_table(model)
    elif is_network_file(model):
        read_network(model)
    elif (library := library_of(model)) is not None:
        check_library_model(*library)
    elif ":" in model:
        imported(model)
    else:
        get_entry(model)
        return _spelled(model)
    return model


def default_input(name: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return (channels, (height, width)) of a network's default input; None for what is unknown."""
    if is_table(name):
        table = read_table(name)
        if table.foreign:
            return input_of_file(name)
        return default_input(table.model) if table.model else (table.in_channels, table.input_size)
    if is_network_file(name):
        return input_of_file(name)
    if (library := library_of(name)) is not None:
        stated = library_preprocessing(*library)
        return (stated.in_channels, stated.input_size) if stated else (3, None)
    entry = ENTRIES.get(_spelled(name))
    return (entry.in_channels, entry.input_size) if entry else (None, None)
