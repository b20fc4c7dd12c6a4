"""`convscope export`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.json_output import print_json
from convscope.cli.options import (
    SEVERAL,
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
from convscope.cli.printed_export import print_exported
from convscope.conversion.api import export as export_model
from convscope.conversion.renamed_weights import export_weights
from convscope.errors import RequestError
from convscope.words.screen import Screen


def export(
    run: str,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    format: Annotated[tuple[str, ...], SEVERAL] = (),  # noqa: A002
    engine: str = "auto",
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    input_size: InputSize = None,
    mean: Mean = None,
    std: Std = None,
    precision: str | None = None,
    int8: Flag = False,
    calibration: Path | None = None,
    max_drop: float | None = None,
    fold_filters: Flag = False,
    batch_size: Int = 1,
    threads: Threads = None,
    suppression: str | None = None,
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
    format
        What is written: onnx, which is the default, openvino, ncnn, torch (model.pt2) or litert
        (model.tflite); or several, as onnx,torch. Each is compared with PyTorch first.
    engine
        Which engine shall run it: onnxruntime, openvino, ncnn, or auto, the fastest of those
        installed that agree.
    precision
        Of the numbers that are computed with: float32, the default, bf16, by OpenVINO on a
        processor that has it, or int8.
    int8
        Compute in 8 bits. What that costs in accuracy is measured and shown.
    calibration
        A folder of images for lower precision, in place of the run's own: one folder for each
        class, or the images alone, whose accuracy cannot be told then.
    max_drop
        Points of accuracy that lower precision may cost, by default 1; of images without classes,
        how many answers of 100 may change. In 8 bits, layers that cost too much stay in float32;
        where that does not help, nothing is written.
    fold_filters
        Take filters out that make no difference: constant ones, and exact copies of others.
    batch_size
        Images at a time, for which the engines are timed.
    suppression
        Of a network that finds objects, for images.onnx: inside, the default, which returns the
        boxes that non-maximum suppression keeps, or outside, which returns all of them.
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
        given = {
            "`format`": format,
            "`engine`": engine != "auto",
            "`class_names`": class_names,
            "`input_size`": input_size,
            "`mean`": mean,
            "`std`": std,
            "`precision`": precision,
            "`int8`": int8,
            "`calibration`": calibration,
            "`max_drop`": max_drop is not None,
            "`fold_filters`": fold_filters,
            "`batch_size`": batch_size != 1,
            "`threads`": threads,
            "`suppression`": suppression,
            "`web`": web,
            "`web_runtime`": web_runtime,
            "`license`": license,
            "`private`": private,
        }
        _refuse(name for name, value in given.items() if value)
        source = (model, trust, weights, pretrained)
        _weights_alone(run, output, names, source, json=json)
        return
    exported = export_model(
        run,
        output,
        format=format or None,
        engine=engine,
        model=model,
        trust=trust,
        weights=weights,
        pretrained=pretrained,
        class_names=class_names,
        input_size=input_size,
        mean=mean,
        std=std,
        precision=precision,
        int8=int8,
        calibration=calibration,
        max_drop=max_drop,
        fold_filters=fold_filters,
        batch_size=batch_size,
        threads=threads,
        suppression=suppression,
        web=web,
        web_runtime=web_runtime,
        license=license,
        private=private,
    )
    print_exported(exported, json=json)


def _refuse(flags: Iterable[str]) -> None:
    """Raises RequestError for flags that `--names` would ignore."""
    if given := [*flags]:
        raise RequestError(f"`names` writes weights alone; leave out {', '.join(given)}.")


def _weights_alone(
    run: str,
    output: str | None,
    names: str,
    source: tuple[str | None, bool, str | None, bool],
    *,
    json: bool,
) -> None:
    model, trust, weights, pretrained = source
    if output is None:
        raise RequestError("`names` needs `output`, the file to write.")
    path = export_weights(
        run, output, names, model=model, trust=trust, weights=weights, pretrained=pretrained
    )
    if json:
        print_json({"path": str(path), "names": names})
        return
    Screen().say(f"Wrote {path}, which {names}'s network loads and answers alike.")
