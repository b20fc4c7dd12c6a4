"""Run a network once and record every operation: what it computed, from what, and where."""

import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._ops import OpOverload, OpOverloadPacket
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from convscope.recording.aten import form_of, overload_of
from convscope.recording.kinds import INPLACE_UPDATE
from convscope.recording.model_state import ModelState
from convscope.recording.operation import IMAGE, map_nested, tensors_in
from convscope.recording.parts import PARTS
from convscope.recording.programs import Program, as_program
from convscope.recording.raw_operation import (
    IMAGE_NUMBER,
    ForwardPass,
    RawOperation,
    TensorRef,
    Write,
    name_operations,
)
from convscope.recording.retention import (
    MutationTracker,
    RetainedTensors,
    preserve_rng,
    storage_id,
)
from convscope.recording.signatures import kind_of
from convscope.recording.wrappers import eager, modules_by_path, unwrapped

ShouldKeep = Callable[[str, str], bool]
"""Whether to keep the result of an operation, given the module that called it and its kind."""


def run_once(net: nn.Module, image: Tensor, *, should_keep: ShouldKeep) -> ForwardPass:
    """Run the network as it is on `image` (1, c, h, w), without gradients; leave it as it was.

    Keeps the image, the results that `should_keep` asks for, and what those were computed from. The
    network may write to the image, so pass a copy.
    """
    net = unwrapped(net)
    recorder = _Recorder(net, image, should_keep)
    try:
        with (
            eager(net),
            torch.inference_mode(mode=False),
            torch.no_grad(),
            preserve_rng(recorder.state.tensors.values()),
            recorder.following_modules(),
            recorder.mutations,
            recorder,
        ):
            output = net(image)
        recorder.catch_up_with(output)
    finally:
        recorder.state.restore(recorder.retained.before_mutation)
    return recorder.finish(output)


