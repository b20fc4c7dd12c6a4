"""Run a network once and record every operation: what it computed, from what, and where."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload, OpOverloadPacket
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from convscope.errors import RequestError
from convscope.forward import main_tensor
from convscope.recording.aten import overload_of
from convscope.recording.kinds import INPLACE_UPDATE
from convscope.recording.model_state import ModelState
from convscope.recording.module_calls import ModuleCalls
from convscope.recording.mutations import MutationTracker, may_write, unseen
from convscope.recording.operation import IMAGE, map_nested, tensors_in
from convscope.recording.origins import Origins
from convscope.recording.outputs import METADATA, outputs_of
from convscope.recording.parts import PARTS
from convscope.recording.raw_operation import (
    IMAGE_NUMBER,
    ForwardPass,
    RawOperation,
    TensorRef,
    name_operations,
)
from convscope.recording.retention import RetainedTensors, preserve_rng
from convscope.recording.signatures import kind_of
from convscope.recording.tensor_sources import TensorSources
from convscope.recording.wrappers import eager, modules_by_path, unwrapped

ShouldKeep = Callable[[str, str], bool]
"""Whether to keep the result of an operation, given the module that called it and its kind."""

ShouldRetain = Callable[[int, Tensor], bool]
"""Whether to keep one tensor among those of `ShouldKeep`, given its number in the pass.

