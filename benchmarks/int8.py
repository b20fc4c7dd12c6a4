"""Time networks in 8 bits as `convscope export --int8` writes them against four other ways.

    python benchmarks/int8.py --networks resnet50 mobilenet_v3_large --batches 1 --keep quantized

Ours is the faster of what `--int8` tries: ONNX Runtime, and OpenVINO with numbers rounded
everywhere or at the inputs of layers alone. The peers: PyTorch in eager mode and OpenVINO in
float32, ONNX Runtime in float32, and ONNX Runtime's `quantize_static` with its defaults. The
networks have random weights and are calibrated on noise: this measures time alone, one thread.
With `--keep`, what was quantized is used again by the next run; `--rounds 0` only prepares.

Contenders take turns in short rounds; a ratio is taken within each: above 1, ours is faster.
"""

import argparse
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from inference import NETWORKS as IN_FLOAT
from inference import Run, eager, network, open_plain, openvino, seconds_of, write_plain
from numpy.typing import NDArray
from rounds import environment, machine, rotated, spread

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


PLAIN, DEFAULTS = "plain", "defaults"


def prepare(name: str, folder: Path) -> None:
    """Write the network in float32 and as each contender in ONNX has it, unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / DEFAULTS).exists():
        return
    channels, size = default_input(name)
    assert channels is not None
    assert size is not None
    noise = torch.Generator().manual_seed(0)
    batches = [torch.randn(2, channels, *size, generator=noise).numpy() for _ in range(4)]
    write_plain(network(name), torch.from_numpy(batches[0][:1]), folder / PLAIN)
    graph = network_graph(exportable(network(name)), (channels, *size), 1000)
    quantizer = Quantizer.calibrate(graph, batches)
    for _, placement in OURS.values():
        rounded = quantizer.quantize(placement=placement)
        (folder / placement).write_bytes(rounded.SerializeToString())
    static_defaults(graph.SerializeToString(), batches, folder / DEFAULTS)


def static_defaults(graph: bytes, batches: list[Images], path: Path) -> None:
    """What `quantize_static` writes for the same graph with nothing else set."""
    library: Any = import_module("onnxruntime.quantization")

    class Reader(library.CalibrationDataReader):  # pyright: ignore[reportUntypedBaseClass]
        def __init__(self) -> None:
            self._left = [*batches]

        def get_next(self) -> dict[str, Images] | None:
            return {INPUT: self._left.pop()} if self._left else None

    plain = path.with_name("graph")
    plain.write_bytes(graph)
    library.quantize_static(str(plain), str(path), Reader())


def survives(engine: EngineName, file: str, folder: Path) -> bool:
    """Whether a process that opens the network lives: OpenVINO 2026.4.1 ends one by DenseNet-121,
    and `--int8` then takes another way.
    """
    code = "import sys; from pathlib import Path; from convscope.engines import open_engine; "
    code += "open_engine(sys.argv[1], Path(sys.argv[2]).read_bytes(), threads=1)"
    command = [sys.executable, "-c", code, engine, str(folder / file)]
    ended = subprocess.run(command, env=environment(), stderr=subprocess.DEVNULL, check=False)
    return ended.returncode == 0


def contenders_of(name: str, folder: Path, images: torch.Tensor) -> dict[str, Run]:
    """Ours and the peers, by what they are called."""

    def opened(engine: EngineName, file: str) -> Run:
        return open_engine(engine, (folder / file).read_bytes(), threads=1)

    ways = {contender: way for contender, way in OURS.items() if survives(*way, folder)}
    return {contender: opened(*way) for contender, way in ways.items()} | {
        "PyTorch, float32": eager(network(name)),
        "onnxruntime, float32": open_plain(folder / PLAIN, 1),
        "openvino, float32": openvino(network(name), images, 1),
        "onnxruntime, static defaults": opened("onnxruntime", DEFAULTS),
    }


def measure(name: str, args: argparse.Namespace, folder: Path, batch: int) -> None:
    torch.set_num_threads(1)
    prepare(name, folder)
    if not args.rounds:
        return
    channels, size = default_input(name)
    images = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(0))
    contenders = contenders_of(name, folder, images)
    expected = contenders["PyTorch, float32"](images.numpy())
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for turn in range(args.rounds):
        for contender in rotated([*contenders], turn):
            times[contender].append(seconds_of(contenders[contender], images.numpy(), args.seconds))
    best = min(OURS.keys() & times, key=lambda contender: statistics.median(times[contender]))
    print(f"{name}, batch {batch}; ours: {best}", flush=True)
    for contender, values in times.items():
        ratios = [one / mine for one, mine in zip(values, times[best], strict=True)]
        told = spread([1000 * value for value in values], ".2f")
        found = contenders[contender](images.numpy())
        off = float(np.abs(found - expected).max() / np.abs(expected).max())
        print(f"  {contender:30} {told:26} ms; / ours {spread(ratios)}; off {off:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a contender in a round")
    parser.add_argument("--keep", type=Path, help="folder of what is quantized")
    args = parser.parse_args()
    print(f"{machine()}\n{args.rounds} rounds, median [min-max]\n")
    with TemporaryDirectory() as temporary:
        for name in args.networks:
            for batch in args.batches:
                measure(name, args, (args.keep or Path(temporary)) / name, batch)


if __name__ == "__main__":
    main()
