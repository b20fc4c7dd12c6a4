"""`summary`: the lecture's table of any network, from a name, a run or a module."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.models import ModelLike, find_run, not_a_model
from convscope.published import describe_counts
from convscope.receptive import receptive_fields
from convscope.recording.wrappers import unwrapped
from convscope.runs.folder import Run
from convscope.runs.network import builder_of
from convscope.runs.own_code import NO_CONSENT, Consent, is_own_code
from convscope.summaries.empty_batch import EmptyBatch
from convscope.summaries.image import (
    InputSize,
    Requested,
    batch_of_one,
    candidates,
    for_builder,
    requested,
)
from convscope.summaries.rows import rows_of
from convscope.summaries.run import Network, Shapes, network_of, run_for_shapes
from convscope.summaries.table import Summary
from convscope.synonyms import takes_synonyms
from convscope.zoo import ZOO, check_arguments, create_model, default_input, resolve_model


@takes_synonyms
def summary(
    model: ModelLike,
    input_size: InputSize | None = None,
    *,
    input_data: Tensor | None = None,
    input: InputSize | Tensor | None = None,  # noqa: A002 -- the input, in either form
    num_classes: int | None = None,
    in_channels: int | None = None,
    trust: bool = False,
) -> Summary:
    """Summarize a network as the lecture's table: layers, maps, parameters, receptive fields.

    `model` is a name of the zoo, a table file, `module:attr`, `timm:NAME`, `torchvision:NAME`, a
    run, or a module. It runs once, in eval mode, on the meta device, which has shapes and no
    memory; on noise on the CPU where it cannot run there, and the note below the table says so. A
    module is left as it was.

    `input_size` is the side of a square image, (height, width), (channels, height, width) or
    (batch, channels, height, width); for networks of 1D or 3D convolutions, with one axis less or
    more. Rows are for one image, whatever the batch. `input_data` is an image, or a batch;
    `input` may be either. What is left open has the zoo's, the library's or the run's default, also
    for a module that was made there. For another network the size is 224x224, or the first of
    32x32, 28x28 and 64x64 that it takes if it does not take that; the channels are the first number
    that it takes of those of its first convolution, 3, 1, and what may become those where pixels
    move to channels first.

    `trust` allows the code of its own that a run recorded, see `convscope.load`.

    Raises RequestError if `model` is not a network that takes an image, or takes no such image.

        >>> table = summary("lenet5")
        >>> table.parameters, table.multiply_adds
        (61706, 416520)
    """
    return summarize_any(
        model,
        input_size,
        input_data=input_data,
        either=input,
        num_classes=num_classes,
        in_channels=in_channels,
        consent=Consent(trust=trust),
    )


def summarize_any(
    model: ModelLike,
    input_size: InputSize | None = None,
    *,
    input_data: Tensor | None = None,
    either: InputSize | Tensor | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    consent: Consent = NO_CONSENT,
) -> Summary:
    """`summary`, with what a run may have imported."""
    check_arguments(num_classes=num_classes, in_channels=in_channels, input_size=None)
    asked = requested(input_size=input_size, input_data=input_data, either=either)
    if isinstance(model, nn.Module):
        if num_classes is not None:
            raise RequestError(
                "A network that is already built has its number of classes; leave out "
                "`num_classes`."
            )
        net = unwrapped(model)
        return _summarized(network_of(net, type(net).__name__), net, asked, in_channels)
    run = find_run(model)
    if run is not None:
        if not asked.is_open or num_classes or in_channels:
            raise RequestError(
                f"{run.path} is a run, whose classes and image are known; leave out `num_classes`, "
                "`in_channels` and `input_size`."
            )
        return summarize_run(run, consent)
    if not isinstance(model, str | Path):
        raise RequestError(not_a_model(model))
    return _of_name(str(model), asked, num_classes, in_channels)


def summarize_module(net: nn.Module, *, name: str, image: tuple[int, ...]) -> Summary:
    """The summary of a network on the meta device, for an image of shape (c, h, w)."""
    return _table(name, run_for_shapes(network_of(net, name), [image]))


def _summarized(
    network: Network, net: nn.Module, asked: Requested, in_channels: int | None
) -> Summary:
    shapes = candidates(net, asked, in_channels, name=network.name)
    return _table(network.name, run_for_shapes(network, shapes, batch_of_one(net, asked.data)))


def _table(name: str, shown: Shapes) -> Summary:
    dependent = [operation for operation in shown.operations if operation.operands]
    rows = rows_of(
        shown.operations,
        receptive_fields(dependent, (1, *shown.image)),
        shown.parameters,
        complex_results=shown.complex_results,
        unrecorded=shown.unrecorded,
    )
    return Summary(name, shown.image, tuple(rows), shown.note)


def _of_name(
    model: str, asked: Requested, num_classes: int | None, in_channels: int | None
) -> Summary:
    in_channels, size = for_builder(asked, in_channels)
    build = partial(
        create_model, model, num_classes=num_classes, in_channels=in_channels, input_size=size
    )
    network, net = _built(model, build)
    channels, usual = default_input(model)
    if asked.is_open and usual:
        asked = Requested(usual)
    table = _summarized(network, net, asked, in_channels or channels)
    return _with_published(table, model, num_classes)


def _with_published(table: Summary, model: str, num_classes: int | None) -> Summary:
    """The summary of a network of the zoo with what its paper states."""
    if is_own_code(model):
        return table
    name = resolve_model(model)
    entry = ZOO.get(name)
    if entry is None:
        return table
    image = (entry.in_channels, *entry.input_size)
    is_as_published = num_classes in (None, entry.num_classes) and table.input == image
    said = describe_counts(
        name,
        parameters=table.parameters,
        multiply_adds=table.multiply_adds,
        is_as_published=is_as_published,
    )
    return replace(table, published=said)


def summarize_run(run: Run, consent: Consent = NO_CONSENT) -> Summary:
    """The summary of a run's network, which needs no weights. Raises ConsentError."""
    card, config = run.read_card(), run.read_config()
    name = str(config["model"])
    with builder_of(run, config, card, consent) as (build, notes):
        network, _ = _built(name, build)
        table = _table(name, run_for_shapes(network, [(card.in_channels, *card.input_size)]))
    told = replace(table, note=" ".join(filter(None, (table.note, *notes))))
    return _with_published(told, name, len(card.classes))


def _built(name: str, build: Callable[[], nn.Module]) -> tuple[Network, nn.Module]:
    """A network that is built on the meta device, and in memory only where it must be."""

    def real() -> nn.Module:
        with torch.random.fork_rng(devices=()):
            return build()

    with suppress(RequestError):
        with torch.device("meta"), EmptyBatch():
            net = real()
        network = network_of(net, name)
        if network.on_meta is not None:
            in_memory = replace(network, real=lambda: network_of(real(), name).real())
            return replace(in_memory, is_without_values=False), net
    net = real()
    return network_of(net, name), net
