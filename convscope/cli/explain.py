"""`convscope explain`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, cast

from convscope.cli.explained_boxes import print_boxes
from convscope.cli.json_output import print_json
from convscope.cli.options import (
    SEVERAL,
    ClassNames,
    Flag,
    Int,
    Json,
    Mean,
    OptionalInt,
    OwnCode,
    Std,
    Trust,
)
from convscope.cli.printed_explanation import (
    print_class,
    print_explanation,
    print_next,
    print_operations,
    print_prediction,
    print_trace,
)
from convscope.errors import RequestError, shell_word
from convscope.explanation.api import explain_recorded, record_or_load
from convscope.explanation.boxes.recorded_boxes import first_score, with_named_boxes
from convscope.explanation.grid import find_filter, map_text, read_grid, record_grid
from convscope.explanation.network_request import NetworkRequest
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.recording import Recording
from convscope.runs.own_code import Consent
from convscope.words.screen import Screen


def explain(
    run: str | None = None,
    image: Path | None = None,
    /,
    *,
    at: str | None = None,
    contrast: str | None = None,
    trace_back: Flag = False,
    depth: OptionalInt = None,
    top: OptionalInt = None,
    im2col: Flag = False,
    list_layers: Flag = False,
    model: OwnCode = None,
    trust: Trust = False,
    weights: str | None = None,
    pretrained: Flag = False,
    num_classes: OptionalInt = None,
    in_channels: OptionalInt = None,
    input_size: OptionalInt = None,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    grid: Annotated[tuple[Path, ...], SEVERAL] = (),
    filter: Annotated[tuple[str, ...], SEVERAL] = (),  # noqa: A002
    stride: Int = 1,
    padding: Int = 0,
    save: Path | None = None,
    json: Json = False,
) -> None:
    """Show the exact arithmetic behind one unit of a network on an image.

    Parameters
    ----------
    run
        A run folder, a model of the zoo, a layer table, a file of Keras or ConvNetJS, or
        module:attr; or a saved recording.
    image
        An image file; none for a saved recording, which has it.
    at
        The unit: conv3_2[12,5,7] by channel, row, column; fc3[7]; fc3[cataract] by class. Default:
        the top-1 class. A layer without an index means its unit with the largest value. A number is
        always an index; a class that is called by a number stands in quotes: "fc3['7']".
    contrast
        Another class or unit: explain the difference, why one and not the other. A number is an
        index, as in --at. Of a box another box: what suppression made of both.
    trace_back
        Trace the largest contributions back to the pixels.
    depth
        Number of operations that --trace-back goes back. Default: to the pixels.
    top
        How many channels or terms to write out, default 4; with --trace-back, how many operands of
        each unit to follow, default 1.
    im2col
        Write filter and patch as two columns, the im2col view.
    list_layers
        List the operations, by the names that --at takes.
    weights
        For a model of the zoo, as in train: torchvision:resnet50, a file, a URL.
    pretrained
        For a network that is not a run: its published weights, as in train.
    num_classes
        Outputs of a network that is named; by default its own.
    in_channels
        Input channels of a network that is named; by default its own.
    input_size
        Side of the square that the image is brought to, in pixels; by default the network's own.
    grid
        CSV files of numbers, one for each channel, instead of a network and an image.
    filter
        For --grid: sobel-x, sobel-y, prewitt-x, prewitt-y, laplacian, sharpen, mean, gauss,
        identity, or CSV files, one for each channel.
    stride
        For --grid: the stride of the filter.
    padding
        For --grid: the number of zeros around the grid.
    save
        File to which the recorded pass is written, with all weights and results; explain and
        intervene take it in place of the network and the image.
    """
    screen = Screen(stderr=json)
    if grid:
        unused = {
            "a network": run, "--contrast": contrast, "--trace-back": trace_back,
            "--depth": depth, "--list-layers": list_layers, "--weights": weights,
            "--pretrained": pretrained, "--save": save, "--class-names": class_names,
            "--mean": mean, "--std": std,
        }  # fmt: skip
        if found := [name for name, value in unused.items() if value]:
            raise RequestError(f"--grid explains one unit of a map; leave out {', '.join(found)}.")
        recording = record_grid(
            [read_grid(path) for path in grid],
            [find_filter(name) for name in filter or ("sobel-x",)],
            stride=stride,
            padding=padding,
        )
        _explain_grid(screen, recording, _grid_unit(at), top=top, im2col=im2col, json=json)
        return
    _refuse_what_has_no_effect(filter, stride, padding, depth=None if trace_back else depth)
    if run is None:
        raise RequestError(
            "explain takes a network and an image. Example: `convscope explain RUN photo.jpg`."
        )
    request = NetworkRequest(
        weights=weights,
        pretrained=pretrained,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        class_names=class_names,
        mean=mean,
        std=std,
        consent=Consent(model, trust),
    )
    recorded = record_or_load(run, image, request)
    for text in recorded.cautions:
        screen.say(text)
        screen.say()
    _save(screen, recorded, save)
    if list_layers:
        print_operations(screen, recorded, json=json)
        return
    subject = [run, *([str(image)] if image else [])]
    if print_boxes(screen, recorded, subject, at, contrast, trace_back=trace_back, json=json):
        return
    at = first_score(recorded) if at is None else at
    recorded = with_named_boxes(recorded, at, contrast)
    if trace_back:
        if contrast is not None:
            raise RequestError("--trace-back follows one unit; leave out --contrast.")
        print_trace(screen, recorded, at, depth=depth, top=top, json=json)
        return
    explanation = explain_recorded(recorded, at, contrast=contrast)
    print_prediction(screen, recorded)
    print_class(screen, recorded, explanation)
    print_explanation(screen, explanation, top=top, im2col=im2col, json=json)
    if not json:
        flags = {
            "--weights": weights,
            "--pretrained": pretrained,
            "--class-names": class_names,
            "--mean": mean and ",".join(map(str, mean)),
            "--std": std and ",".join(map(str, std)),
            "--model": model,
            "--trust": trust,
        }
        print_next(screen, [*subject, *_words(flags)], explanation, recorded)


def _words(flags: Mapping[str, object]) -> Iterator[str]:
    """The flags that are set, as they are written."""
    for flag, value in flags.items():
        if value:
            yield flag
            yield from [value] if isinstance(value, str) else []


def _save(screen: Screen, recorded: RecordedImage, path: Path | None) -> None:
    if path is not None:
        recorded.save(path)
        screen.say(f"{shell_word(path)} holds the recording.")
        screen.say()


def _refuse_what_has_no_effect(
    filters: Sequence[str], stride: int, padding: int, *, depth: int | None
) -> None:
    if depth is not None:
        raise RequestError("--depth belongs to --trace-back: how many operations it goes back.")
    if filters or stride != 1 or padding:
        raise RequestError("--filter, --stride and --padding belong to --grid, a file of numbers.")


def _explain_grid(
    screen: Screen,
    recording: Recording,
    unit: tuple[int, int, int],
    *,
    top: int | None,
    im2col: bool,
    json: bool,
) -> None:
    """The whole map with the unit marked, and the unit's arithmetic."""
    explanation = recording.explain("map", unit)
    values = cast("list[list[float]]", recording["map"].tensor[0, 0].tolist())
    if json:
        print_json(explanation.to_dict(max_terms=top) | {"map": values})
        return
    screen.show(map_text(values, unit[1:]) + "\n")
    print_explanation(screen, explanation, top=top, im2col=im2col, json=False)


def _grid_unit(at: str | None) -> tuple[int, int, int]:
    try:
        row, column = (int(number) for number in (at or "0,0").strip("[]").split(",")[-2:])
    except ValueError as error:
        raise RequestError(f"--at {at!r} names no unit of a grid. Give ROW,COLUMN.") from error
    return 0, row, column
