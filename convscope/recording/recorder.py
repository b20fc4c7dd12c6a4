"""Run a network once and note every operation: what it computed, from what, and where."""

import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from convscope.recording.kinds import OVERWRITTEN
from convscope.recording.operation import IMAGE, replaced, tensors_in
from convscope.recording.raw_operation import FIRST, Noted, Pass, Taken, Write, named
from convscope.recording.retention import Changes, Held, State, memory, same_dice, written_by
from convscope.recording.signatures import kind_of

Wanted = Callable[[str, str], bool]
"""Whether to keep what an operation gave, from the module that called it and its kind."""


def run_once(net: nn.Module, image: Tensor, *, wanted: Wanted) -> Pass:
    """Run the network as it is over `image` (1, c, h, w), without gradients; leave it as it was.

    Kept are the image, the results that are `wanted`, and what those were computed from. The image
    must be no one else's, for the network may write to it.
    """
    recorder = _Recorder(net, image, wanted)
    try:
        with (
            torch.inference_mode(mode=False),
            torch.no_grad(),
            same_dice(recorder.state.tensors.values()),
            recorder.watching(),
            recorder,
        ):
            answer = net(image)
    finally:
        recorder.state.put_back(recorder.held.before_change)
    return recorder.passed(answer)


class _Recorder(TorchFunctionMode):
    """Sees every function of torch that is called, and in which module's forward."""

    def __init__(self, net: nn.Module, image: Tensor, wanted: Wanted) -> None:
        super().__init__()
        self.modules = dict[str, nn.Module](net.named_modules())
        self.paths = {id(module): path for path, module in self.modules.items()}
        self.wanted = wanted
        self.noted: list[Noted] = []
        self.held = Held()
        self.state = State(self.modules)
        self.changes = Changes(self._changing)
        self.stack: list[tuple[str, int]] = []
        self.calls = 0
        self.thread = get_ident()  # the hooks are everybody's
        self.whole = 0  # how many layers of convscope's we are inside of
        self.constants = 0
        self.taken: tuple[Any, list[Taken]] = (), []  # by the layer of convscope's at hand
        # By id, which means something only while the tensor lives: the tensor, who gave it.
        self.sources: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.writers: dict[int, list[Write]] = {}  # by the memory that they wrote to
        self.written = set[int]()  # memory that the operation at hand wrote to
        self._give(image, FIRST)
        self.held.hold(FIRST, image)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Know in which module the network is."""
        enter = register_module_forward_pre_hook(self._enter)
        leave = register_module_forward_hook(self._leave, always_call=True)
        taking: list[RemovableHandle] = [
            module.register_forward_pre_hook(self._take, with_kwargs=True)
            for module in self.modules.values()
            if _is_whole(module)
        ]
        try:
            yield
        finally:
            for handle in (enter, leave, *taking):
                handle.remove()

    def _changing(self, tensor: Tensor) -> None:
        """A tensor is about to be written to."""
        self.held.before_change(tensor)
        self.state.before_change(tensor)
        self.written.add(memory(tensor))

    def _take(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A layer of convscope's is about to begin."""
        if self.whole == 1 and get_ident() == self.thread:
            self.taken = self._took(type(module).__name__, (*args, *kwargs.values()))

    def _enter(self, module: nn.Module, _inputs: object) -> None:
        if id(module) not in self.paths or get_ident() != self.thread:
            return
        self.calls += 1
        self.stack.append((self.paths[id(module)], self.calls))
        self.whole += _is_whole(module)

    def _leave(self, module: nn.Module, _inputs: object, answer: object) -> None:
        if id(module) not in self.paths or get_ident() != self.thread:
            return
        if _is_whole(module):
            if self.whole == 1 and isinstance(answer, Tensor):
                args, tensors = self.taken
                self._note(type(module).__name__, answer, module, args, {}, tensors, layer=module)
            self.whole -= 1
        self.stack.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _UNSEEN:
            return func(*args, **kwargs)
        if self.whole:
            return self._called(func, args, kwargs)
        kind = kind_of(func)
        (args_, kwargs_), tensors = self._took(kind, (args, kwargs))
        answer = self._called(func, args, kwargs)
        if isinstance(answer, Tensor):
            self._note(kind, answer, func, args_, kwargs_, tensors)
            return answer
        given = list(tensors_in(answer))
        if func is _SET_DATA:
            given = [args[0]]
        elif self.written and not given:  # `x[0] = 1` gives nothing; it changed x
            given = [t for t in tensors_in((args, kwargs)) if memory(t) in self.written][:1]
        for piece, tensor in enumerate(given):
            self._note(kind, tensor, func, args_, kwargs_, tensors, piece=piece)
        return answer

    def _called(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        written = written_by(func, args, kwargs)
        if written is None:
            with self.changes:
                return func(*args, **kwargs)
        for tensor in written:
            self._changing(tensor)
        return func(*args, **kwargs)

    def _took(self, kind: str, values: Any) -> tuple[Any, list[Taken]]:
        """What an operation is about to take, a Taken for each tensor; keep what is wanted."""
        keep = self.wanted(self.stack[-1][0] if self.stack else "", kind)
        tensors: list[Taken] = []

        def one(tensor: Tensor) -> Taken:
            number = self._number(tensor)
            name = self.state.names.get(id(tensor))
            if number is None and name is None:
                self.constants += 1
                number = self._give(tensor, FIRST - self.constants)
            elif self.writers and self._is_stale(tensor, number):
                number = self._catch_up(tensor, number, name)
            if keep and number is not None:
                self.held.hold(number, tensor)
            source = str(name) if number is None else number
            tensors.append(Taken(source, tuple(tensor.shape)))
            return tensors[-1]

        self.written.clear()
        return replaced(values, one), tensors

    def _is_stale(self, tensor: Tensor, number: int | None) -> bool:
        writers = self.writers.get(memory(tensor))
        return bool(writers) and (number is None or writers[-1].number > number)

    def _catch_up(self, tensor: Tensor, number: int | None, name: str | None) -> int:
        """Note that a tensor was changed through another one that shares its memory."""
        every = self.writers[memory(tensor)]
        writes = [write for write in every if number is None or write.number > number]
        source = str(name) if number is None else number
        old, *new = Taken(source, tuple(tensor.shape)), *(w.tensor for w in writes)
        lie = [(w.offset, w.stride) for w in writes]
        own = tensor.storage_offset(), tensor.stride()
        kwargs: dict[str, Any] = dict(own=own, lie=lie)
        self._note(OVERWRITTEN, tensor, Tensor.copy_, (old, new), kwargs, [old, *new])
        return len(self.noted) - 1

    def _number(self, tensor: Tensor) -> int | None:
        found = self.sources.get(id(tensor))
        return found[1] if found and found[0]() is tensor else None

    def _give(self, tensor: Tensor, number: int) -> int:
        self.sources[id(tensor)] = weakref.ref(tensor), number
        return number

    def _note(
        self,
        kind: str,
        answer: Tensor,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Taken],
        *,
        layer: nn.Module | None = None,
        piece: int = 0,
    ) -> None:
        path, call = self.stack[-1] if self.stack else ("", 0)
        number = self._give(answer, len(self.noted))
        for place in self.written:
            if place == memory(answer):
                lies = int(answer.storage_offset()), answer.stride()
            elif place in self.state:  # as batch norm's averages
                lies = None, ()
            else:
                continue
            write = Write(number, tuple(answer.shape), *lies)
            self.writers.setdefault(place, []).append(write)
        if self.wanted(path, kind):
            self.held.hold(number, answer)
        shape = tuple(answer.shape)
        self.noted.append(
            Noted(kind, path, call, layer, function, args, kwargs, tensors, shape, piece)
        )

    def passed(self, answer: object) -> Pass:
        """Everything that was noted, with names."""
        parents = {path for path, module in self.modules.items() if _has_parts(module)}
        operations, names = named(self.noted, parents, constants=self.constants)
        numbers = [self._number(tensor) for tensor in tensors_in(answer)]
        known = [names[number] for number in numbers if number is not None]
        last = operations[-1].name if operations else IMAGE
        results = {names[number]: tensor for number, tensor in self.held.tensors.items()}
        return Pass(tuple(operations), results, self.state.tensors, known[0] if known else last)


def _has_parts(module: nn.Module) -> bool:
    """Whether a module is made of others; what computes its parameters is none of them."""
    return any(name != "parametrizations" for name, _ in module.named_children())


def _is_whole(module: nn.Module) -> bool:
    """Whether a module counts as one operation: the papers' own, which torch.nn has not."""
    return type(module).__module__.startswith("convscope.layers.")


_SET_DATA: Any = cast("Any", Tensor.data).__set__
_UNSEEN = frozenset(
    [getattr(Tensor, name).__get__ for name in ("shape", "device", "dtype", "ndim", "is_cuda")]
)
"""What tells facts of a tensor and gives none."""
