"""Our weights by the names of torchvision's or timm's version of the same network."""

from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from convscope.atomic import write_atomically
from convscope.conversion.network_graph import exportable
from convscope.errors import RequestError, WorkError
from convscope.forward import main_output
from convscope.models import ModelLike, named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.weights.names import match_names
from convscope.weights.source import WeightsSource
from convscope.zoo import ZOO, Creation

Library = Literal["torchvision", "timm"]
LIBRARIES: tuple[Library, ...] = get_args(Library)

_THEIR_NAMES = {"alexnet_2014": "alexnet", "googlenet_bn": "googlenet"}
_RTOL = 1e-4


def export_weights(
    run: ModelLike,
    output: str | Path,
    names: Library | str,
    *,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
) -> Path:
    """Write safetensors that a network of torchvision or timm loads with `strict=True`.

    The file is written once that library's network has loaded it and returns the same logits.

    Raises RequestError where the library is missing or has no such network, WorkError where its
    network returns other logits.
    """
    if names not in LIBRARIES:
        raise RequestError(f"`names` may be {' or '.join(LIBRARIES)}, not {names!r}.")
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        consent=Consent(model, trust),
    )
    net, card = exportable(opened.net), opened.card
    theirs = _their_network(opened.net, names, len(card.classes), card.in_channels).eval()
    state, wanted = net.state_dict(), theirs.state_dict()
    match = match_names(wanted, state, source=f"{names}'s network")
    renamed: dict[str, Tensor] = {
        their: state[ours].reshape(wanted[their].shape).contiguous()
        for ours, their in match.theirs.items()
    }
    theirs.load_state_dict(renamed)
    images = torch.randn(2, card.in_channels, *card.input_size, generator=_seeded())
    with torch.inference_mode():
        expected, found = main_output(net(images)), main_output(theirs(images))
    if expected is None or found is None:
        raise RequestError(f"{opened.name} or {names}'s network returns no single tensor.")
    if float((expected - found).abs().max()) > _RTOL * max(1.0, float(expected.abs().max())):
        raise WorkError(
            f"{names}'s network returns other logits with these weights. Nothing was written."
        )
    path = Path(output).expanduser()
    write_atomically(path, import_module("safetensors.torch").save(renamed))
    return path


def _their_network(net: nn.Module, library: str, classes: int, channels: int) -> nn.Module:
    """The same network of a library, with random weights. Raises RequestError where it has none."""
    creation = getattr(net, "creation", None)
    name = creation.model if isinstance(creation, Creation) else ""
    their_name = _THEIR_NAMES.get(name, name) if library == "torchvision" else name
    without = f"{library} has no network with the layers of {name or 'this one'}."
    if name not in ZOO or ZOO[name].torchvision_names is None:
        raise RequestError(without)
    try:
        module: Any = import_module("torchvision.models" if library == "torchvision" else library)
    except ImportError as error:
        raise RequestError(
            f"Writing {library}'s names needs {library}: `pip install 'convscope[{library}]'`."
        ) from error
    except RuntimeError as error:  # a build for another PyTorch
        raise RequestError(f"{library} cannot be imported here: {error}.") from error
    if library == "torchvision":
        is_known, is_built = their_name in module.list_models(), channels == 3
    else:
        is_known, is_built = their_name in module.list_models(), True
    if not is_known:
        raise RequestError(without)
    if not is_built:
        raise RequestError(f"{library}'s {their_name} takes color images alone, and this one gray.")
    if library == "timm":
        return module.create_model(their_name, num_classes=classes, in_chans=channels)
    more = {"aux_logits": False, "init_weights": False} if their_name == "googlenet" else {}
    return module.get_model(their_name, num_classes=classes, **more)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
