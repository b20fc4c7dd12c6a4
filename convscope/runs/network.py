"""The network of a run: built again, with its best weights."""

import copy
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.forward import like_parameters, main_output
from convscope.inference import inference_mode
from convscope.runs.folder import Run
from convscope.runs.own_code import (
    HANDED_OVER,
    NO_CONSENT,
    Consent,
    allowed,
    naming,
    raise_no_name,
)
from convscope.runs.weight_values import checked, infinite_buffers
from convscope.zoo import Creation, create_model
from convscope.zoo.box_head import coding_of, with_box_head
from convscope.zoo.check import check_network
from convscope.zoo.files import is_file, table_text
from convscope.zoo.narrowed import narrow
from convscope.zoo.table_file import errors_at, read_widths
from convscope.zoo.yolo import ANCHORS

_TABLE = "network.toml"
_objects: WeakValueDictionary[Path, nn.Module] = WeakValueDictionary()
"""Networks that were trained as objects, by the folder of the run, as long as they live."""


def load(
    run: object, *, model: str | nn.Module | None = None, trust: bool = False
) -> tuple[nn.Module, Card]:
    """The network of a run with its best weights, in eval mode, on the CPU; and its card.

    `run` is a folder, or what `train` returns. A run executes nothing by itself. If it was trained
    with code of its own, `model` is needed: that code, as module:attr, or a network of the same
    architecture, of which a copy is returned; or `trust`, which allows the code that the run
    recorded, as long as it is unchanged. Neither is needed where this process trained the run.

    Raises RequestError if card, weights and network do not match, ConsentError for code that
    nobody has allowed. Warns of a run of an earlier version, whose weights do not hold their card,
    and of code whose source has changed.
    """
    net, card, note = load_run(as_run(run), Consent(model, trust))
    if note:
        warnings.warn(note, stacklevel=2)
    return net, card


def load_run(run: Run, consent: Consent = NO_CONSENT) -> tuple[nn.Module, Card, str]:
    """`load` of a run, with a note in place of its warnings."""
    card, stored, config = run.read_card(), run.read_weights(), run.read_config()
    if isinstance(consent.model, nn.Module):
        net, note = copy.deepcopy(consent.model), ""
        _narrow(run, config, net)
    else:
        net, note = rebuild(run, config, card, consent)
    note = " ".join(filter(None, (run.card_note, note)))
    load_state(net, stored.tensors, where=str(run.path / "model.safetensors"), card=card)
    vars(net)["card"] = card  # how to prepare its images, for `record` and `explain`
    return net.eval(), card, note


load_network = load
"""The older name of `load`."""


def as_run(run: object) -> Run:
    """A run from its path, or from an object that has it as `run`. Raises RequestError."""
    found = getattr(run, "run", run)
    if isinstance(found, Run):
        return found
    if isinstance(found, str | Path):
        return Run.open(found)
    raise RequestError(
        "`run` must be the path of a run folder, or what `train` returns, not of type "
        f"{type(run).__name__}."
    )


def rebuild(
    run: Run, config: Mapping[str, Any], card: Card, consent: Consent = NO_CONSENT
) -> tuple[nn.Module, str]:
    """The network of a run without its weights, and a note; see `load_run`.

    A network that `consent` hands over is returned itself. Raises ConsentError for code that it
    does not allow, RequestError where nothing builds the network.
    """
    with builder_of(run, config, card, consent) as (build, notes):
        net = build()
    return net, " ".join(notes)


@contextmanager
def builder_of(
    run: Run, config: Mapping[str, Any], card: Card, consent: Consent = NO_CONSENT
) -> Generator[tuple[Callable[[], nn.Module], list[str]]]:
    """What builds the network of a run, for as long as the block lasts, and notes after it."""
    model, source = consent.model, str(config["model"])

    def narrowed(build: Callable[[], nn.Module]) -> nn.Module:
        net = build()
        _narrow(run, config, net)
        return net

    if isinstance(model, nn.Module):
        yield partial(narrowed, partial(build_network, model, card)), []
    elif model is not None:
        with naming(run, config, model) as notes:
            yield partial(narrowed, partial(build_network, model, card)), notes
    elif (net := _objects.get(run.path.resolve())) is not None and source.startswith(HANDED_OVER):
        yield partial(copy.deepcopy, net), []
    elif source.startswith(HANDED_OVER):
        raise_no_name(run, source)
    else:
        with allowed(run, config, consent):
            yield partial(narrowed, partial(_build_recorded, run, source, card)), []


def _narrow(run: Run, config: Mapping[str, Any], net: nn.Module) -> None:
    """Remove from a network of own code what pruning removed for this run; in place."""
    path = run.path / _TABLE
    if not is_file(str(config["model"])) and path.exists():
        with errors_at(str(path)):
            narrow(net, read_widths(str(path)))


def _build_recorded(run: Run, source: str, card: Card) -> nn.Module:
    try:
        return build_network(model_source(run, source), card)
    except RequestError as error:
        if type(error) is not RequestError or is_file(source):
            raise
        raise RequestError(f"{run.path / 'config.toml'}, `model`: {error}") from error


