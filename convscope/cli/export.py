"""`convscope export`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.int8_table import int8_lines, int8_table
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    ClassNames,
    Flag,
    InputSize,
    Int,
    Json,
    Mean,
    OwnCode,
    PretrainedWeights,
    Published,
    Std,
    Threads,
    Trust,
)
from convscope.conversion.api import Exported
from convscope.conversion.api import export as export_model
from convscope.conversion.renamed_weights import export_weights
from convscope.errors import RequestError, shell_word
from convscope.words.screen import Screen, cell


def export(
    run: str,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    engine: str = "auto",
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    input_size: InputSize = None,
    mean: Mean = None,
    std: Std = None,
    int8: Flag = False,
    calibration: Path | None = None,
    max_drop: float | None = None,
    batch_size: Int = 1,
    threads: Threads = None,
    web: Flag = False,
    web_runtime: Path | None = None,
    license: str | None = None,  # noqa: A002
    private: Flag = False,
    names: str | None = None,
    json: Json = False,
) -> None:
    """Write a network for other programs, as ONNX, once it was seen to answer as PyTorch does.

    Parameters
    ----------
    run
        A run folder, or a network as for predict.
    output
        The folder to write; by default `exported` in the folder of the run, with which predict
        classifies images from then on. hf://user/name is a repository on the Hugging Face hub.
    engine
        Which engine shall run it: onnxruntime, openvino, ncnn, or auto, the fastest of those
        installed that agree.
    int8
        Compute in 8 bits. What that costs in accuracy is measured and shown.
    calibration
        A folder of images for --int8, one folder for each class, in place of the run's own.
    max_drop
        Points of accuracy that --int8 may cost, by default 1. Layers that cost too much stay in
        float32; where that does not help, nothing is written.
    batch_size
        Images at a time, for which the engines are timed.
    web
        Add a page that classifies images in the browser; npm brings ONNX Runtime Web for it.
    web_runtime
        The folder of the npm package onnxruntime-web, where npm shall bring nothing.
    license
        Of a repository on the hub: apache-2.0, mit, or another that the hub lists.
    private
        Let nobody else see a new repository on the hub.
    names
        torchvision or timm: write the weights alone, into the file OUTPUT, safetensors that this
        library's network loads with strict=True.
    """
    if names is not None:
        if output is None:
            raise RequestError("--names needs --output, the file to write.")
        if web or web_runtime or license or private:
            raise RequestError("--names writes weights alone; leave out --web and --license.")
        path = export_weights(
            run,
            output,
            names,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
        )
        Screen().say(f"Wrote {path}, which {names}'s network loads and answers alike.")
        return
    exported = export_model(
        run,
        output,
        engine=engine,
        model=model,
        trust=trust,
        weights=weights,
        pretrained=pretrained,
        class_names=class_names,
        input_size=input_size,
        mean=mean,
        std=std,
        int8=int8,
        calibration=calibration,
        max_drop=max_drop,
        batch_size=batch_size,
        threads=threads,
        web=web,
        web_runtime=web_runtime,
        license=license,
        private=private,
    )
    if json:
        print_json(_facts(exported))
        return
    screen = Screen()
    screen.print(int8_table(exported) if exported.precision == "int8" else _table(exported))
    for line in int8_lines(exported):
        screen.say(line)
    if exported.url:
        screen.say(f"Sent {exported.path} to {exported.url}.")
    else:
        path = shell_word(exported.path)
        screen.say(f"Wrote {exported.path}. Next: convscope predict {path} IMAGE")
    if exported.page is not None:
        folder = shell_word(exported.page)
        screen.say(
            f"The page: python -m http.server 8000 --bind 127.0.0.1 --directory {folder}, "
            "then open http://localhost:8000"
        )
    errors = Screen(stderr=True)
    for note in exported.notes:
        errors.say(in_flags(note))


def _facts(exported: Exported) -> dict[str, object]:
    return {
        "path": str(exported.path),
        "url": exported.url,
        "engine": exported.engine,
        "engines": {one.engine: one.to_dict() for one in exported.candidates},
        "page": None if exported.page is None else str(exported.page),
        "notes": [in_flags(note) for note in exported.notes],
    }


def _table(exported: Exported) -> Table:
    table = Table("engine", box=None, pad_edge=False)
    titles = ("p50", "p95", "rounds", "images/s", "load", "memory", "size", "difference")
    for title in (*titles, "from files"):
        table.add_column(title, justify="right")
    for candidate in exported.candidates:
        times, parity, costs = candidate.times, candidate.parity, candidate.footprint
        assert times is not None  # it agrees, and so it was timed
        assert parity is not None
        assert costs is not None
        cells = [
            candidate.engine,
            f"{times.p50 * 1000:.2f} ms",
            f"{times.p95 * 1000:.2f} ms",
            f"{times.fastest_round * 1000:.2f}-{times.slowest_round * 1000:.2f} ms",
            f"{times.rate:.0f}",
            f"{costs.load:.2f} s",
            "" if costs.memory is None else f"{costs.memory / 1e6:.0f} MB",
            f"{costs.size / 1e6:.1f} MB",
            f"{parity.logits:.0e}",
            f"{parity.end_to_end:.0e}",
        ]
        table.add_row(*map(cell, cells))
    return table
