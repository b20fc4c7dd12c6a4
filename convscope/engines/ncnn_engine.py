"""ncnn, on the CPU."""

from pathlib import Path
from typing import Any

import ncnn  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from convscope.engines import Batch, Engine
from convscope.errors import RequestError, WorkError

_INPUT, _OUTPUT = "in0", "out0"  # as pnnx names them


def open_model(model: Path | bytes, *, threads: int) -> Engine:
    """Open ncnn's .param, beside which its .bin stands. Raises RequestError if it is refused.

    Of a batch, one image is computed after the other: together they would take as long. Each is
    copied, for ncnn 1.0.20261020 was seen to end the process where it computed in NumPy's memory.
    """
    if isinstance(model, bytes):
        raise TypeError("ncnn opens files")
    library: Any = ncnn
    net = library.Net()
    net.opt.num_threads = threads
    for setting in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, setting, False)
    if net.load_param(str(model)) != 0 or net.load_model(str(model.with_suffix(".bin"))) != 0:
        raise RequestError(f"ncnn refuses the network {model}.")

    def run_one(image: Batch) -> Batch:
        extractor: Any = net.create_extractor()
        extractor.input(_INPUT, library.Mat(image).clone())
        output: Any
        status, output = extractor.extract(_OUTPUT)
        if status != 0:
            raise WorkError(f"ncnn could not compute the network {model}.")
        return np.array(output, np.float32).reshape(-1)

    def run(images: Batch, /) -> Batch:
        return np.stack([run_one(np.ascontiguousarray(image)) for image in images])

    return run