def build_network(model: str | nn.Module, card: Card) -> nn.Module:
    """A network for the input and the classes of the card: untrained, or the module itself."""
    if isinstance(model, nn.Module):
        net, name = model, model_name(model)
    else:
        net, name = _created(model, card), model
    coding = coding_of(net)
    if card.task == "detection" and coding is None:
        net = _finding_boxes(net, card)
        coding = coding_of(net)
    if coding is not None and card.task != "detection":
        raise RequestError(
            f"{name} finds objects and their boxes, and these images have classes alone. Choose a "
            "network such as resnet18, or data with boxes."
        )
    check_network(
        net,
        in_channels=card.in_channels,
        input_size=card.input_size,
        num_classes=len(card.classes) if coding is None else coding.num_outputs,
        name=name,
    )
    return net


def _finding_boxes(net: nn.Module, card: Card) -> nn.Module:
    """A classification network with a head for boxes."""
    return with_box_head(
        net,
        num_classes=len(card.classes),
        in_channels=card.in_channels,
        input_size=card.input_size,
        anchors=card.boxes.anchors if card.boxes else ANCHORS,
    )


def _created(model: str, card: Card) -> nn.Module:
    return create_model(
        model,
        num_classes=len(card.classes),
        in_channels=card.in_channels,
        input_size=card.input_size,
    )


def model_name(model: object) -> str:
    """What to call a model in a message: its name, or the class of an object."""
    creation = getattr(model, "creation", None)
    if isinstance(creation, Creation):
        return creation.model
    return type(model).__name__ if isinstance(model, nn.Module) else str(model)


def source_of(net: nn.Module, card: Card) -> str:
    """A text that builds a network of this architecture again, as `model` takes it.

    Of a network that was pruned, whose attribute `pruned` says what is left, it is a text for the
    network that it was.

    It is found by trial: how `create_model` made it, its architecture in timm, or its class as
    module:attr. Where none of them gives a network that prints and computes the same with the same
    weights, it is HANDED_OVER and the class.
    """
    creation = getattr(net, "creation", None)
    config: Any = getattr(net, "pretrained_cfg", None)
    kind = type(net)
    candidates = [
        creation.model if isinstance(creation, Creation) else None,
        f"timm:{config['architecture']}" if _has(config, "architecture") else None,
        f"{kind.__module__}:{kind.__qualname__}" if "<locals>" not in kind.__qualname__ else None,
    ]
    for source in candidates:
        if source is not None and _builds(source, net, card):
            return source
    return f"{HANDED_OVER}{kind.__name__}"


def _has(config: object, key: str) -> bool:
    return isinstance(config, Mapping) and bool(cast("Mapping[str, object]", config).get(key))


def _builds(source: str, net: nn.Module, card: Card) -> bool:
    """Whether a source builds a network that computes the same with the same weights."""
    with suppress(Exception), torch.random.fork_rng(devices=()):
        built = _created(source, card)
        narrow(built, getattr(net, "pruned", {}))
        if built is net or type(built) is not type(net) or repr(built) != repr(net):
            return False
        if _shapes(built) != _shapes(net):
            return False
        built.load_state_dict(net.state_dict())
        noise = torch.Generator().manual_seed(0)
        image = torch.randn(1, card.in_channels, *card.input_size, generator=noise)
        outputs: list[Tensor] = []
        for each in (built.to(next(net.parameters()).device), net):
            with inference_mode(each):
                output = main_output(each(like_parameters(each, image)), len(card.classes))
            outputs += [] if output is None else [output]
        return len(outputs) == 2 and torch.equal(*outputs)
    return False


def _shapes(net: nn.Module) -> dict[str, object]:
    state: dict[str, Any] = net.state_dict()
    return {name: getattr(value, "shape", None) for name, value in state.items()}


def remember_object(run: Run, net: nn.Module) -> None:
    """Keep a network that was handed over for `load` in this process, while it lives."""
    _objects[run.path.resolve()] = net


def save_model_source(run: Run, model: str) -> None:
    """Copy the layer table of a network, or its architecture, into the run as network.toml."""
    if text := table_text(model):
        run.write(_TABLE, text)


def model_source(run: Run, model: str) -> str:
    """What the network of a run is built from: the run's network.toml, or `model`."""
    return str(run.path / _TABLE) if is_file(model) else model


def load_state(net: nn.Module, weights: Mapping[str, Tensor], *, where: str, card: Card) -> None:
    """Load weights into a network, which is unchanged where they are refused.

    Raises RequestError, naming the first that does not fit, and the first that holds values which
    are no weights.
    """
    state = net.state_dict()
    for name in sorted(state.keys() | weights.keys()):
        expected = tuple(state[name].shape) if name in state else "missing"
        found = tuple(weights[name].shape) if name in weights else "missing"
        if expected != found:
            height, width = card.input_size
            raise RequestError(
                f"{where} is of another network: {name} is {found} in the file and {expected} in "
                f"the network for {len(card.classes)} classes and images of "
                f"{card.in_channels}x{height}x{width}. Restore the run's config.toml, and the code "
                "or layer table of its network."
            )
    infinite = infinite_buffers(net)
    net.load_state_dict(
        {
            name: checked(name, tensor, state[name], source=where, may_be_infinite=name in infinite)
            for name, tensor in weights.items()
        }
    )
