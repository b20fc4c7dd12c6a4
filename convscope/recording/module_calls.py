"""Which module of a network is running."""

from collections.abc import Mapping
from threading import get_ident

from torch import nn
from torch._ops import OpOverload

from convscope.recording.programs import Program, as_program


class ModuleCalls:
    """The calls of modules, numbered in order, and those that are running now."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._paths = {id(module): path for path, module in modules.items()}
        self._stack: list[tuple[str, int]] = []
        self._programs: list[tuple[str, Program | None]] = []  # of the modules in the stack
        self._count = 0
        self._entered = set[str]()
        self._thread = get_ident()  # the hooks are global: other threads call them too

    def is_followed(self, module: nn.Module) -> bool:
        """Whether a module belongs to the network and runs in the recorded thread."""
        return id(module) in self._paths and get_ident() == self._thread

    @property
    def running(self) -> tuple[str, int]:
        """The path of the module that is running, and the number of its call."""
        return self._stack[-1] if self._stack else ("", 0)

    def enter(self, module: nn.Module) -> None:
        path = self._paths[id(module)]
        self._stack.append(self._new(path))
        self._programs.append((path, as_program(module)))

    def leave(self) -> int:
        """The number of the call that ends."""
        self._programs.pop()
        return self._stack.pop()[1]

    def _new(self, path: str) -> tuple[str, int]:
        self._count += 1
        self._entered.add(path)
        return path, self._count

    def follow(self, function: OpOverload) -> None:
        """An exported program runs an operator: enter the module that called it originally."""
        prefix, program = self._programs[-1] if self._programs else ("", None)
        caller = program and program.caller_of(function)
        if program is None or caller is None:
            return
        path = ".".join(filter(None, (prefix, caller[0])))
        if caller[1] not in program.calls:
            program.calls[caller[1]] = self._new(path)[1]
        self._stack[-1] = path, program.calls[caller[1]]

    def parents(self) -> set[str]:
        """The paths of modules of which parts ran; what computes their parameters is no part."""
        parents = set[str]()
        for path in self._entered:
            if "parametrizations" in path.split("."):
                continue
            parent = path.rpartition(".")[0]
            while parent and parent not in parents:
                parents.add(parent)
                parent = parent.rpartition(".")[0]
        return parents
