"""Wrappers of a network that change how it runs and not what it computes.

`torch.compile` compiles a network, DataParallel and DistributedDataParallel run it on several
devices. A recording runs what is inside, under the names that it has without the wrapper.
"""

import sys
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import RLock
from typing import Any, cast

import torch
from torch import nn


def unwrapped(net: nn.Module) -> nn.Module:
    """The network inside all wrappers."""
    while (attribute := _attribute_of(net)) is not None:
        net = getattr(net, attribute)
    return net


def modules_by_path(net: nn.Module) -> dict[str, nn.Module]:
    """All modules but wrappers, by the path that they would have without wrappers."""
    wrappers: list[tuple[str, str]] = []
    modules: dict[str, nn.Module] = {}
    for path, module in dict[str, nn.Module](net.named_modules()).items():
        attribute = _attribute_of(module)
        if attribute is not None:
            wrappers.append((path, attribute))
            continue
        for outer, inside in reversed(wrappers):
            prefix = f"{outer}.{inside}"
            if path == prefix or path.startswith(f"{prefix}."):
                path = outer + path.removeprefix(prefix)  # noqa: PLW2901
        modules[path] = module
    return modules


@contextmanager
def eager(net: nn.Module) -> Generator[None]:
    """Compile nothing and use one device while the block runs."""
    with _NOTHING_COMPILED, ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        for module in net.modules():
            attribute = _attribute_of(module)
            if attribute is not None:
                stack.enter_context(_set(module, "forward", getattr(module, attribute)))
                warnings.filterwarnings("ignore", "Using `torch.compile.*global hooks")
            if vars(module).get("_compiled_call_impl") is not None:  # by `module.compile()`
                stack.enter_context(_set(module, "_compiled_call_impl", None))
        yield


class _NothingCompiled:
    """While it is entered, compiled functions run as they were before, in every thread.

    What torch has for it is one setting of the process, so that the first recording changes it and
    the last one, of those that run at the same time, changes it back.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._running = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._start()

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._undo.close()

    def _start(self) -> None:
        if "torch._dynamo" in sys.modules:
            self._undo.enter_context(torch.compiler.set_stance("force_eager"))
            return
        compile_ = cast("Any", torch.compile)  # which imports the compiler; that takes seconds

        def compiled(*args: Any, **kwargs: Any) -> Any:
            """What the network compiles itself."""
            function: Any = compile_(*args, **kwargs)
            with self._lock:
                if torch.compile is compiled:
                    torch.compile = compile_
                    self._undo.enter_context(torch.compiler.set_stance("force_eager"))
            return function

        self._undo.callback(setattr, torch, "compile", compile_)
        torch.compile = cast("Any", compiled)


_NOTHING_COMPILED = _NothingCompiled()


def _attribute_of(module: nn.Module) -> str | None:
    """The attribute in which a wrapper has its network; None for any other module."""
    attribute = _attribute_of_class(type(module))
    is_there = attribute != "_orig_mod" or attribute in vars(module)["_modules"]
    return attribute if is_there else None


@cache
def _attribute_of_class(kind: type[nn.Module]) -> str | None:
    if issubclass(kind, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "module"
    return "_orig_mod" if kind.__module__ == "torch._dynamo.eval_frame" else None


@contextmanager
def _set(module: nn.Module, name: str, value: object) -> Generator[None]:
    before: dict[str, Any] = vars(module).copy()
    vars(module)[name] = value
    try:
        yield
    finally:
        if name in before:
            vars(module)[name] = before[name]
        else:
            vars(module).pop(name)
