"""Exports in little time: engines are timed briefly here, and tests/engines tests their timing."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convscope.conversion import bf16, candidates, int8
from convscope.engines import EngineName, files_of, footprint, timing


@pytest.fixture(scope="module", autouse=True)
def brief_measurements() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "ROUNDS", 2)
        patch.setattr(timing, "_SECONDS", 0.01)
        for module in (candidates, int8, bf16):
            patch.setattr(module, "measure_footprint", _footprint)
        yield


@pytest.fixture(scope="module", autouse=True)
def parsed_once() -> Iterator[None]:
    """What PyTorch's exporter parses anew at each export, for over a second, parsed once."""
    registration = pytest.importorskip("torch.onnx._internal.exporter._registration")
    apis = registration.onnxscript_apis
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apis, "get_torchlib_ops", _cached(apis.get_torchlib_ops))
        yield


@functools.cache
def _cached(function: Any) -> Any:
    return functools.cache(function)


def _footprint(name: EngineName, path: Path, **settings: Any) -> footprint.Footprint:
    """Seconds and memory of the first network, for the next ones too; the size of the file."""
    size = sum((path.parent / file).stat().st_size for file in files_of(name))
    if name not in _FIRST:
        _FIRST[name] = footprint.measure_footprint(name, path, **settings)
    return replace(_FIRST[name], size=size)


_FIRST: dict[str, footprint.Footprint] = {}