Of the image and of constants the number is negative.
"""

OnResult = Callable[[int, Tensor], None]
"""Gets each result as it is computed, with the number of its operation in the pass."""


def run_once(
    net: nn.Module,
    image: Tensor,
    *,
    should_keep: ShouldKeep,
    should_retain: ShouldRetain = lambda number, tensor: True,
    num_classes: int | None = None,
    on_result: OnResult = lambda number, result: None,
    with_gradients: bool = False,
) -> ForwardPass:
    """Run the network as it is on `image` (1, c, h, w), without gradients; leave it as it was.

    Keeps the image, the results that `should_keep` asks for, and what those were computed from, as
    far as `should_retain` agrees. The network may write to the image, so pass a copy. Of several
    results, the output is the one that `convscope.forward.main_output` names.

    `on_result` gets every result, whatever is kept; the network may write to it afterwards. With
    `with_gradients` it has a graph of autograd back to the image and the parameters.
    """
    net = unwrapped(net)
    recorder = _Recorder(net, image, should_keep, should_retain, on_result)
    try:
        with (
            eager(net),
            torch.inference_mode(mode=False),
            torch.set_grad_enabled(with_gradients),
            preserve_rng(recorder.state.tensors.values()),
            recorder.origins.watching(),
            recorder.following_modules(),
            recorder.mutations,
            recorder,
        ):
            output = net(image)
        recorder.catch_up_with(output)
    except RuntimeError as error:
        if "update to inference tensor" in str(error):
            raise RequestError(
                "The network writes to tensors that were made in torch.inference_mode(), which "
                "nothing can do elsewhere. Call eval() first, or make the network outside of it."
            ) from error
        raise
    finally:
        recorder.state.restore(recorder.retained.before_mutation)
    return recorder.finish(output, num_classes)


class _Recorder(TorchFunctionMode):
    """Intercepts every function of torch that is called, and knows in which module's forward."""

    def __init__(
        self,
        net: nn.Module,
        image: Tensor,
        should_keep: ShouldKeep,
        should_retain: ShouldRetain,
        on_result: OnResult,
    ) -> None:
        super().__init__()
        self.on_result = on_result
        self.modules = modules_by_path(net)
        self.should_keep = should_keep
        self.operations: list[RawOperation] = []
        self.retained = RetainedTensors(should_retain)
        self.state = ModelState(self.modules)
        self.calls = ModuleCalls(self.modules)
        self.outputs: dict[int, int] = {}  # by the call of a module: what computed its output
        self.opaque_depth = 0  # how many nested layers of convscope's are running
        self.layer_inputs: tuple[Any, list[TensorRef]] = ((), [])  # of the running layer of ours
        self.origins = Origins()
        self.sources = TensorSources(self.state, self.origins)
        self.mutations = MutationTracker(
            self.retained.before_mutation, self.state.before_mutation, self.sources.before_mutation
        )
        self.sources.register(image, IMAGE_NUMBER, [])
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

    def _before_layer(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A layer of convscope's is about to run."""
        if self.opaque_depth == 1 and self.calls.is_followed(module):
            inputs = (*args, *kwargs.values())
            self.layer_inputs = self._references(type(module).__name__, module, inputs)

    def _enter(self, module: nn.Module, _inputs: object) -> None:
        if self.calls.is_followed(module):
            self.calls.enter(module)
            self.opaque_depth += _is_opaque(module)

    def _leave(self, module: nn.Module, _inputs: object, output: object) -> None:
        if not self.calls.is_followed(module):
            return
        if _is_opaque(module):
            if self.opaque_depth == 1 and isinstance(output, Tensor):
                args, tensors = self.layer_inputs
                self._record(type(module).__name__, output, module, args, {}, tensors, layer=module)
            self.opaque_depth -= 1
        call = self.calls.leave()
        first = output if isinstance(output, Tensor) else next(tensors_in(output), None)
        number = None if first is None else self.sources.number(first)
        if first is not None and number is not None and number >= 0:
            is_own = self.operations[number].call == call
            if is_own and not self.sources.is_stale(first, number):
                self.outputs[call] = number

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in METADATA or self.opaque_depth:
            return func(*args, **kwargs)
        if func in PARTS:
            with self:
                return PARTS[func](*args, **kwargs)
        is_paused = self.mutations.pause()
        try:
            return self._run(func, types, args, kwargs, is_paused=is_paused)
        finally:
            if is_paused:
                self.mutations.resume()

    def _run(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        is_paused: bool,
    ) -> Any:
        """Run and record a function; `types` are the classes that run functions by themselves."""
        if isinstance(func, OpOverloadPacket):
            func = overload_of(func, args, kwargs)
        if isinstance(func, OpOverload):
            self.calls.follow(func)
        kind = kind_of(func, args, kwargs)
        (args_, kwargs_), tensors = self._references(kind, func, (args, kwargs))
        if self.origins.gives_memory(func):
            self.retained.before_mutation(args[0])
            self.state.before_mutation(args[0])
            self.sources.expose(args[0])
        is_plain = not types or types == (Tensor,)
        is_seen = is_paused and (not is_plain or may_write(func, args, kwargs))
        run = self.mutations.see if is_seen else unseen
        output: Any = run(func, args, kwargs)
        if self.origins.is_read and self.origins.has_numbers_alone(func, args, kwargs):
            return output  # numbers of unknown origin
        if self.origins.reads(func) and self.sources.depends(tensors):
            self.origins.after(output)
        outputs = outputs_of(func, args, kwargs, output, self.sources.written)
        for index, tensor in enumerate(outputs):
            if tensors or tensor.numel():  # not what a script's batch norm reserves for training
                self._record(kind, tensor, func, args_, kwargs_, tensors, output_index=index)
        return output

    def _references(
        self, kind: str, function: Callable[..., Any], values: Any
    ) -> tuple[Any, list[TensorRef]]:
        """The arguments of an operation with a TensorRef for each tensor; retain those to keep."""
        keep = self.should_keep(self.calls.running[0], kind)
        tensors: list[TensorRef] = []
        sources, names = self.sources, self.state.names

        def reference(tensor: Tensor) -> TensorRef:
            number = sources.number(tensor)
            name = names.get(id(tensor))
            if number is None and name is None:
                number = self._constant(tensor, is_known=sources.is_constant(tensor, function))
            elif sources.is_stale(tensor, number):
                number = self._catch_up(tensor, number, name)
            elif sources.may_be_changed(tensor, number):
                number = self._constant(tensor, is_known=False)
            if keep and number is not None:
                self.retained.retain(number, tensor)
            source = str(name) if number is None else number
            tensors.append(TensorRef(source, tuple(tensor.shape)))
            return tensors[-1]

        sources.written.clear()
        referenced = map_nested(values, reference)
        if not self.origins.is_made_from_numbers(function):
            for value in self.origins.read_numbers_in(values):
                number = self._constant(torch.tensor(value), is_known=False)
                tensors.append(TensorRef(number, ()))
        return referenced, tensors

    def _constant(self, tensor: Tensor, *, is_known: bool) -> int:
        """The number of a tensor that no operation returned; one of unknown origin is kept."""
        number = self.sources.new_constant(tensor, is_known=is_known)
        if not is_known:
            self.retained.retain(number, tensor)
        return number

    def _catch_up(self, tensor: Tensor, number: int | None, name: str | None) -> int:
        """Record that a tensor was changed through another one that shares its storage."""
        tensors, layouts = self.sources.update_of(tensor, number, name)
        args = tensors[0], tensors[1:]
        self._record(INPLACE_UPDATE, tensor, Tensor.copy_, args, dict(layouts), tensors)
        return len(self.operations) - 1

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
        if output.is_nested and output.layout == torch.strided:
            raise RequestError(f"{kind} makes a nested tensor, which record cannot follow.")
        path, call = self.calls.running
        number = self.sources.register(output, len(self.operations), tensors)
        if self.should_keep(path, kind):
            self.retained.retain(number, output)
        self.on_result(number, output)
        shape = tuple(output.shape)
        self.operations.append(
            RawOperation(
                kind, path, call, layer, function, args, kwargs, tensors, shape, output_index
            )
        )

    def catch_up_with(self, output: object) -> None:
        """Record what was written to the network's output through other tensors."""
        self._references("", tensors_in, output)

    def finish(self, output: object, num_classes: int | None) -> ForwardPass:
        """Everything that was recorded, with names."""
        main = main_tensor(output, num_classes)
        outputs = tensors_in(output) if main is None else [main, *tensors_in(output)]
        operations, names = name_operations(
            self.operations,
            self.calls.parents(),
            self.outputs,
            constants=self.sources.constants,
            unknown=self.sources.unknown,
            taken=self.state.tensors,
        )
        numbered = [(self.sources.number(tensor), tensor) for tensor in outputs]
        known = [(names[n], tensor.detach()) for n, tensor in numbered if n is not None]
        last = operations[-1].name if operations else IMAGE
        results = {names[number]: tensor for number, tensor in self.retained.tensors.items()}
        return ForwardPass(
            tuple(operations),
            results,
            self.state.tensors,
            known[0][0] if known else last,
            parameters=self.state.parameters,
            requires_grad=self.state.requires_grad,
            buffers=frozenset(self.state.tensors) - self.state.parameters,
            unknown=frozenset(names[number] for number in self.sources.unknown),
            returned=known[0][1] if known else None,
        )


def _is_opaque(module: nn.Module) -> bool:
    """Whether a module counts as one operation: layers of convscope's that torch.nn lacks."""
    return type(module).__module__.startswith("convscope.layers.")
