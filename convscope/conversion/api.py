"""`export`: a network for other programs, in a folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from convscope.conversion.candidates import Candidate
from convscope.conversion.converted import convert
from convscope.conversion.formats import FormatName
from convscope.conversion.manifest import write_all
from convscope.conversion.parity import Parity
from convscope.conversion.publication import Publication
from convscope.conversion.settings import ExportSettings
from convscope.conversion.web_page import PAGE, write_page
from convscope.conversion.web_runtime import find_runtime
from convscope.engines import EngineName
from convscope.errors import RequestError
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
        precision: of the numbers that the engines compute with: "float32", "bf16" or "int8".
        formats: what was written.
        torch: how exactly `model.pt2` agrees with PyTorch; None where it was not asked for.
        litert: the same of `model.tflite`.
        folded: by layer, how many filters were taken out; None where that was not asked for.
    """

    path: Path
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    page: Path | None = None
    url: str = ""
    precision: str = "float32"
    formats: tuple[FormatName, ...] = ("onnx",)
    torch: Parity | None = None
    litert: Parity | None = None
    folded: Mapping[str, int] | None = None

    @property
    def engine(self) -> EngineName | None:
        """The fastest engine; None for what other programs alone run."""
        return self.candidates[0].engine if self.candidates else None


@takes_synonyms
def export(
    run: ModelLike,
    output: str | Path | None = None,
    *,
    format: str | Sequence[str] | None = None,  # noqa: A002 -- the word of the command line
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    engine: EngineName | str = "auto",
    precision: str | None = None,
    int8: bool = False,
    calibration: str | Path | None = None,
    max_drop: float | None = None,
    fold_filters: bool = False,
    batch_size: int = 1,
    threads: int | None = None,
    suppression: str | None = None,
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
        format: what is written: "onnx", the default; "openvino", `model.xml` and `images.xml` in
            place of these two; "ncnn", `model.ncnn.param`; "torch", `model.pt2`, which
            `torch.export.load` reads; "litert", `model.tflite`, for one image at a time, whose
            converter needs an environment of its own; or several, with commas. Core ML is refused,
            for it cannot be compared here. For a run, a folder without ONNX is by default
            `exported-openvino` and so on.
        engine: which engine shall run it; "auto" times all that are installed, for batches of
            `batch_size` and `threads` threads, and takes the fastest that agrees.
        precision: of the numbers that the engine computes with: "float32", "bf16" or "int8". In
            bf16, OpenVINO computes, its format is the default, and the processor must be able to;
            outputs may then differ from PyTorch's by 5% of the largest one. Accuracy is measured
            for it as for `int8`, which is the same as `precision="int8"`.
        int8: whether it computes in 8 bits. What that costs is measured on validation images of the
            run, in each engine: of those whose accuracy stays, the fastest is taken. Where it drops
            by more than `max_drop` points (by default 1), layers that cost most stay in float32.
            By default the folder is then `exported-int8`.
        calibration: a folder of images for that, one folder for each class, where the run's own
            shall not be taken, or there is no run. Of images that lie in it directly classes are
            not known: `max_drop` is then how many answers of 100 may change.
        fold_filters: take filters out that make no difference, constant ones and exact copies, and
            let the layers behind them do without: the same function but for rounding.
        suppression: of a network that finds objects, whether `images.onnx` returns the boxes that
            non-maximum suppression keeps, "inside", the default, or all boxes with the scores of
            all classes, "outside". `predict` and `serve` run `model.onnx`, and suppress themselves.
        web: add the folder `web`, a page that classifies images in the browser. npm brings ONNX
            Runtime Web for it, once.
        web_runtime: the npm package's folder, where npm shall bring nothing; it implies `web`.
        license: under which a repository on the hub may be used, by the hub's name for it.
        private: whether a new repository on the hub is seen by its owner alone.

    Raises RequestError for what cannot be exported, NetworkError for a network that PyTorch's
    exporter cannot follow, WorkError where the exported network answers differently; the message
    names the first layer that does, or the layers that cost most.
    """
    settings = ExportSettings.asked(
        format=format,
        engine=engine,
        precision=precision,
        int8=int8,
        calibration=calibration,
        max_drop=max_drop,
        fold_filters=fold_filters,
        batch_size=batch_size,
        threads=threads,
        suppression=suppression,
    )
    publication = _publication(output, license, settings, private=private)
    has_page = web or web_runtime is not None
    if has_page and "onnx" not in settings.formats:
        raise RequestError("The page of `web` runs ONNX: add onnx to `format`.")
    runtime = find_runtime(None if web_runtime is None else Path(web_runtime)) if has_page else None
    inputs = InputSettings(input_size=input_size, mean=mean, std=std)
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        input_size=inputs.size,
        settings=inputs,
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    settings.check_boxes(opened.card)
    if has_page and settings.suppression == "outside":
        raise RequestError("The page of `web` draws what suppression keeps: leave it inside.")
    opened = publication.prepared(opened) if publication else opened
    path = publication.folder if publication else _folder_for(opened, output, settings)
    images = settings.images(opened)
    with new_folder(path) as folder:
        converted = convert(opened, folder, settings, images)
        write_all(converted, settings, publication)
        if runtime is not None:
            write_page(folder, opened.name, opened.card, runtime)
    return Exported(
        path,
        converted.candidates,
        (*_notes(opened), *converted.problems),
        None if runtime is None else path / PAGE,
        publication.upload() if publication else "",
        settings.precision,
        settings.formats,
        converted.torch,
        converted.litert,
        converted.draft.folded if fold_filters else None,
    )


def _publication(
    output: str | Path | None,
    license: str | None,  # noqa: A002
    settings: ExportSettings,
    *,
    private: bool,
) -> Publication | None:
    if isinstance(output, str) and is_hub(output):
        if not settings.engines:
            raise RequestError(
                "A repository on the hub is for `convscope predict`, and "
                f"`format={','.join(settings.formats)}` is not: add onnx to it."
            )
        return Publication.asked(output, license, private=private)
    if license is not None or private:
        raise RequestError(
            "`license` and `private` are for a repository on the hub: name one by `output`, as "
            "hf://user/name."
        )
    return None


def _folder_for(opened: OpenedModel, output: str | Path | None, settings: ExportSettings) -> Path:
    if output is not None:
        return Path(output).expanduser()
    if opened.run is None:
        raise RequestError(
            f"{opened.name} is no run, into whose folder it could be exported. Name a folder by "
            "`output`."
        )
    return opened.run.path / (OF_RUN + settings.suffix)


def _notes(opened: OpenedModel) -> list[str]:
    return [note for note in (opened.warning, opened.note) if note]
