"""`summary`: the lecture's table of any network, from a name, a run or a module."""

import copy
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.receptive import receptive_fields
from convscope.recording import operations
from convscope.runs.folder import Run
from convscope.runs.network import model_source, on_sys_path
from convscope.summaries.rows import rows_of
from convscope.summaries.table import Summary
from convscope.zoo import check_arguments, create_model, default_input

_SIDE = 224  # default height and width of the image for a user's own network


def summary(
    model: str | Path | nn.Module,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> Summary:
    """Summarize a network as the lecture's table: layers, maps, parameters, receptive fields.

    `model` is a name of the zoo, `module:attr`, a table file, a run folder or a module. It runs
    once, in eval mode, on meta tensors, which have shapes and no memory.
    `in_channels` and `input_size` (height, width) default to those of the zoo or the run; for
    another network to the channels of its first convolution, and 224x224.

    Raises RequestError if `model` is not a network or cannot take such an image.

        >>> table = summary("lenet5")
        >>> table.parameters, table.multiply_adds
        (61706, 416520)
    """
    check_arguments(num_classes=num_classes, in_channels=in_channels, input_size=input_size)
    name = model if isinstance(model, str) else type(model).__name__
    if isinstance(model, nn.Module):
        net = _on_meta(model)
    elif isinstance(model, Path) or Path(model).is_dir():
        return _of_run(Run.open(model))
    else:
        net = _built(model, num_classes, in_channels, input_size)
        channels, size = default_input(model)
        in_channels, input_size = in_channels or channels, input_size or size
    height, width = input_size or (_SIDE, _SIDE)
    return summarize_module(net, name=name, image=(in_channels or _channels(net), height, width))


def summarize_module(net: nn.Module, *, name: str, image: tuple[int, int, int]) -> Summary:
    """The summary of a network on the meta device, which is left in eval mode."""
    tensor = torch.zeros(1, *image, device="meta")
    try:
        done = operations(net.eval(), tensor)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        size = "x".join(map(str, (*image[1:], image[0])))
        raise RequestError(
            f"{name} cannot take an image of {size} ({reason}). Choose another with `input_size` "
            "and `in_channels`."
        ) from error
    fields = receptive_fields(done, tuple(tensor.shape))
    counts = {parameter: tensor.numel() for parameter, tensor in net.named_parameters()}
    return Summary(name, image, tuple(rows_of(done, fields, counts)))


def _of_run(run: Run) -> Summary:
    card, config = run.read_card(), run.read_config()
    name = str(config["model"])
    with on_sys_path(config):
        net = _built(model_source(run, name), len(card.classes), card.in_channels, card.input_size)
    return summarize_module(net, name=name, image=(card.in_channels, *card.input_size))


def _built(
    model: str, num_classes: int | None, in_channels: int | None, input_size: tuple[int, int] | None
) -> nn.Module:
    """A network on the meta device; a user's own is built in memory first where it must be."""
    with suppress(RequestError), torch.device("meta"):
        return _on_meta(
            create_model(
                model, num_classes=num_classes, in_channels=in_channels, input_size=input_size
            )
        )
    return _on_meta(
        create_model(model, num_classes=num_classes, in_channels=in_channels, input_size=input_size)
    )


def _on_meta(net: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes but no memory."""
    state: list[Tensor] = [*net.parameters(), *net.buffers()]
    memo = {
        id(t): nn.Parameter(t.detach().to("meta"), t.requires_grad)
        if isinstance(t, nn.Parameter)
        else t.to("meta")
        for t in state
    }
    return copy.deepcopy(net, memo)


def _channels(net: nn.Module) -> int:
    """The input channels of the first convolution; 3 where there is none."""
    firsts = (layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    first = next(firsts, None)
    return first.in_channels if first else 3
