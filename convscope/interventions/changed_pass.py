"""A forward pass in which some results and weights are other ones."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.errors import RequestError, nearest
from convscope.interventions.edits import Edit, check_index
from convscope.recording import ForwardPass, Operation, run_once
from convscope.recording.recorder import OnResult, ShouldKeep, ShouldRetain

Values = Mapping[Edit, Tensor]
"""What edits of the actions `mean` and `patch` put in place, as they broadcast to the units."""


class ChangedPass:
    """Runs a network with some of its numbers changed, on one image or on batches.

    The change is made as soon as an operation has returned, whatever it is: a module, a function, a
    sum. Where a result is only a view of another one (`flatten`, `dropout` in eval mode), both
    change. The network is left as it was; for changed weights it is copied.

    Args:
        net: in eval mode.
        operations: of a pass on one image; names and shapes are theirs.

    Raises RequestError for a name that is neither an operation nor a parameter or buffer, and for
    an index out of range.
    """

    def __init__(
        self, net: nn.Module, operations: Sequence[Operation], edits: Sequence[Edit]
    ) -> None:
        numbers = {operation.name: n for n, operation in enumerate(operations)}
        if any(edit.name not in numbers for edit in edits):
            net = copy.deepcopy(net)
        self._net = net
        self._operations = operations
        state: dict[str, Tensor] = dict(net.state_dict(keep_vars=True))
        self.results: dict[int, list[Edit]] = {}
        for edit in edits:
            if edit.name in numbers:
                number = numbers[edit.name]
                check_index(edit, operations[number].shape[1:])
                self.results.setdefault(number, []).append(edit)
            elif edit.name in state:
                check_index(edit, state[edit.name].shape)
                if edit.action == "patch":
                    raise RequestError(f"{edit}: a weight is the same for every image.")
                apply_edit(state[edit.name], edit, None, is_batch=False)
            else:
                names = [*numbers, *state]
                raise RequestError(
                    f"{edit}: the network has no operation or parameter {edit.name!r}."
                    f"{nearest(edit.name, names)}"
                )

    def run(
        self,
        images: Tensor,
        values: Values | None = None,
        *,
        should_keep: ShouldKeep = lambda module, kind: False,
        should_retain: ShouldRetain = lambda number, tensor: True,
        on_result: OnResult = lambda number, result: None,
        num_classes: int | None = None,
    ) -> tuple[ForwardPass, Tensor]:
        """The pass, and what the network returned as its main output, (n, ...).

        `on_result` gets each result with its change.

        Raises RequestError where the network takes another path than before.
        """
        latest: list[Tensor] = []

        def change(number: int, result: Tensor) -> None:
            for edit in self.results.get(number, ()):
                apply_edit(result, edit, (values or {}).get(edit), is_batch=True)
            latest[:] = [result]
            on_result(number, result)

        done = run_once(
            self._net,
            images,
            should_keep=should_keep,
            should_retain=should_retain,
            num_classes=num_classes,
            on_result=change,
        )
        for number in self.results:
            before = self._operations[number].name
            if number >= len(done.operations) or done.operations[number].name != before:
                raise RequestError(
                    f"{before} was not computed where it was before: the network takes another "
                    "path for this image, on which it cannot be changed."
                )
        return done, latest[0].detach() if done.returned is None else done.returned

    def results_of(self, images: Tensor, edits: Sequence[Edit]) -> dict[Edit, Tensor]:
        """What the operations return that edits name, unchanged, for images."""
        numbers = {operation.name: n for n, operation in enumerate(self._operations)}
        wanted = {edit: numbers[edit.name] for edit in edits}
        found: dict[int, Tensor] = {}

        def keep(number: int, result: Tensor) -> None:
            if number in wanted.values():
                found[number] = result.detach().clone()

        run_once(self._net, images, should_keep=lambda module, kind: False, on_result=keep)
        return {edit: found[number] for edit, number in wanted.items()}


def apply_edit(tensor: Tensor, edit: Edit, values: Tensor | None, *, is_batch: bool) -> None:
    """Change a tensor in place; of a batch, the same units of every image."""
    at = (slice(None), *edit.index) if is_batch else edit.index
    with torch.no_grad():
        units = tensor[at] if at else tensor
        match edit.action:
            case "set":
                units = torch.full_like(units, edit.value)
            case "scale":
                units = units * edit.value
            case "add":
                units = units + edit.value
            case "mean" if values is None:
                units = own_mean(tensor, edit, is_batch=is_batch)
            case "mean" | "patch":
                assert values is not None
                units = values.to(units).expand_as(units)
        tensor[at] = units


def own_mean(tensor: Tensor, edit: Edit, *, is_batch: bool) -> Tensor:
    """The mean of each map (of each filter) that an edit changes, in the shape of its units."""
    dims = tuple(range(1 + is_batch, tensor.ndim))
    means = tensor.mean(dims, keepdim=True) if dims else tensor
    at = (slice(None), *edit.index) if is_batch else edit.index
    return means.expand_as(tensor)[at] if at else means.expand_as(tensor)
