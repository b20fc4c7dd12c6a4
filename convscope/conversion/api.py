"""`export`: a network for other programs, in a folder of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from convscope.conversion.calibration import calibration_images
from convscope.conversion.candidates import Candidate, choose_engines, try_engines
from convscope.conversion.draft import Draft
from convscope.conversion.int8 import MAX_DROP, check_int8, not_faster, quantize
from convscope.conversion.manifest import write_all
from convscope.conversion.publication import Publication
from convscope.conversion.web_page import PAGE, write_page
from convscope.conversion.web_runtime import find_runtime
from convscope.engines import EngineName
from convscope.errors import RequestError, WorkError
from convscope.exported.folder import new_folder
from convscope.exported.of_run import OF_RUN
from convscope.hub import is_hub
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@dataclass(frozen=True)
class Exported:
    """What `export` did.

    Attributes:
        path: the folder.
        candidates: the engines that agree with PyTorch, the fastest first.
        notes: what is worth telling.
        page: the folder of the page for browsers; None without one.
        url: of the repository on the hub; empty without one.
        precision: of the numbers that the engines compute with, "float32" or "int8".
    """

    path: Path
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    page: Path | None = None
    url: str = ""
    precision: str = "float32"

    @property
    def engine(self) -> EngineName:
        """The fastest engine."""
        return self.candidates[0].engine


@takes_synonyms
def export(
    run: ModelLike,
    output: str | Path | None = None,
    *,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    engine: EngineName | str = "auto",
    int8: bool = False,
    calibration: str | Path | None = None,
    max_drop: float | None = None,
    batch_size: int = 1,
    threads: int | None = None,
    web: bool = False,
    web_runtime: str | Path | None = None,
    license: str | None = None,  # noqa: A002 -- the hub's word
    private: bool = False,
) -> Exported:
    """Write a network for other programs, once it was seen to answer as PyTorch does.

    The folder `output`, by default `exported` in that of the run, gets `model.onnx`, the network
    for normalized images, `images.onnx`, which takes images of any size and returns probabilities,
    the card, a README, a few images with their answers, and `parity.json`, how exactly both agree
    with PyTorch. Nothing is written if they do not.

    An `output` such as hf://user/name is a repository on the Hugging Face hub, which gets the same
    files, the weights, and a model card; paths of this machine stay here.

    `run` is a run, or a network as for `predict`; one with random weights is exported as well.

    Args:
        engine: which engine shall run it; "auto" times all that are installed, for batches of
            `batch_size` and `threads` threads, and takes the fastest that agrees.
        int8: whether it computes in 8 bits. What that costs is measured on validation images of the
            run, in each engine: of those whose accuracy stays, the fastest is taken. Where it drops
            by more than `max_drop` points (by default 1), layers that cost most stay in float32.
            By default the folder is then `exported-int8`.
        calibration: a folder of images for that, one folder for each class, where the run's own
            shall not be taken, or there is no run.
        web: add the folder `web`, a page that classifies images in the browser. npm brings ONNX
            Runtime Web for it, once.
        web_runtime: the npm package's folder, where npm shall bring nothing; it implies `web`.
        license: under which a repository on the hub may be used, by the hub's name for it.
        private: whether a new repository on the hub is seen by its owner alone.

    Raises RequestError for what cannot be exported, NetworkError for a network that PyTorch's
    exporter cannot follow, WorkError where the exported network answers differently; the message
    names the first layer that does, or the layers that cost most.
    """
    engines = choose_engines(engine)
    if int8 or calibration is not None or max_drop is not None:
        engines = check_int8(engines, max_drop, is_wanted=int8)
    publication = _publication(output, license, private=private)
    has_page = web or web_runtime is not None
    runtime = find_runtime(None if web_runtime is None else Path(web_runtime)) if has_page else None
    settings = InputSettings(input_size=input_size, mean=mean, std=std)
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        input_size=settings.size,
        settings=settings,
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    opened = publication.prepared(opened) if publication else opened
    of_run = OF_RUN + "-int8" * int8
    path = publication.folder if publication else _folder_for(opened, output, of_run)
    images = calibration_images(opened, calibration) if int8 else None
    with new_folder(path) as folder:
        draft = Draft.of(opened, folder, threads=threads or torch.get_num_threads())
        tried = try_engines(engines, draft, batch_size=batch_size)
        problems = [one.problem for one in tried if one.problem]
        agreeing = _agreeing(tried, problems)
        if images is not None:
            limit = MAX_DROP if max_drop is None else max_drop
            draft, tried = quantize(draft, agreeing, images, max_drop=limit, batch_size=batch_size)
            problems += [one.problem for one in tried if one.problem]
            in_float, agreeing = agreeing, _agreeing(tried, problems)
            problems += not_faster(agreeing, in_float)
        precision = "int8" if int8 else "float32"
        write_all(draft, agreeing, publication, precision=precision)
        if runtime is not None:
            write_page(folder, opened.name, draft.card, runtime)
    page = None if runtime is None else path / PAGE
    url = publication.upload() if publication else ""
    return Exported(path, agreeing, (*_notes(opened), *problems), page, url, precision)


def _publication(
    output: str | Path | None,
    license: str | None,  # noqa: A002
    *,
    private: bool,
) -> Publication | None:
    if isinstance(output, str) and is_hub(output):
        return Publication.asked(output, license, private=private)
    if license is not None or private:
        raise RequestError(
            "`license` and `private` are for a repository on the hub: name one by `output`, as "
            "hf://user/name."
        )
    return None


def _agreeing(tried: Sequence[Candidate], problems: Sequence[str]) -> tuple[Candidate, ...]:
    """Those that may be kept, the fastest first. Raises WorkError where there is none."""
    found = sorted((one for one in tried if not one.problem), key=lambda one: one.seconds)
    if not found:
        raise WorkError(f"{' '.join(problems)} Nothing was written.")
    return tuple(found)


def _folder_for(opened: OpenedModel, output: str | Path | None, of_run: str) -> Path:
    if output is not None:
        return Path(output).expanduser()
    if opened.run is None:
        raise RequestError(
            f"{opened.name} is no run, into whose folder it could be exported. Name a folder by "
            "`output`."
        )
    return opened.run.path / of_run


def _notes(opened: OpenedModel) -> list[str]:
    return [note for note in (opened.warning, opened.note) if note]
