"""Sources of weights: a file, a URL, a library's model name, a run, a state dict in memory."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast
from urllib.parse import urldefrag, urlsplit

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.download import DownloadCallback, RemoteFile, cache_dir, digest_of, fetch
from convscope.errors import RequestError, nearest
from convscope.foreign import is_network_file, read_network
from convscope.regular_files import read_regular
from convscope.runs.bound_card import card_in, check_bound
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors, read_metadata, save_tensors
from convscope.weights import timm
from convscope.weights.contents import ClassNames, class_names_in, contents_of
from convscope.weights.file_kind import file_format
from convscope.weights.hub_files import HUB_FILES, weights_on_hub
from convscope.weights.imagenet_names import imagenet_names
from convscope.weights.published import torchvision_file
from convscope.weights.read import read_contents
from convscope.weights.torchvision_releases import release, releases
from convscope.words.json_text import to_json

FORMS = "a file, a URL, a run folder, torchvision:NAME, timm:NAME or hf://USER/NAME"
IN_MEMORY = "a state dict in memory"
_WITHOUT_NETWORK = ("imagenet", "pretrained", "default", "imagenet1k_v1", "imagenet1k_v2", "true")


class HasRun(Protocol):
    """What has a run folder, as the result of `convscope.train`."""

    @property
    def run(self) -> Path: ...


WeightsSource = str | Path | Run | HasRun | Mapping[str, object] | nn.Module


@dataclass(frozen=True)
class Weights:
    """The contents of a source of weights.

    Attributes:
        source: as the user named it.
        tensors: by their paths in the source.
        card: the preprocessing and classes of the trained network; None if the source has no such
            metadata.
        sha256: of the file.
        class_lists: lists of class names that the source has, or the one that the user gives.
        containers: the path of the dict in which each tensor lies.
        choice: where in the source the weights lie, if the user says so.
        is_named: whether the user gave the class names.
        note: what a user should know of the source, in a sentence; empty if nothing.
    """

    source: str
    tensors: Mapping[str, Tensor]
    card: Card | None
    sha256: str
    class_lists: tuple[ClassNames, ...] = ()
    containers: Mapping[str, str] = field(default_factory=dict[str, str])
    choice: str = ""
    is_named: bool = False
    note: str = ""

    def names_of(self, outputs: int) -> ClassNames | None:
        """The names of so many outputs; None if they are not known, or more than one list fits.

        Raises RequestError if the user gave another number of names.
        """
        if self.is_named and len(self.class_lists[0]) != outputs:
            raise RequestError(
                f"`class_names` has {len(self.class_lists[0])} names, and {self.source} has "
                f"{outputs} outputs. Name each output, in their order."
            )
        fitting = {names for names in self.class_lists if len(names) == outputs}
        return fitting.pop() if len(fitting) == 1 else None

    def named(self, class_names: ClassNames | None) -> "Weights":
        """The same with the class names that the user gives, if any."""
        if class_names is None:
            return self
        return replace(self, class_lists=(class_names,), is_named=True)


def open_weights(source: WeightsSource, *, on_progress: DownloadCallback | None = None) -> Weights:
    """Read weights from one of FORMS, a run, a state dict in memory, or a network; downloads are
    cached.

    `FILE#PLACE` takes the weights at one place of a checkpoint that has several, as `x.pth#ema`. A
    file released by torchvision is recognized by its SHA-256, wherever it comes from.

    Raises RequestError for an unknown source, WorkError for a failed download.
    """
    if isinstance(source, Run):
        return _from_run(str(source.path), source.path)
    if isinstance(source, nn.Module):
        return _from_memory(source.state_dict())
    if isinstance(source, Mapping):
        return _from_memory(source)
    if not isinstance(source, str | Path):
        run: object = getattr(source, "run", None)
        if not isinstance(run, str | Path):
            raise RequestError(
                f"`weights` must be {FORMS}, a state dict or a network, not "
                f"{type(source).__name__}."
            )
        return _from_run(str(run), Path(run))
    text = str(source)
    kind, _, rest = text.partition(":")
    if kind not in ("torchvision", "timm", "http", "https", "hf"):
        return _from_disk(text)
    choice = urldefrag(text).fragment
    name = urldefrag(rest).url if kind in ("torchvision", "timm") else urldefrag(text).url
    match kind:
        case "torchvision":
            opened = _from_torchvision(text, name, on_progress)
        case "timm":
            opened = _from_timm(text, name, on_progress)
        case "hf":
            opened = _from_path(text, weights_on_hub(name))
        case _:
            opened = _from_file(text, _downloaded(_remote(name), on_progress))
    return replace(opened, choice=choice)


def path_in_text(source: object) -> object:
    """A source as text: a run's path, or that of a file to which weights in memory are written.

    Anything that is no source is returned as it is.
    """
    if isinstance(source, str):
        return source
    if isinstance(source, Path | Run):
        return str(source.path if isinstance(source, Run) else source)
    if isinstance(getattr(source, "run", None), str | Path):
        return str(source.run)  # pyright: ignore[reportAttributeAccessIssue]
    if not isinstance(source, Mapping | nn.Module):
        return source
    return path_of(cast("Mapping[str, object] | nn.Module", source))


def path_of(source: Mapping[str, object] | nn.Module, classes: Sequence[str] = ()) -> str:
    """The path of a file to which weights in memory are written, and the names of their outputs.

    It lies in the cache, by its content, so that a run can be repeated and resumed.
    """
    weights = open_weights(source)
    name = weights.sha256[:16]
    if classes:
        name += f"-{hashlib.sha256(to_json(classes).encode()).hexdigest()[:8]}"
    path = cache_dir() / "weights" / f"memory-{name}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(path, weights.tensors, {"classes": [*classes]} if classes else {})
    return str(path)


def _from_disk(text: str) -> Weights:
    path, choice = _split_path(text)
    if choice and is_network_file(path.name):
        return _from_network(text, path)
    return replace(_from_path(text, path), choice=choice)


def _split_path(text: str) -> tuple[Path, str]:
    """A path, and the place in the file that may follow it behind a #."""
    whole = Path(text).expanduser()
    before, mark, choice = text.rpartition("#")
    if not mark or whole.exists() or not Path(before).expanduser().exists():
        return whole, ""
    return Path(before).expanduser(), choice


