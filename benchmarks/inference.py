"""Time networks as `convscope export` writes them against seven other ways to run them.

    python benchmarks/inference.py --networks resnet50 vgg16 --batches 1 --threads 1 --keep exported

Ours is the engine that `export` chose for the batch and the threads. The peers: PyTorch in eager
mode, channels-last, compiled (needs a C++ compiler); ONNX Runtime on what a plain
`torch.onnx.export` wrote, OpenVINO on `openvino.convert_model`, and ncnn on what pnnx wrote, each
with the threads and float32 set and everything else as it comes; of 32 images, ncnn, which
knows no batch, gets one after the other. What is not installed is left out.

Contenders take turns in short rounds, in each at least `--seconds` and two batches. A ratio is
taken within each round: above 1, ours is faster. The networks have random weights.

With `--keep`, what was exported is used again by the next run; `--rounds 0` only prepares.
"""

import argparse
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rounds import machine, rotated, spread
from torch import nn

import convscope
from convscope.engines.splits import open_split
from convscope.exported.folder import ExportedModel
from convscope.zoo import create_model, default_input

NETWORKS = (
    "lenet5", "squeezenet1_1", "mobilenet_v3_large", "resnet18", "resnet50", "vgg16", "densenet121",
)  # fmt: skip
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def ours(name: str, folder: Path, batch: int, threads: int) -> Run:
    """The exported network, by the engine that was chosen for the batch and the threads."""
    path = folder / f"{name}-{batch}-{threads}"
    if not path.exists():
        size = default_input(name)[1]
        convscope.export(network(name), path, input_size=size, batch_size=batch, threads=threads)
    exported = ExportedModel.open(path)
    engine = exported.manifest["engines"][0]
    split = exported.split(engine)
    print(f"  ours: {engine}{f', {split}' if split else ''}", flush=True)
    return open_split(engine, exported.file(engine), threads=threads, batch_size=batch, split=split)


def eager(net: nn.Module, *, channels_last: bool = False, compiled: bool = False) -> Run:
    form = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=form)  # pyright: ignore[reportCallIssue]
    call: Any = torch.compile(net) if compiled else net

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return call(torch.from_numpy(images).to(memory_format=form)).numpy()

    return run


def onnxruntime(net: nn.Module, images: torch.Tensor, threads: int) -> Run:
    with TemporaryDirectory() as folder:
        path = Path(folder, "plain.onnx")
        write_plain(net, images, path)
        return open_plain(path, threads)


def write_plain(net: nn.Module, images: torch.Tensor, path: Path) -> None:
    """What a plain `torch.onnx.export` writes."""
    torch.onnx.export(net, (images,), str(path), dynamo=True, verbose=False, external_data=False)


def open_plain(path: Path, threads: int) -> Run:
    """ONNX Runtime with the threads set, and everything else as it comes."""
    import onnxruntime as runtime  # noqa: PLC0415 -- an extra

    options: Any = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def openvino(net: nn.Module, images: torch.Tensor, threads: int) -> Run:
    import openvino as runtime  # noqa: PLC0415 -- an extra

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    model: Any = runtime.convert_model(net, example_input=images)
    model.reshape([*images.shape])
    compiled: Any = runtime.Core().compile_model(model, "CPU", settings)
    return lambda images: compiled([images])[0]


def ncnn(net: nn.Module, images: torch.Tensor, threads: int) -> Run:
    import ncnn as runtime  # noqa: PLC0415 -- an extra
    import pnnx  # noqa: PLC0415

    command = Path(pnnx.__file__).parent / "pnnx"
    with TemporaryDirectory() as folder:
        torch.jit.trace(net, images[:1]).save(f"{folder}/net.pt")
        shape = ",".join(map(str, images[:1].shape))
        subprocess.run([command, "net.pt", f"inputshape=[{shape}]", "fp16=0"],
                       cwd=folder, check=True, capture_output=True)  # fmt: skip
        loaded: Any = runtime.Net()
        loaded.opt.num_threads = threads
        loaded.opt.use_fp16_packed = loaded.opt.use_fp16_storage = False
        loaded.opt.use_fp16_arithmetic = False
        loaded.load_param(f"{folder}/net.ncnn.param")
        loaded.load_model(f"{folder}/net.ncnn.bin")

    def one(image: NDArray[np.float32]) -> NDArray[np.float32]:
        extractor = loaded.create_extractor()
        extractor.input("in0", runtime.Mat(image))
        return np.array(extractor.extract("out0")[1]).reshape(-1)

    return lambda images: np.stack([one(image) for image in images])


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, num_classes=1000).eval()


def peers(
    name: str, args: argparse.Namespace, images: torch.Tensor, threads: int
) -> dict[str, Run]:
    """The other ways to run the network that are installed."""
    makers: dict[str, Callable[[], Run]] = {
        "eager": lambda: eager(network(name)),
        "channels-last": lambda: eager(network(name), channels_last=True),
        "compiled": lambda: eager(network(name), compiled=True),
        "onnxruntime": lambda: onnxruntime(network(name), images, threads),
        "openvino": lambda: openvino(network(name), images, threads),
        "ncnn": lambda: ncnn(network(name), images, threads),
    }
    missing = {each for each in ("onnxruntime", "openvino", "ncnn") if find_spec(each) is None}
    if find_spec("pnnx") is None:
        missing.add("ncnn")
    if shutil.which("g++") is None:
        missing.add("compiled")
    wanted = args.only or [*makers]
    return {each: makers[each]() for each in makers if each in wanted and each not in missing}


def seconds_of(run: Run, images: NDArray[np.float32], seconds: float) -> float:
    """The median time of a batch; the first, in which caches fill, is not counted."""
    run(images)
    times: list[float] = []
    while len(times) < 2 or sum(times) < seconds:
        began = time.perf_counter()
        run(images)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(name: str, args: argparse.Namespace, folder: Path, batch: int, threads: int) -> None:
    torch.set_num_threads(threads)
    channels, size = default_input(name)
    images = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(0))
    print(f"{name}, batch {batch}, {threads} threads", flush=True)
    contenders = {"ours": ours(name, folder, batch, threads)}
    contenders |= peers(name, args, images, threads)
    expected = network(name)(images).detach().numpy()
    for contender, run in contenders.items():
        off = float(np.abs(run(images.numpy()) - expected).max() / np.abs(expected).max())
        if off > 1e-3:
            print(f"  {contender} answers differently than PyTorch: by {off:.1e}")
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for turn in range(args.rounds):
        for contender in rotated([*contenders], turn):
            times[contender].append(seconds_of(contenders[contender], images.numpy(), args.seconds))
    if not args.rounds:
        return
    for contender, values in times.items():
        ratios = [one / mine for one, mine in zip(values, times["ours"], strict=True)]
        told = spread([1000 * value for value in values], ".2f")
        print(f"  {contender:14} {told:26} ms; / ours {spread(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", help="of the peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a contender in a round")
    parser.add_argument("--keep", type=Path, help="folder of what is exported")
    args = parser.parse_args()
    print(f"{machine()}\n{args.rounds} rounds, median [min-max]\n")
    with TemporaryDirectory() as temporary:
        for name in args.networks:
            for batch in args.batches:
                for threads in args.threads:
                    measure(name, args, args.keep or Path(temporary), batch, threads)


if __name__ == "__main__":
    main()
