"""Time networks in 8 bits as `convscope export --int8` writes them against four other ways.

    python benchmarks/int8.py --networks resnet50 mobilenet_v3_large --batches 1

Ours is the faster of what `--int8` tries: ONNX Runtime, and OpenVINO with numbers rounded
everywhere or at the inputs of layers alone. The peers: PyTorch in eager mode and OpenVINO in
float32, ONNX Runtime in float32, and ONNX Runtime's `quantize_static` with its defaults. The
networks have random weights and are calibrated on noise: this measures time alone, one thread.

Contenders take turns in short rounds; a ratio is taken within each: above 1, ours is faster.
"""

import argparse
import statistics
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from inference import NETWORKS as IN_FLOAT
from inference import Run, eager, network, onnxruntime, openvino, seconds_of
from numpy.typing import NDArray
from rounds import machine, rotated, spread

from convscope.conversion.network_graph import INPUT, exportable, network_graph
from convscope.conversion.quantization import Placement, Quantizer
from convscope.engines import EngineName, open_engine
from convscope.zoo import default_input

Images = NDArray[np.float32]
NETWORKS = (*IN_FLOAT, "mobilenet_v3_small", "efficientnet_b0")

OURS: dict[str, tuple[EngineName, Placement]] = {
    "onnxruntime, everywhere": ("onnxruntime", "everywhere"),
    "openvino, everywhere": ("openvino", "everywhere"),
    "openvino, layers": ("openvino", "layers"),
}


def ours(graph: Any, batches: list[Images]) -> dict[str, Run]:
    quantizer = Quantizer.calibrate(graph, batches)
    return {
        name: open_engine(
            engine, quantizer.quantize(placement=placement).SerializeToString(), threads=1
        )
        for name, (engine, placement) in OURS.items()
    }


def static_defaults(graph: Any, batches: list[Images]) -> Run:
    """What `quantize_static` writes for the same graph with nothing else set."""
    library: Any = import_module("onnxruntime.quantization")

    class Reader(library.CalibrationDataReader):  # pyright: ignore[reportUntypedBaseClass]
        def __init__(self) -> None:
            self._left = [*batches]

        def get_next(self) -> dict[str, Images] | None:
            return {INPUT: self._left.pop()} if self._left else None

    with TemporaryDirectory() as folder:
        plain, rounded = str(Path(folder, "plain.onnx")), str(Path(folder, "rounded.onnx"))
        Path(plain).write_bytes(graph.SerializeToString())
        library.quantize_static(plain, rounded, Reader())
        return open_engine("onnxruntime", Path(rounded).read_bytes(), threads=1)


def measure(name: str, batch: int, rounds: int, seconds: float) -> None:
    torch.set_num_threads(1)
    channels, size = default_input(name)
    assert channels is not None
    assert size is not None
    noise = torch.Generator().manual_seed(0)
    images = torch.randn(batch, channels, *size, generator=noise)
    batches = [torch.randn(2, channels, *size, generator=noise).numpy() for _ in range(4)]
    graph = network_graph(exportable(network(name)), (channels, *size), 1000)
    contenders = ours(graph, batches) | {
        "PyTorch, float32": eager(network(name)),
        "onnxruntime, float32": onnxruntime(network(name), images, 1),
        "openvino, float32": openvino(network(name), images, 1),
        "onnxruntime, static defaults": static_defaults(graph, batches),
    }
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for turn in range(rounds):
        for contender in rotated([*contenders], turn):
            times[contender].append(seconds_of(contenders[contender], images.numpy(), seconds))
    best = min(OURS, key=lambda contender: statistics.median(times[contender]))
    print(f"{name}, batch {batch}; ours: {best}", flush=True)
    for contender, values in times.items():
        ratios = [one / mine for one, mine in zip(values, times[best], strict=True)]
        told = spread([1000 * value for value in values], ".2f")
        print(f"  {contender:30} {told:26} ms; / ours {spread(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a contender in a round")
    args = parser.parse_args()
    print(f"{machine()}\n{args.rounds} rounds, median [min-max]\n")
    for name in args.networks:
        for batch in args.batches:
            measure(name, batch, args.rounds, args.seconds)


if __name__ == "__main__":
    main()