def _from_memory(state: Mapping[str, object]) -> Weights:
    contents = contents_of(state)
    if not contents.tensors:
        raise RequestError(
            f"The dict has no state dict (tensors by name): {contents.description}. Pass "
            "`net.state_dict()`."
        )
    tensors = {n: t if t.is_meta else t.cpu() for n, t in contents.tensors.items()}
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(name.encode())
        if not (tensor.is_meta or tensor.is_quantized or tensor.layout is not torch.strided):
            values = tensor.contiguous().reshape(-1).view(torch.uint8)
            digest.update(values.numpy().tobytes())
    return Weights(
        IN_MEMORY,
        tensors,
        None,
        digest.hexdigest(),
        contents.class_names,
        contents.containers,
    )


def _from_path(source: str, path: Path) -> Weights:
    if path.name == "model.safetensors" and (path.parent / "config.toml").exists():
        path = path.parent
    if path.is_dir():
        if not (path / "config.toml").exists():
            for name in HUB_FILES:
                if (path / name).is_file():
                    return _from_file(source, path / name)
        return _from_run(source, path)
    if not path.exists():
        if source.lower() in _WITHOUT_NETWORK:
            raise RequestError(
                f"`weights={source}` does not say of which network. Name it, as in "
                "`weights=torchvision:resnet18` or `weights=timm:resnet18`; `pretrained` of a "
                "training takes those of `model`."
            )
        known = [] if path.suffix else [row.network for row in releases()]
        hint = nearest(source, known).replace("'", "'torchvision:", 1)
        raise RequestError(f"No weights found for {source!r}.{hint} Weights come from {FORMS}.")
    return _from_file(source, path)


def _from_run(source: str, path: Path) -> Weights:
    run = Run.open(path)
    tensors, card = run.read_weights().tensors, run.read_card()
    digest = digest_of(run.path / "model.safetensors")
    return Weights(source, tensors, card, digest, (card.classes,), note=run.card_note)


