"""From IR to machine code, kept on the disk under everything that it depends on."""

import contextlib
import ctypes
import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import llvmlite  # pyright: ignore[reportMissingTypeStubs]
import llvmlite.binding as llvm  # pyright: ignore[reportMissingTypeStubs]
from platformdirs import user_cache_path

from convscope.lanes.ir import Target
from convscope.signals import undone_by_exit

_READY: list[bool] = []


def _prepare() -> None:
    if not _READY:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _READY.append(True)


def host_targets(*, checked: bool = False) -> dict[int, Target]:
    """What code can be written for on this processor, by the lanes of its vectors: 4, 8, 16.

    `checked` as in `Target`; so also where the environment has CONVSCOPE_LANES_CHECK=1.
    """
    checked = checked or os.environ.get("CONVSCOPE_LANES_CHECK") == "1"
    features: dict[str, bool] = dict(llvm.get_host_cpu_features())
    if features.get("avx512vl"):
        widths, registers = (4, 8, 16), 32
    elif features.get("avx2"):
        widths, registers = (4, 8), 16
    else:
        widths, registers = (4,), 32 if features.get("neon") else 16
    return {lanes: Target(lanes, registers, checked) for lanes in widths}


def host_target(*, lanes: int | None = None, checked: bool = False) -> Target:
    """The target of so many lanes; by default 8, or 4 where vectors have no more."""
    targets = host_targets(checked=checked)
    usual = targets[min(8, max(targets))]
    return usual if lanes is None else replace(usual, lanes=lanes)


def fast_targets() -> list[Target]:
    """Targets of which one is the fastest: with AVX-512 it may be 8 lanes or 16.

    Some processors compute 16 lanes as two halves, and a wider micro-batch leaves the cache sooner.
    """
    targets = host_targets()
    return [target for lanes, target in targets.items() if lanes >= min(8, max(targets))]


@dataclass(frozen=True)
class Compiled:
    """Machine code in memory, as long as this is held; `cached` tells whether it came from disk."""

    engine: Any
    cached: bool

    def address(self, name: str) -> int:
        return int(self.engine.get_function_address(name))

    def number(self, name: str) -> ctypes.c_int64:
        """A whole number of the module's own."""
        return ctypes.c_int64.from_address(int(self.engine.get_global_value_address(name)))


def compile_module(text: str, *, cache: Path | None = None) -> Compiled:
    """Compile IR for this processor, or find what was compiled from the same before.

    `cache` is a folder; the user's own cache folder where it is None.
    """
    _prepare()
    name = llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=name, features=features, opt=3, jit=True
    )
    facts = "\n".join((text, name, features, llvmlite.__version__, str(llvm.llvm_version_info)))
    folder = user_cache_path("convscope") / "lanes" if cache is None else cache
    path = folder / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.o"
    cached = _read(path)
    code = cached or _compiled(text, machine)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    if cached is None:
        _keep(path, code)
    return Compiled(engine, cached is not None)


def _compiled(text: str, machine: Any) -> bytes:
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = options.loop_vectorization = False
    options.slp_vectorization = options.loop_interleaving = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _read(path: Path) -> bytes | None:
    """The code with its digest in front; None where it is missing, cut off or altered."""
    with contextlib.suppress(OSError):
        digest, code = (data := path.read_bytes())[:32], data[32:]
        if hashlib.sha256(code).digest() == digest:
            return code
    return None


def _keep(path: Path, code: bytes) -> None:
    """Replace as a whole; a cache that cannot be written is none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with undone_by_exit(partial(os.unlink, temporary)):
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.replace(temporary, path)  # noqa: PTH105 -- replaces also on Windows
            except OSError:
                os.unlink(temporary)  # noqa: PTH108
