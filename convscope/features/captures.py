"""Results of chosen operations of a network, taken while it runs on a batch."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from convscope.errors import NetworkError
from convscope.recording import Operation, run_once
from convscope.recording.wrappers import eager, modules_by_path, unwrapped


class ChangedLater(Exception):
    """The network wrote to a result that was taken. From now on it is copied."""


class Captures:
    """Takes the results of operations by their numbers in a recorded pass.

    The first pass is followed as a recording follows it, without keeping anything else. Where all
    results are those that modules return, hooks on these take them from then on; where one is that
    of a function, as of `F.relu`, every pass is followed.
    """

    def __init__(
        self, net: nn.Module, operations: Sequence[Operation], numbers: Collection[int]
    ) -> None:
        self._net = unwrapped(net)
        self._modules = modules_by_path(net)
        self._operations = operations
        self._numbers = frozenset(numbers)
        self._copied = set[int]()
        self._calls = self._calls_of_modules()
        self._are_hooks_checked = False

    def run(self, images: Tensor) -> tuple[Any, Mapping[int, Tensor]]:
        """What the network returns for images, and the results by number.

        Raises ChangedLater where a result was overwritten: run again. Raises NetworkError where the
        network takes another path than when it was recorded.
        """
        taken: dict[int, tuple[Tensor, int]] = {}

        def take(number: int, result: Tensor) -> None:
            if number in self._numbers:
                result = result.detach()
                kept = result.clone() if number in self._copied else result
                taken[number] = kept, kept._version  # noqa: SLF001 -- torch's count of changes

        if self._calls is None:
            output = self._follow(images, take)
        elif self._are_hooks_checked:
            output = self._hook(images, take)
        else:
            output = self._check_hooks(images, take)
        if missing := self._numbers - taken.keys():
            raise NetworkError(_other_path(self._operations[min(missing)].name))
        changed = {number for number, (kept, version) in taken.items() if kept._version != version}  # noqa: SLF001
        if changed:
            self._copied |= changed
            raise ChangedLater
        return output, {number: kept for number, (kept, _) in taken.items()}

    def _calls_of_modules(self) -> Mapping[str, Mapping[int, int]] | None:
        """For each module the number of the result of each of its calls that is wanted.

        None where a result is not simply what a module returned.
        """
        counts: dict[str, int] = {}
        calls: dict[str, dict[int, int]] = {}
        for number, operation in enumerate(self._operations):
            if _is_result_of_module(operation):
                module = operation.module
                counts[module] = counts.get(module, 0) + 1
                if number in self._numbers:
                    calls.setdefault(module, {})[counts[module]] = number
            elif number in self._numbers:
                return None
        return calls

    def _check_hooks(self, images: Tensor, take: Callable[[int, Tensor], None]) -> Any:
        """Follow a pass, and use hooks from then on if they get the same results."""
        followed: dict[int, int] = {}
        hooked: dict[int, int] = {}

        def follow(number: int, result: Tensor) -> None:
            if number in self._numbers:
                followed[number] = result.data_ptr()
            take(number, result)

        with self._hooks(lambda number, result: hooked.update({number: result.data_ptr()})):
            output = self._follow(images, follow)
        self._are_hooks_checked = True
        if followed != hooked:
            self._calls = None
        return output

    def _hook(self, images: Tensor, take: Callable[[int, Tensor], None]) -> Any:
        with eager(self._net), self._hooks(take):
            return self._net(images)

    @contextmanager
    def _hooks(self, take: Callable[[int, Tensor], None]) -> Generator[None]:
        counts = dict.fromkeys(self._calls or {}, 0)

        def taking(path: str, numbers: Mapping[int, int]) -> Callable[..., None]:
            def hook(_module: nn.Module, _args: object, output: object) -> None:
                counts[path] += 1
                if counts[path] in numbers and isinstance(output, Tensor):
                    take(numbers[counts[path]], output)

            return hook

        with ExitStack() as hooks:
            for path, numbers in (self._calls or {}).items():
                module = self._modules[path]
                hooks.callback(module.register_forward_hook(taking(path, numbers)).remove)
            yield

    def _follow(self, images: Tensor, take: Callable[[int, Tensor], None]) -> Any:
        outputs: list[Any] = []
        handle = self._net.register_forward_hook(
            lambda _module, _args, output: outputs.append(output)
        )
        try:
            done = run_once(
                self._net, images, should_keep=lambda module, kind: False, on_result=take
            )
        finally:
            handle.remove()
        for number in self._numbers:
            before = self._operations[number].name
            if number >= len(done.operations) or done.operations[number].name != before:
                raise NetworkError(_other_path(before))
        return outputs[-1]


def _is_result_of_module(operation: Operation) -> bool:
    """Whether an operation is named for the module itself: `relu`, or `relu_2` if called again."""
    name, module = operation.name, operation.module
    rest = name.removeprefix(module)
    return bool(module) and (not rest or (rest[:1] == "_" and rest[1:].isdecimal()))


def _other_path(name: str) -> str:
    return (
        f"{name} was not computed where it was before: the network takes different paths for "
        "different images, and its layers cannot be compared over them."
    )
