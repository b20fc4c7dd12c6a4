"""Recordings in bounded memory: of a large pass, results are computed again when they are read."""

import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from threading import RLock
from typing import NamedTuple

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.explanation.network_input import check_module, run_on_image
from convscope.explanation.recording import Recording
from convscope.explanation.replay import compute
from convscope.inference import inference_mode
from convscope.memory import release_memory
from convscope.recording import INPLACE_UPDATE, ForwardPass, Operation, Source
from convscope.recording.operation import sources_in
from convscope.recording.raw_operation import IMAGE_NUMBER
from convscope.recording.recorder import OnResult, ShouldRetain
from convscope.recording.retention import RandomState


class Bounded(NamedTuple):
    """A recording, and the bytes of results that it holds at most."""

    recording: Recording
    size: int


Run = Callable[[ShouldRetain, OnResult], ForwardPass]
"""Runs the same pass each time, see `run_once`."""


def runs_of(net: nn.Module, image: Tensor) -> Run:
    """Runs a network in eval mode on an image (1, c, h, w), preprocessed, in one random state."""
    check_module(net)
    random = RandomState()

    def run(should_retain: ShouldRetain, on_result: OnResult) -> ForwardPass:
        with inference_mode(net), random.restored():
            done, _ = run_on_image(
                net,
                image,
                None,
                should_keep=lambda module, kind: True,
                should_retain=should_retain,
                on_result=on_result,
            )
        return done

    return run


