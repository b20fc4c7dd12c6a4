"""A recorded forward pass, in which every value can be explained."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path

from torch import Tensor, nn

from convscope.card import Card
from convscope.data.images import ImageLike
from convscope.errors import RequestError, nearest
from convscope.explanation.difference import difference
from convscope.explanation.explanation import Explanation
from convscope.explanation.field import ReceptiveField, ReceptiveFields
from convscope.explanation.network_input import check_module, run_on_image
from convscope.explanation.recorded_tensor import RecordedTensor
from convscope.explanation.replay import gradients_of, replayed
from convscope.explanation.rules import RULES
from convscope.explanation.rules.complex_numbers import explain_complex, involves_complex
from convscope.explanation.rules.complex_sums import real_view
from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    result_of,
)
from convscope.explanation.rules.precision import Settings
from convscope.explanation.rules.quantized import requantized
from convscope.explanation.saved.file import SavedPass, write_pass
from convscope.explanation.trace import Trace, trace
from convscope.recording import IMAGE, ForwardPass, Operation, Source
from convscope.terms import Decomposition, Extremum, Identity, Location, Terms, Unsupported
from convscope.words import visible


def record(
    net: nn.Module,
    image: ImageLike,
    *,
    card: Card | None = None,
    keep: Iterable[str] | None = None,
    num_classes: int | None = None,
) -> "Recording":
    """Run a network once on an image and keep every operation with its operands and result.

    `image` is a path, a PIL image, an array (h, w[, c]), or a tensor (c, h, w), (h, w) of one
    channel or a batch of one; for a network of other input, a batch of one signal (1, c, t) or
    volume (1, c, d, h, w). A tensor of numbers with fractions is what the network is fed. Anything
    else is an image, which is prepared as `card` says; without it, as
    `convscope.models.open_model` assumes, and the recording's `note` says what that was.

    The network runs unchanged, in its current mode, on its device and in the type of its
    parameters, float16 for example, which the image takes on. The recording follows what actually
    runs: control flow, functional calls, in-place operations, modules called more than once.
    Parameters, buffers, modes, random state and gradients are left untouched, even if the network
    raises. Of several results, `output` is the one that `convscope.forward.main_output` names, for
    a network of `num_classes` classes.

    Each result is stored once. To save memory, `keep` names the modules ("layer4") or operations
    ("layer1.0.add") whose results and operands are kept; all others are recorded by name only.

    Raises RequestError for what is no image and for an unknown name in `keep`; NetworkError, with
    the layer, for whatever the network raises.

        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU())
        >>> _ = nn.init.ones_(net[0].weight)
        >>> recording = record(net, torch.ones(1, 4, 4))
        >>> recording.names, recording.explain("1", (0, 1, 0)).exact_value
        (('0', '1'), 9.0)
    """
    check_module(net)
    kept = (keep,) if isinstance(keep, str) else None if keep is None else tuple(keep)

    def should_keep(module: str, kind: str) -> bool:
        return kept is None or any(_matches(name, module, kind) for name in kept)

    forward_pass, note = run_on_image(
        net, image, card, should_keep=should_keep, num_classes=num_classes
    )
    recording = Recording(forward_pass, note)
    for name in kept or ():
        known = any(_matches(name, op.module, op.kind) for op in forward_pass.operations)
        if not known and name != IMAGE:
            raise RequestError(
                f"There is no module or operation {name!r} to keep.{nearest(name, recording.names)}"
            )
    return recording


def _matches(name: str, module: str, kind: str) -> bool:
    """Whether a name to keep refers to an operation: to itself, its module, or a parent module.

    `relu_2` keeps every `relu` of its module: the calls are numbered only after the pass.
    """
    unnumbered = re.sub(r"_\d+$", "", name)
    operation = f"{module}.{kind}".lstrip(".")
    in_submodule = not name or module.startswith(f"{name}.")
    return in_submodule or bool({name, unnumbered} & {module, operation})


class Recording:
    """The graph of named operations of one forward pass; `record` returns it.

    Attributes:
        operations: in order of execution.
        names: of the operations, in the same order.
        output: the name of the network's output.
        note: what was assumed of the image; empty if nothing was.
    """

    def __init__(
        self, forward_pass: ForwardPass, note: str = "", settings: Settings | None = None
    ) -> None:
        self.operations = forward_pass.operations
        self.names = tuple(op.name for op in forward_pass.operations)
        self.output = forward_pass.output
        self.note = note
        self._forward_pass = forward_pass
        self._settings = settings or Settings()
        self._operations = {op.name: op for op in forward_pass.operations}
        tensors = {**forward_pass.state, **forward_pass.results}
        self._versions = [
            (name, tensor, tensor._version)  # noqa: SLF001
            for name, tensor in tensors.items()
            if not tensor.is_inference()  # which has no count of its changes
        ]

    def __getitem__(self, name: str) -> RecordedTensor:
        """A result, parameter, buffer or constant by its name, or "image".

        Raises RequestError for an unknown name.
        """
        if name in self:
            return RecordedTensor(name, self._forward_pass, self._operations.get(name))
        raise RequestError(
            f"There is no {name!r} in this recording.{nearest(name, self.names)} The first of its "
            f"{len(self.names)} names are {', '.join(self.names[:3])}."
        )

    def __contains__(self, name: str) -> bool:
        known = self._operations, self._forward_pass.results, self._forward_pass.state
        return any(name in names for names in known)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        return visible(f"<Recording of {len(self)} operations, output {self.output}{note}>")

    def explain(self, name: str, at: int | Sequence[int] = ()) -> Explanation:
        """The arithmetic behind the unit `at`, (c, y, x) or (k,), of a result.

        An element of the image, of a parameter, a buffer or a constant is explained by itself.
        Of complex numbers the last index is the part: 0 the real one, 1 the imaginary one.

        Raises RequestError for an unknown name, an index out of range, a result that was not kept,
        and if parameters were changed after the recording.
        """
        recorded = self[name]
        index = recorded.index(at)
        self._check_unchanged()
        tensor = real_view(recorded.tensor)
        element = index[:-1] if recorded.is_complex else index
        decomposition, model_value = self._decompose(recorded, index), float(tensor[index])
        if not _verify(decomposition, model_value):
            decomposition = recorded.unsupported("its rule does not give the recorded value")
        return Explanation(
            name=name,
            at=index[1:] if len(index) > len(recorded.shape) else index,
            kind=recorded.kind,
            decomposition=decomposition,
            model_value=model_value,
            precision=self._settings.precision(recorded.kind, tensor),
            operands=recorded.operands,
            receptive_field=self._field(recorded, decomposition, element),
        )

    def _field(
        self, recorded: RecordedTensor, decomposition: Decomposition, index: Index
    ) -> ReceptiveField | None:
        """None for a unit that depends on no operand, such as padding. A pixel sees itself."""
        is_constant = isinstance(decomposition, Identity) and not len(decomposition.terms)
        operation = self._operations.get(recorded.name)
        if is_constant and recorded.name != IMAGE and not (operation and operation.numbers):
            return None
        return self.fields.of(recorded.name, index)

    def tensor(self, source: Source) -> Tensor:
        """An input of an operation: a result or a parameter, with all its axes."""
        if source.role == "state":
            return self._forward_pass.state[source.name].detach()
        return result_of(self._forward_pass, source.name).detach()

    def trace_back(
        self,
        name: str,
        at: int | Sequence[int] = (),
        *,
        depth: int | None = None,
        top: int = 1,
    ) -> Trace:
        """Trace a unit back through its `top` largest contributions, `depth` operations deep.

        Without `depth` down to pixels, parameters, buffers and constants. Raises RequestError as
        `explain` does, and for a tree that grows too large.
        """
        self.explain(name, at)
        index = (at,) if isinstance(at, int) else tuple(at)
        return trace(self._explain_location, Location(name, index), depth=depth, top=top)

    def difference(
        self, name: str, this: int | Sequence[int], that: int | Sequence[int]
    ) -> Explanation:
        """Why one unit is larger than another: the difference of two units of a result, as terms.

        For a softmax, the difference of the logits. Raises RequestError as `explain` does.
        """
        indices = [(at,) if isinstance(at, int) else tuple(at) for at in (this, that)]
        return difference(self._explain_location, *(Location(name, at) for at in indices))

    def replay(self, changes: Mapping[str, Tensor]) -> "Recording":
        """The recording with other values for some results, or for "image", and what follows.

        `changes` are by name, with the batch axis. The network is not needed, and not run: every
        operation that depends on a change is computed again, after it was seen to give the
        recorded bits again. Unchanged results are shared.

        Raises RequestError for an unknown name, another shape, and an operation that does not give
        the same again, as dropout in training.
        """
        self._check_unchanged()
        return Recording(replayed(self._forward_pass, changes), self.note, self._settings)

    def followed_by(self, results: Sequence[tuple[Operation, Tensor]]) -> "Recording":
        """The recording with operations after the network's own, each with its result."""
        done = self._forward_pass
        operations = (*done.operations, *(operation for operation, _ in results))
        values = {**done.results, **{operation.name: value for operation, value in results}}
        after = replace(done, operations=operations, results=values)
        return Recording(after, self.note, self._settings)

    def gradients(self, name: str, at: int | Sequence[int] = ()) -> dict[str, Tensor]:
        """The gradient of the unit `at` of a result by each result before it, and by "image".

        Each has the shape of the result, with the batch axis. What the unit does not depend on is
        left out. Raises RequestError as `replay` does.
        """
        self._check_unchanged()
        index = self[name].index(at)
        return gradients_of(self._forward_pass, name, index)

    def save(
        self, path: str | PathLike[str], *, card: Card | None = None, warning: str = ""
    ) -> None:
        """Write the recording to one file, which `convscope.load_recording` reads.

        It is a safetensors file with a table in JSON: results, weights, operations and shapes, and
        the network's `card` and a `warning` to its reader, if these are given. Nothing is pickled.
        A file that is there is replaced once the new one is whole; folders are created.

        Raises RequestError for a type of tensor that no file can hold, and if parameters were
        changed after the recording; WorkError where the disk refuses.
        """
        self._check_unchanged()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_pass(target, SavedPass(self._forward_pass, self.note, self._settings, card, warning))

    def _explain_location(self, location: Location) -> Explanation:
        return self.explain(location.source, location.at)

    def _source(self, recorded: RecordedTensor, index: Index) -> Identity | Unsupported:
        """A number that no operation computed."""
        if recorded.name in self._forward_pass.unknown:
            return recorded.unsupported(recorded.description)
        value = float(real_view(recorded.tensor)[index])
        return Identity(terms=Terms(), formula=recorded.description, constant=value)

    def _decompose(self, recorded: RecordedTensor, index: Index) -> Decomposition:
        if recorded.operation is None:
            return self._source(recorded, index)
        rule = RULES.get(recorded.kind)
        if rule is None:
            return recorded.unsupported("convscope has no rule for this operation")
        try:
            view = OperationView(recorded.operation, self._forward_pass)
            if involves_complex(view):
                return explain_complex(view, index)
            return requantized(view, index, rule(view, index))
        except RequestError:
            raise
        except UnsupportedOperation as reason:
            why = str(reason) or "convscope has no rule for these arguments"
            return recorded.unsupported(why)
        except Exception as error:  # noqa: BLE001 -- must never raise for third-party models
            return recorded.unsupported(f"its rule failed ({type(error).__name__}: {error})")

    def _check_unchanged(self) -> None:
        for name, tensor, version in self._versions:
            if tensor._version != version:  # noqa: SLF001 -- torch's count of changes in place
                raise RequestError(f"{name} was changed after the recording. Record again.")

    @cached_property
    def fields(self) -> ReceptiveFields:
        """The receptive fields of the units of every operation."""
        done = self._forward_pass
        return ReceptiveFields(done.operations, tuple(self[IMAGE].tensor.shape), done.tensors)


def _verify(decomposition: Decomposition, model_value: float) -> bool:
    """Whether a decomposition that claims bit-for-bit equality is equal."""
    if not isinstance(decomposition, Identity | Extremum):
        return True
    exact = decomposition.exact_value
    return exact == model_value or (math.isnan(exact) and math.isnan(model_value))
