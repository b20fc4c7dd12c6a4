"""Our weights by the names of torchvision's or timm's version of the same network."""

from collections.abc import Iterator, Mapping
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
from convscope.synonyms.names import MODELS
from convscope.weights.names import closest_match
from convscope.weights.source import WeightsSource
from convscope.zoo import ZOO, Creation

Library = Literal["torchvision", "timm"]
LIBRARIES: tuple[Library, ...] = get_args(Library)

_OTHER_NAMES: dict[tuple[str, str], tuple[str, ...]] = {
    ("torchvision", "alexnet_2014"): ("alexnet",),
    ("torchvision", "googlenet_bn"): ("googlenet",),
    ("timm", "regnet_x_400mf"): ("regnetx_004_tv",),
}
"""By library and network, beside the names that mean ours anyway."""

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
    state = net.state_dict()
    for candidate in _their_networks(opened.net, names, len(card.classes), card.in_channels):
        renamed = _renamed(state, candidate.state_dict())
        if renamed is not None:
            theirs = candidate.eval()
            break
    else:
        raise RequestError(_without(opened.net, names))
    theirs.load_state_dict(renamed)
    images = torch.randn(2, card.in_channels, *card.input_size, generator=_seeded())
    with torch.inference_mode():
        expected, found = main_output(net(images)), main_output(theirs(images))
    if expected is None or found is None:
        raise RequestError(f"{opened.name} or {names}'s network returns no single tensor.")
    if float((expected - found).abs().max()) > _RTOL * float(expected.abs().max()):
        raise WorkError(
            f"{names}'s network returns other logits with these weights. Nothing was written."
        )
    path = Path(output).expanduser()
    write_atomically(path, import_module("safetensors.torch").save(renamed))
    return path


def _renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Our values by their names; where no table has these, in the order of the layers.

    None where numbers or sizes of parameters differ.
    """
    match = closest_match(wanted, state)
    pairs = dict(zip(state, wanted, strict=False)) if match.disagreements else match.theirs
    if not len(pairs) == len(state) == len(wanted):
        return None
    if any(state[ours].numel() != wanted[their].numel() for ours, their in pairs.items()):
        return None
    return {
        their: state[ours].reshape(wanted[their].shape).contiguous()
        for ours, their in pairs.items()
    }


def _their_networks(
    net: nn.Module, library: str, classes: int, channels: int
) -> Iterator[nn.Module]:
    """A library's networks that may be the same, with random weights.

    Raises RequestError where it has none.
    """
    name = _name_of(net)
    if name not in ZOO or ZOO[name].torchvision_names is None:
        raise RequestError(_without(net, library))
    try:
        module: Any = import_module("torchvision.models" if library == "torchvision" else library)
    except ImportError as error:
        raise RequestError(
            f"Writing {library}'s names needs {library}: `pip install 'convscope[{library}]'`."
        ) from error
    except RuntimeError as error:  # a build for another PyTorch
        raise RequestError(f"{library} cannot be imported here: {error}.") from error
    known = {*module.list_models()}
    for theirs in (name, *MODELS.get(name, "").split(), *_OTHER_NAMES.get((library, name), ())):
        if theirs not in known:
            continue
        if library == "timm":
            yield module.create_model(theirs, num_classes=classes, in_chans=channels)
            continue
        if channels != 3:
            raise RequestError(f"{library}'s {theirs} takes color images alone, and this one gray.")
        more = {"aux_logits": False, "init_weights": False} if theirs == "googlenet" else {}
        yield module.get_model(theirs, num_classes=classes, **more)


def _name_of(net: nn.Module) -> str:
    creation = getattr(net, "creation", None)
    return creation.model if isinstance(creation, Creation) else ""


def _without(net: nn.Module, library: str) -> str:
    return f"{library} has no network with the layers of {_name_of(net) or 'this one'}."


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
