"""Time networks in bfloat16 as `convscope export --precision bf16` runs them against float32.

    python benchmarks/bf16.py --networks resnet50 vgg16 --batches 1

The peers: PyTorch in eager mode in float32, and in bfloat16 by `torch.autocast`, ONNX Runtime and
OpenVINO in float32, and OpenVINO on what `openvino.convert_model` makes with the same wish for
bfloat16. The networks have random weights: this measures time alone, one thread. On a processor
without bfloat16 it says so and ends, for there OpenVINO computes in float32.

Contenders take turns in short rounds; a ratio is taken within each: above 1, ours is faster.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from inference import NETWORKS, Run, eager, network, onnxruntime, openvino, seconds_of
from numpy.typing import NDArray
from rounds import machine, rotated, spread

from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import open_engine
from convscope.engines.openvino_engine import has_bf16
from convscope.zoo import default_input


def autocast(name: str) -> Run:
    net = network(name)

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return net(torch.from_numpy(images)).float().numpy()

    return run


def plain_openvino(name: str, images: torch.Tensor) -> Run:
    import openvino as runtime  # noqa: PLC0415 -- an extra

    model: Any = runtime.convert_model(network(name), example_input=images)
    model.reshape([*images.shape])
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled: Any = runtime.Core().compile_model(model, "CPU", settings)
    return lambda images: compiled([images])[0]


def measure(name: str, batch: int, rounds: int, seconds: float) -> None:
    torch.set_num_threads(1)
    channels, size = default_input(name)
    assert channels is not None
    assert size is not None
    images = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(0))
    graph = network_graph(exportable(network(name)), (channels, *size), 1000).SerializeToString()
    makers: dict[str, Callable[[], Run]] = {
        "ours, bf16": lambda: open_engine("openvino", graph, threads=1, precision="bf16"),
        "PyTorch, float32": lambda: eager(network(name)),
        "PyTorch, autocast bf16": lambda: autocast(name),
        "onnxruntime, float32": lambda: onnxruntime(network(name), images, 1),
        "openvino, float32": lambda: openvino(network(name), images, 1),
        "openvino, bf16": lambda: plain_openvino(name, images),
    }
    contenders = {each: make() for each, make in makers.items()}
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for turn in range(rounds):
        for contender in rotated([*contenders], turn):
            times[contender].append(seconds_of(contenders[contender], images.numpy(), seconds))
    print(f"{name}, batch {batch}", flush=True)
    for contender, values in times.items():
        ratios = [one / mine for one, mine in zip(values, times["ours, bf16"], strict=True)]
        told = spread([1000 * value for value in values], ".2f")
        print(f"  {contender:24} {told:26} ms; / ours {spread(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a contender in a round")
    args = parser.parse_args()
    print(f"{machine()}\n{args.rounds} rounds, median [min-max]\n")
    if not has_bf16():
        sys.exit("This processor has no arithmetic in bfloat16, by OpenVINO's account.")
    for name in args.networks:
        for batch in args.batches:
            measure(name, batch, args.rounds, args.seconds)


if __name__ == "__main__":
    main()