class _Recorder(TorchFunctionMode):
    """Intercepts every function of torch that is called, and knows in which module's forward."""

    def __init__(self, net: nn.Module, image: Tensor, should_keep: ShouldKeep) -> None:
        super().__init__()
        self.modules = modules_by_path(net)
        self.paths = {id(module): path for path, module in self.modules.items()}
        self.should_keep = should_keep
        self.operations: list[RawOperation] = []
        self.retained = RetainedTensors()
        self.state = ModelState(self.modules)
        self.mutations = MutationTracker(self._before_mutation)
        self.stack: list[tuple[str, int]] = []
        self.programs: list[tuple[str, Program | None]] = []  # of the modules in the stack
        self.calls = 0
        self.outputs: dict[int, int] = {}  # by the call of a module: what computed its output
        self.entered = set[str]()
        self.thread = get_ident()  # the hooks are global: other threads call them too
        self.opaque_depth = 0  # how many nested layers of convscope's are running
        self.constants = 0
        self.layer_inputs: tuple[Any, list[TensorRef]] = ((), [])  # of the running layer of ours
        # By id, which is unique only while the tensor lives: the tensor, and what returned it.
        self.sources: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.writers: dict[int, list[Write]] = {}  # by the storage that they wrote to
        self.last_write, self.state_was_written = -1, False
        self.written = set[int]()  # storages that the running operation wrote to
        self._register(image, IMAGE_NUMBER)
        self.retained.retain(IMAGE_NUMBER, image)

    @contextmanager
    def following_modules(self) -> Generator[None]:
        """Follow which module is running."""
        enter = register_module_forward_pre_hook(self._enter)
        leave = register_module_forward_hook(self._leave, always_call=True)
        layers: list[RemovableHandle] = [
            module.register_forward_pre_hook(self._before_layer, with_kwargs=True)
            for module in self.modules.values()
            if _is_opaque(module)
        ]
        try:
            yield
        finally:
            for handle in (enter, leave, *layers):
                handle.remove()

    def _before_mutation(self, tensor: Tensor) -> None:
        """A tensor is about to be written to."""
        self._keep_as_it_is(tensor)
        self.written.add(storage_id(tensor))

    def _keep_as_it_is(self, tensor: Tensor) -> None:
        self.retained.before_mutation(tensor)
        self.state.before_mutation(tensor)

    def _before_layer(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A layer of convscope's is about to run."""
        if self.opaque_depth == 1 and get_ident() == self.thread:
            self.layer_inputs = self._references(type(module).__name__, (*args, *kwargs.values()))

    def _enter(self, module: nn.Module, _inputs: object) -> None:
        if id(module) not in self.paths or get_ident() != self.thread:
            return
        self.calls += 1
        self.stack.append((self.paths[id(module)], self.calls))
        self.programs.append((self.paths[id(module)], as_program(module)))
        self.entered.add(self.paths[id(module)])
        self.opaque_depth += _is_opaque(module)

    def _leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        if id(module) not in self.paths or get_ident() != self.thread:
            return
        if _is_opaque(module):
            if self.opaque_depth == 1 and isinstance(output, Tensor):
                args, tensors = self.layer_inputs
                self._record(type(module).__name__, output, module, args, {}, tensors, layer=module)
            self.opaque_depth -= 1
        _, call = self.stack.pop()
        self.programs.pop()
        first = next(tensors_in(output), None)
        number = None if first is None else self._number(first)
        if first is not None and number is not None and number >= 0:
            is_own = self.operations[number].call == call
            if is_own and not self._is_stale(first, number):
                self.outputs[call] = number

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _METADATA:
            return func(*args, **kwargs)
        if self.opaque_depth:
            return func(*args, **kwargs)
        if func in PARTS:
            with self:
                return PARTS[func](*args, **kwargs)
        if isinstance(func, OpOverloadPacket):
            func = overload_of(func, args, kwargs)
        if isinstance(func, OpOverload) and self.programs:
            self._follow_program(func)
        kind = kind_of(func, args, kwargs)
        (args_, kwargs_), tensors = self._references(kind, (args, kwargs))
        if func in _RAW_MEMORY:
            self._keep_as_it_is(args[0])
        output = cast("object", func(*args, **kwargs))
        if isinstance(output, Tensor):
            self._record(kind, output, func, args_, kwargs_, tensors)
            return output
        outputs = self._outputs(func, args, kwargs, output)
        for index, tensor in enumerate(outputs):
            self._record(kind, tensor, func, args_, kwargs_, tensors, output_index=index)
        return output

    def _outputs(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: object,
    ) -> list[Tensor]:
        """What a call returned or, where it returned nothing, what it changed."""
        outputs = list(tensors_in(output))
        if isinstance(func, OpOverload):
            return outputs[: form_of(func, args, kwargs).results]
        if func == _SET_DATA:  # which is not one object
            return [args[0]]
        if self.written and not outputs:  # `x[0] = 1` returns nothing; it changed x
            return [t for t in tensors_in((args, kwargs)) if storage_id(t) in self.written][:1]
        return outputs

    def _follow_program(self, function: OpOverload) -> None:
        """An exported program runs an operator: enter the module that called it originally."""
        prefix, program = self.programs[-1]
        caller = program and program.caller_of(function)
        if program is None or caller is None:
            return
        path = ".".join(filter(None, (prefix, caller[0])))
        if caller[1] not in program.calls:
            self.calls += 1
            program.calls[caller[1]] = self.calls
            self.entered.add(path)
        self.stack[-1] = path, program.calls[caller[1]]

    def _references(self, kind: str, values: Any) -> tuple[Any, list[TensorRef]]:
        """The arguments of an operation with a TensorRef for each tensor; retain those to keep."""
        keep = self.should_keep(self.stack[-1][0] if self.stack else "", kind)
        tensors: list[TensorRef] = []

        def reference(tensor: Tensor) -> TensorRef:
            number = self._number(tensor)
            name = self.state.names.get(id(tensor))
            if number is None and name is None:
                self.constants += 1
                number = self._register(tensor, IMAGE_NUMBER - self.constants)
            elif self._is_stale(tensor, number):
                number = self._catch_up(tensor, number, name)
            if keep and number is not None:
                self.retained.retain(number, tensor)
            source = str(name) if number is None else number
            tensors.append(TensorRef(source, tuple(tensor.shape)))
            return tensors[-1]

        self.written.clear()
        return map_nested(values, reference), tensors

    def _is_stale(self, tensor: Tensor, number: int | None) -> bool:
        """Whether a tensor was written to since; without a number, a parameter or buffer."""
        if not self.state_was_written if number is None else number >= self.last_write:
            return False
        writers = self.writers.get(storage_id(tensor))
        return bool(writers) and (number is None or writers[-1].number > number)

    def _catch_up(self, tensor: Tensor, number: int | None, name: str | None) -> int:
        """Record that a tensor was changed through another one that shares its storage."""
        writers = self.writers[storage_id(tensor)]
        writes = [write for write in writers if number is None or write.number > number]
        source = str(name) if number is None else number
        old, *new = TensorRef(source, tuple(tensor.shape)), *(w.tensor for w in writes)
        kwargs: dict[str, Any] = {
            "layout": (tensor.storage_offset(), tensor.stride()),
            "written_layouts": [(write.offset, write.stride) for write in writes],
        }
        self._record(INPLACE_UPDATE, tensor, Tensor.copy_, (old, new), kwargs, [old, *new])
        return len(self.operations) - 1

    def _number(self, tensor: Tensor) -> int | None:
        known = self.sources.get(id(tensor))
        return known[1] if known and known[0]() is tensor else None

    def _register(self, tensor: Tensor, number: int) -> int:
        self.sources[id(tensor)] = weakref.ref(tensor), number
        return number

    def _record(
        self,
        kind: str,
        output: Tensor,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[TensorRef],
        *,
        layer: nn.Module | None = None,
        output_index: int = 0,
    ) -> None:
        path, call = self.stack[-1] if self.stack else ("", 0)
        number = self._register(output, len(self.operations))
        for storage in self.written:
            if storage == storage_id(output):
                layout = int(output.storage_offset()), output.stride()
            elif storage in self.state:  # as batch norm's averages
                layout = None, ()
            else:
                continue
            write = Write(number, tuple(output.shape), *layout)
            self.writers.setdefault(storage, []).append(write)
            self.last_write = number
            self.state_was_written |= storage in self.state
        if self.should_keep(path, kind):
            self.retained.retain(number, output)
        shape = tuple(output.shape)
        self.operations.append(
            RawOperation(
                kind, path, call, layer, function, args, kwargs, tensors, shape, output_index
            )
        )

    def catch_up_with(self, output: object) -> None:
        """Record what was written to the network's output through other tensors."""
        self._references("", output)

    def finish(self, output: object) -> ForwardPass:
        """Everything that was recorded, with names."""
        operations, names = name_operations(
            self.operations,
            _parents(self.entered),
            self.outputs,
            constants=self.constants,
            taken=self.state.tensors,
        )
        numbers = [self._number(tensor) for tensor in tensors_in(output)]
        known = [names[number] for number in numbers if number is not None]
        last = operations[-1].name if operations else IMAGE
        results = {names[number]: tensor for number, tensor in self.retained.tensors.items()}
        return ForwardPass(
            tuple(operations),
            results,
            self.state.tensors,
            known[0] if known else last,
            parameters=self._own(nn.Module.named_parameters),
            buffers=self._own(nn.Module.named_buffers),
        )

    def _own(self, named: Callable[..., Iterable[tuple[str, Tensor]]]) -> frozenset[str]:
        """The names of the parameters or of the buffers of all modules."""
        return frozenset(
            f"{path}.{name}" if path else name
            for path, module in self.modules.items()
            for name, _ in named(module, recurse=False)
        )


def _parents(paths: Iterable[str]) -> set[str]:
    """The paths of modules of which parts ran; what computes their parameters does not count."""
    return {
        path[:end]
        for path in paths
        if "parametrizations" not in path.split(".")
        for end, letter in enumerate(path)
        if letter == "."
    }


def _is_opaque(module: nn.Module) -> bool:
    """Whether a module counts as one operation: layers of convscope's that torch.nn lacks."""
    return type(module).__module__.startswith("convscope.layers.")


_SET_DATA: Any = cast("Any", Tensor.data).__set__
_RAW_MEMORY: frozenset[Any] = frozenset(
    (Tensor.numpy, Tensor.__array__, Tensor.data_ptr, Tensor.__dlpack__)
)
"""What gives others the memory of a tensor, who may write to it unseen."""
_METADATA: frozenset[Any] = frozenset(
    (
        *(getattr(Tensor, n).__get__ for n in ("shape", "device", "dtype", "ndim", "is_cuda")),
        *(getattr(Tensor, n) for n in ("size", "stride", "dim", "storage_offset")),
        Tensor.untyped_storage,
    )
)
"""What reads metadata of a tensor and computes nothing."""
