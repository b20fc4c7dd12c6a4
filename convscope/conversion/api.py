"""`export`: a network for other programs, in a folder of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.conversion.divergence import first_divergence
from convscope.conversion.image_graph import IMAGES, PROBABILITIES, image_graph
from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.parity import Parity, measure_parity
from convscope.conversion.readme import readme
from convscope.conversion.sample_files import write_sample_files
from convscope.engines import (
    ENGINES,
    FILES,
    Engine,
    EngineName,
    installed_version,
    is_installed,
    open_engine,
)
from convscope.engines.timing import EngineTimes, time_engine
from convscope.errors import RequestError, WorkError
from convscope.exported.folder import ExportedModel, digest_of, new_folder, write_manifest
from convscope.models import ModelLike, OpenedModel, open_model
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.version import __version__
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource
from convscope.words import visible
from convscope.words.json_text import to_json

if TYPE_CHECKING:
    import onnx

MODEL_FILE, IMAGES_FILE, PARITY_FILE = "model.onnx", "images.onnx", "parity.json"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What `export` did.

    Attributes:
        path: the folder.
        engine: the fastest engine of those that agree with PyTorch.
        parity: how exactly each engine agrees.
        times: how fast each is.
        notes: what is worth telling.
    """

    path: Path
    engine: EngineName
    parity: dict[EngineName, Parity]
    times: dict[EngineName, EngineTimes]
    notes: tuple[str, ...] = ()