def record_within(run: Run, limit: int, *, always: Collection[int] = (), note: str = "") -> Bounded:
    """Record a pass as `record` does; results take at most about `limit` bytes.

    Where all of them take more, some are kept, at most half of the limit, and the others are
    computed from these when they are read; the latest of them are kept in the other half. Each is
    compared with a checksum of what the network computed, so that it has the same bits. What is
    not so computed again, as random numbers, is taken from another pass of the network.

    `always` are the numbers of operations whose results do not follow from their operands.
    """
    budget = _Budget(limit)
    done = run(budget, _ignore)
    if budget.total <= limit:
        return Bounded(Recording(done, note), budget.total)
    operations, reads = done.operations, _reads(done.operations)
    output = {n for n, operation in enumerate(operations) if operation.name == done.output}
    fixed = {*always, *budget.odd, *output}
    kept = _checkpoints(operations, reads, budget.sizes, limit // 2, fixed)
    del done  # before the next pass needs memory
    release_memory()
    sums: dict[int, int] = {}

    def add_up(number: int, result: Tensor) -> None:
        if number not in budget.odd:
            sums[number] = _checksum(result)

    done = run(lambda number, _: number <= IMAGE_NUMBER or number in kept, add_up)

    def run_again(number: int) -> Tensor:
        again = run(lambda other, _: other == number, _ignore)
        return again.results[operations[number].name]

    recomputed = _Recomputed(done, reads, sums, limit // 2, run_again)
    return Bounded(Recording(replace(done, compute=recomputed), note), limit)


def _ignore(_number: int, _result: Tensor) -> None:
    pass


class _Budget:
    """Says which results are retained: all, until they take more than a limit.

    Attributes:
        sizes: bytes, by the number of the operation.
        odd: the numbers of those that are no plain tensors of real numbers.
    """

    def __init__(self, limit: int) -> None:
        self.sizes: dict[int, int] = {}
        self.odd: set[int] = set()
        self.total = 0
        self._limit = limit

    def __call__(self, number: int, tensor: Tensor) -> bool:
        if number <= IMAGE_NUMBER:  # the image and constants
            return True
        if number not in self.sizes:
            self.sizes[number] = size = tensor.numel() * tensor.element_size()
            self.total += size
            is_plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided
            if not is_plain or tensor.is_quantized or tensor.is_complex():
                self.odd.add(number)
        return self.total <= self._limit


def _reads(operations: Sequence[Operation]) -> list[list[str]]:
    """The names of the results and constants that each operation reads."""
    return [
        [
            source.name
            for source in sources_in((operation.call.args, dict(operation.call.kwargs)))
            if source.role != "state"
        ]
        for operation in operations
    ]


def _checkpoints(
    operations: Sequence[Operation],
    reads: Sequence[Sequence[str]],
    sizes: Mapping[int, int],
    limit: int,
    fixed: Collection[int],
) -> set[int]:
    """The numbers of results from which the others are computed, in at most `limit` bytes.

    They lie evenly, as far as there are results that everything after them goes through. `fixed`
    are some of them, and what is written in place.
    """
    last_reader = {name: number for number, names in enumerate(reads) for name in names}
    live = accumulate((last_reader.get(each.name, 0) for each in operations), max, initial=0)
    is_passage = [until <= number for number, until in zip(range(len(operations)), live)]  # noqa: B905
    always = {n for n, each in enumerate(operations) if each.kind == INPLACE_UPDATE}
    always |= {*fixed}
    spacing = max(sizes.values(), default=1)
    while True:
        chosen, since = set(always), 0
        for number in range(len(operations)):
            since += sizes.get(number, 0)
            if since >= spacing and (is_passage[number] or since >= 3 * spacing):
                chosen.add(number)
                since = 0
        if sum(sizes.get(number, 0) for number in chosen) <= limit or spacing > sum(sizes.values()):
            return chosen
        spacing *= 2


class _Recomputed:
    """Computes results of a pass again from those that were kept, and keeps the latest."""

    def __init__(
        self,
        done: ForwardPass,
        reads: Sequence[Sequence[str]],
        sums: Mapping[int, int],
        limit: int,
        run_again: Callable[[int], Tensor],
    ) -> None:
        self._done, self._reads, self._sums = done, reads, sums
        self._limit, self._run_again = limit, run_again
        self._numbers = {operation.name: n for n, operation in enumerate(done.operations)}
        self._held = dict(done.results)
        self._latest: OrderedDict[str, Tensor] = OrderedDict()
        self._size = 0  # bytes of the latest
        self._lock = RLock()

    def __call__(self, name: str) -> Tensor:
        """Raises KeyError for an unknown name; RequestError for what comes out otherwise now."""
        with self._lock, torch.inference_mode(mode=False), torch.no_grad():
            if name in self._held:
                return self._held[name]
            if name not in self._latest:
                self._compute(self._numbers[name])
            self._latest.move_to_end(name)
            return self._latest[name]

    def _compute(self, wanted: int) -> None:
        values, missing = self._missing(wanted)
        readers = Counter(name for number in missing for name in self._reads[number])
        for number in missing:
            operation = self._done.operations[number]
            values[operation.name] = self._again(operation, values)
            self._remember(operation.name, values[operation.name])
            for name in self._reads[number]:
                readers[name] -= 1
                if not readers[name]:
                    values.pop(name, None)

    def _missing(self, wanted: int) -> tuple[dict[str, Tensor], list[int]]:
        """The latest results that lead to one, and the numbers of the operations between."""
        values: dict[str, Tensor] = {}
        missing, waiting = {wanted}, [wanted]
        while waiting:
            for name in self._reads[waiting.pop()]:
                if name in self._held:
                    continue
                if name in self._latest:
                    values[name] = self._latest[name]
                elif (number := self._numbers[name]) not in missing:
                    missing.add(number)
                    waiting.append(number)
        return values, sorted(missing)

    def _again(self, operation: Operation, values: Mapping[str, Tensor]) -> Tensor:
        number = self._numbers[operation.name]

        def value(source: Source) -> Tensor:
            if source.role == "state":
                tensor = self._done.state[source.name].detach()
            else:
                tensor = (
                    self._held[source.name] if source.name in self._held else values[source.name]
                )
            return tensor.requires_grad_() if source.name in self._done.requires_grad else tensor

        try:
            result = compute(operation, value).detach()
        except Exception:  # noqa: BLE001 -- whatever a function says to being called again
            result = None
        if result is not None and _checksum(result) == self._sums[number]:
            return result
        result = self._run_again(number)
        if _checksum(result) != self._sums[number]:
            raise RequestError(
                f"{operation.name} comes out otherwise than before: the network's weights were "
                "changed after the image was opened. Open the network again."
            )
        return result

    def _remember(self, name: str, result: Tensor) -> None:
        self._latest[name] = result
        self._size += result.nbytes
        while self._size > self._limit and len(self._latest) > 1:
            _, dropped = self._latest.popitem(last=False)
            self._size -= dropped.nbytes


def _checksum(tensor: Tensor) -> int:
    flat = tensor.detach().resolve_neg().cpu().reshape(-1).contiguous()
    return zlib.crc32(flat.view(torch.uint8).numpy().data)