def _from_network(source: str, path: Path) -> Weights:
    """Those of a file of Keras or ConvNetJS, behind whose path the name of an output may stand."""
    read = read_network(source if "#" in source else path)
    return Weights(source, read.net.state_dict(), read.card, digest_of(path))


def _from_file(source: str, path: Path) -> Weights:
    if is_network_file(path.name) and file_format(path) != "index":
        return _from_network(source, path)
    if metadata := read_metadata(path):
        return _from_own_file(source, path, metadata)
    contents, digest = read_contents(path), digest_of(path)
    known = [row.card for row in releases() if digest.startswith(row.sha256)]
    opened = Weights(
        source,
        contents.tensors,
        next(iter(known), None),
        digest,
        contents.class_names,
        contents.containers,
    )
    config = path.parent / "config.json"
    if known:
        return _with_imagenet_names(opened)
    if path.name in HUB_FILES and config.is_file():
        return _with_config(opened, config)
    return opened


def _from_own_file(source: str, path: Path, metadata: Mapping[str, Any]) -> Weights:
    """A file of a run, wherever it lies, with the card that it holds, or its class names alone."""
    stored, beside = load_tensors(path), path.parent / "card.json"
    if beside.is_file():
        card = Card.from_json(read_regular(beside).decode("utf-8", "replace"), where=str(beside))
        check_bound(card, metadata, where=path, source=beside)
    card = card_in(metadata, where=path)
    names = class_names_in(metadata.get("classes")) if card is None else card.classes
    return Weights(source, stored.tensors, card, digest_of(path), (names,) if names else ())


def _from_torchvision(source: str, name: str, on_progress: DownloadCallback | None) -> Weights:
    """A file that TABLE lists, for which no library is needed, or any other of torchvision's."""
    is_listed = any(name in (row.network, f"{row.network}.{row.weights}") for row in releases())
    found = None if is_listed or find_spec("torchvision") is None else torchvision_file(name)
    if found is None:
        return _from_file(source, _downloaded(release(name).remote, on_progress))
    remote, card, names = found
    opened = replace(_from_file(source, _downloaded(remote, on_progress)), card=card)
    if names is None:
        return opened
    return replace(opened, card=replace(card, classes=names), class_lists=(names,))


def _from_timm(source: str, name: str, on_progress: DownloadCallback | None) -> Weights:
    settings, weights = timm.remote_files(name)
    config = _downloaded(settings, on_progress)
    timm.card_from_config(read_regular(config).decode("utf-8", "replace"), where=str(config))
    return _with_config(_from_file(source, _downloaded(weights, on_progress)), config)


def _with_config(weights: Weights, config: Path) -> Weights:
    """The weights with the card of timm's configuration, if the file is one."""
    text = read_regular(config).decode("utf-8", "replace")
    if not timm.is_config(text):
        return weights
    card = timm.card_from_config(text, where=str(config))
    names = timm.names_from_config(text)
    weights = replace(weights, card=card)
    if names is None:
        return _with_imagenet_names(weights) if len(card.classes) == 1000 else weights
    return replace(weights, card=replace(card, classes=names), class_lists=(names,))


def _with_imagenet_names(weights: Weights) -> Weights:
    """The weights with ImageNet's class names, where a library that has them is installed."""
    names = imagenet_names()
    if names is None or weights.card is None:
        return weights
    return replace(weights, card=replace(weights.card, classes=names), class_lists=(names,))


def _remote(url: str) -> RemoteFile:
    """Describe an unverified file, with a cache name that is unique to its URL."""
    parts = urlsplit(url)
    if not parts.netloc:
        raise RequestError(f"{url!r} has no host. Weights come from {FORMS}.")
    name = PurePosixPath(parts.path).name[-100:] or "weights"
    return RemoteFile(f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}", None, (url,))


def _downloaded(remote: RemoteFile, on_progress: DownloadCallback | None) -> Path:
    folder = cache_dir() / "weights"
    return fetch(
        remote, folder, on_progress=on_progress, otherwise="give the path of the file itself"
    )