@takes_synonyms
def export(
    run: ModelLike,
    output: str | Path,
    *,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    engine: EngineName | str = "auto",
    batch_size: int = 1,
    threads: int | None = None,
) -> Exported:
    """Write a network for other programs, once it was seen to answer as PyTorch does.

    The folder `output` gets `model.onnx`, the network for normalized images, `images.onnx`, which
    takes images of any size and returns probabilities, the card, a README, and `parity.json`, how
    exactly both agree with PyTorch. Nothing is written if they do not.

    `run` is a run, or a network as for `predict`; one with random weights is exported as well.

    Args:
        engine: which engine shall run it; "auto" times all that are installed, for batches of
            `batch_size` and `threads` threads, and takes the fastest that agrees.

    Raises RequestError for what cannot be exported, NetworkError for a network that PyTorch's
    exporter cannot follow, WorkError where the exported network answers differently; the message
    names the first layer that does.
    """
    candidates = _candidates(engine)
    settings = InputSettings(input_size=input_size, mean=mean, std=std)
    opened = open_model(
        run,
        weights=weights,
        input_size=settings.size,
        settings=settings,
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    count = threads or torch.get_num_threads()
    net, card = exportable(opened.net), opened.card
    network = network_graph(net, (card.in_channels, *card.input_size), len(card.classes))
    _add_metadata(network, opened)
    images = image_graph(network, card)
    with new_folder(Path(output)) as folder, TemporaryDirectory() as samples:
        (folder / MODEL_FILE).write_bytes(network.SerializeToString())
        (folder / IMAGES_FILE).write_bytes(images.SerializeToString())
        files = write_sample_files(Path(samples), card.input_size)
        parities: dict[EngineName, Parity] = {}
        times: dict[EngineName, EngineTimes] = {}
        notes = [note for note in (opened.warning, opened.note) if note]
        for name in candidates:
            runner = open_engine(name, _engine_file(name, folder, network), threads=count)
            through = _image_engine(folder / IMAGES_FILE, count) if not parities else None
            parity = measure_parity(net, card, runner, files, image_engine=through)
            if parity.holds:
                parities[name] = parity
                times[name] = time_engine(runner, card, batch_size=batch_size)
                continue
            problem = _disagreement(net, network, card, name, parity, count)
            if len(candidates) == 1:
                raise WorkError(f"{problem} Nothing was written.")
            notes.append(problem)
        if not parities:
            raise WorkError(f"{' '.join(notes)} Nothing was written.")
        order = sorted(times, key=lambda name: times[name].p50)
        content = {name: {**parities[name].to_dict(), **times[name].to_dict()} for name in order}
        (folder / PARITY_FILE).write_text(to_json(content, indent=1) + "\n", "utf-8")
        (folder / "README.md").write_text(readme(opened.name, card, order[0]), "utf-8")
        names = sorted(path.name for path in folder.iterdir())
        manifest = {
            "version": 1,
            "name": opened.name,
            "engine": order[0],
            "engines": order,
            "precision": "float32",
            "threads": count,
            "files": {name: digest_of(folder / name) for name in names},
            "weights": _digest_of_weights(opened),
            "made_with": _versions(order),
        }
        write_manifest(folder, manifest, card)
        ExportedModel.open(folder).file(order[0])
    return Exported(
        path=Path(output), engine=order[0], parity=parities, times=times, notes=tuple(notes)
    )


def _candidates(engine: str) -> Sequence[EngineName]:
    """The engines to try; those of "auto" that are installed."""
    if engine == "auto":
        found: list[EngineName] = [name for name in ENGINES if is_installed(name)]
        if not found:
            raise RequestError(
                "No engine is installed that could run an exported network: "
                "`pip install 'convscope[export]'`."
            )
        return found
    for name in ENGINES:
        if name == engine:
            installed_version(name)
            return (name,)
    raise RequestError(f"`engine` is {engine!r}; it may be auto, {', '.join(ENGINES)}.")


def _engine_file(name: EngineName, folder: Path, network: "onnx.ModelProto") -> Path | bytes:
    """Write what an engine opens, if it is not there yet."""
    path = folder / FILES[name]
    if name == "openvino" and not path.exists():
        import openvino  # noqa: PLC0415 -- an extra

        converted: Any = openvino.Core().read_model(network.SerializeToString())
        openvino.save_model(converted, str(path), compress_to_fp16=False)
    return path


def _image_engine(
    path: Path, threads: int
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None:
    """`images.onnx` in ONNX Runtime; None where that is not installed."""
    if not is_installed("onnxruntime"):
        return None
    from convscope.engines.onnxruntime_engine import open_session  # noqa: PLC0415 -- an extra

    session: Any = open_session(path, threads=threads)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return session.run([PROBABILITIES], {IMAGES: images})[0]

    return run


def _disagreement(
    net: nn.Module,
    network: "onnx.ModelProto",
    card: Card,
    name: EngineName,
    parity: Parity,
    threads: int,
) -> str:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, card.in_channels, *card.input_size, generator=generator)

    def open_part(model: bytes) -> Engine:
        return open_engine(name, model, threads=threads)

    layer = first_divergence(net, network, images, open_part, tolerance=parity.tolerance)
    where = f"; the first layer that differs is {layer}" if layer else ""
    return (
        f"In {name} the exported network answers differently than in PyTorch: by "
        f"{parity.logits:.1e} of its largest output (allowed: {parity.tolerance:.0e}), and by "
        f"{max(parity.files, parity.images or 0):.1e} in a probability{where}."
    )


def _add_metadata(network: "onnx.ModelProto", opened: OpenedModel) -> None:
    """Classes and card travel inside, for programs that have the file alone."""
    onnx_library().helper.set_model_props(
        network,
        {
            "name": visible(opened.name),
            "classes": to_json(list(opened.card.classes)),
            "card": opened.card.to_json(),
            "made_with": f"convscope {__version__}",
        },
    )


def _digest_of_weights(opened: OpenedModel) -> str:
    path = opened.run.path / "model.safetensors" if opened.run else None
    return digest_of(path) if path is not None and path.exists() else ""


def _versions(engines: Sequence[EngineName]) -> dict[str, str]:
    return {
        "convscope": __version__,
        "torch": torch.__version__,
        **{name: installed_version(name) for name in engines},
    }
