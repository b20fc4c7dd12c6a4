"""OpenVINO, on the CPU."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import openvino

from convscope.engines import Batch, Engine, reason_of
from convscope.errors import RequestError

_opening = Lock()


def open_model(
    model: Path | bytes, *, threads: int, batch_size: int = 1, precision: str = "float32"
) -> Engine:
    """Open OpenVINO's .xml, an ONNX file or its bytes. Raises RequestError if it is refused.

    Float32 stays float32: by default OpenVINO computes in bfloat16 where the processor can. With
    the precision bf16 it does, and in float32 where the processor cannot.

    A network for one image alone is faster than one for any number. For one there is one of its
    own, so, and the other follows where it is needed.
    """
    network = _read(model)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if batch_size > 1:
        return _engine(_compiled(network, precision, settings))
    return _of_one(
        _engine(_compiled(_for_one(network), precision, settings)),
        lambda: _engine(_compiled(network, precision, settings)),
    )


def open_workers(
    model: Path, *, count: int, batch_size: int, precision: str = "float32"
) -> Sequence[Engine]:
    """Engines of one thread each, which may be called at the same time and share the weights."""
    network = _read(model)
    settings = {"INFERENCE_NUM_THREADS": count, "NUM_STREAMS": count}
    compiled = _compiled(_for_one(network) if batch_size == 1 else network, precision, settings)
    return [_engine(compiled) for _ in range(count)]


def _of_one(one: Engine, open_any: Callable[[], Engine]) -> Engine:
    """An engine for one image, and at the first need another for any number."""
    others: list[Engine] = []

    def run(images: Batch, /) -> Batch:
        if len(images) == 1:
            return one(images)
        if not others:
            others.append(open_any())
        return others[0](images)

    return run


def _read(model: Path | bytes) -> Any:
    core: Any = openvino.Core()
    try:
        return core.read_model(model if isinstance(model, bytes) else str(model))
    except Exception as error:
        raise RequestError(f"OpenVINO refuses the network: {reason_of(error)}") from error


def _for_one(network: Any) -> Any:
    copied = network.clone()
    (_, *sides) = copied.input(0).get_partial_shape()
    copied.reshape([1, *sides])
    return copied


def _compiled(network: Any, precision: str, settings: dict[str, Any]) -> Any:
    core: Any = openvino.Core()
    always = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "ENABLE_CPU_PINNING": False,
    }
    try:
        return core.compile_model(network, "CPU", {**always, **settings})
    except Exception as error:
        raise RequestError(f"OpenVINO refuses the network: {reason_of(error)}") from error


def _engine(compiled: Any) -> Engine:
    request: Any = compiled.create_infer_request()
    _prepare_binding()

    def run(images: Batch, /) -> Batch:
        request.infer([images], share_inputs=True)
        return request.get_output_tensor(0).data.copy()

    return run


def _prepare_binding() -> None:
    """Have OpenVINO's binding build its table of types, which the first inference would.

    Two threads that each begin with their first inference were seen to wait for each other for good
    (2026.4.1): one, at the table, wanted Python's lock, and the other held it and wanted the table.
    """
    with _opening:
        openvino.Type.f32.to_dtype()


def has_bf16() -> bool:
    """Whether the processor computes in bfloat16, by OpenVINO's account.

    Where it does not, OpenVINO takes the wish for bfloat16 without a word, and computes in float32,
    or with AVX-512 in bfloat16 by several instructions for one (2026.4.1).
    """
    core: Any = openvino.Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
