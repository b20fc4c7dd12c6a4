"""One forward pass of one network on one image, every number of which can be explained."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from convscope.errors import RequestError, nearest
from convscope.explanation.difference import difference
from convscope.explanation.explanation import Explanation
from convscope.explanation.field import Fields
from convscope.explanation.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    result_of,
)
from convscope.explanation.rules import RULES
from convscope.explanation.trace import Trace, trace
from convscope.recording import IMAGE, Operation, Pass, Source, run_once
from convscope.terms import Decomposition, Extremum, Identity, Location, Terms, Unsupported


def record(net: nn.Module, image: Tensor, *, keep: Iterable[str] | None = None) -> "Recording":
    """Run a network once over an image and keep every operation with its operands and result.

    `image` is (c, h, w), (h, w) of one channel, or a batch of one. The network runs as it is, in
    its mode, on the device that it is on; any control flow, functional calls, in-place operations
    and modules that are called twice are seen, for what is recorded is what runs. Parameters,
    buffers, modes, random numbers and gradients are left as they were, also where it fails.

    A result is held once. Where memory is short, `keep` names modules ("layer4") or operations
    ("layer1.0.add") of which results and operands are to be kept; all others have names only.

    Raises RequestError for an image that is not one, and for a name in `keep` that is none; and
    whatever the network raises.

        >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU())
        >>> _ = nn.init.ones_(net[0].weight)
        >>> recording = record(net, torch.ones(1, 4, 4))
        >>> recording.names, recording.explain("1", (0, 1, 0)).exact_value
        (('0', '1'), 9.0)
    """
    if image.ndim in (2, 3):
        image = image.reshape(1, *(1,) * (3 - image.ndim), *image.shape)
    if image.ndim < 2 or len(image) != 1 or not image.numel():
        raise RequestError(
            f"The image is {tuple(image.shape)}; record takes one image, (c, h, w) or (1, c, h, w)."
        )
    chosen = (keep,) if isinstance(keep, str) else None if keep is None else tuple(keep)
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise RequestError(f"{name} has no shape yet; run the network once before.")

    def wanted(module: str, kind: str) -> bool:
        return chosen is None or any(_names(name, module, kind) for name in chosen)

    with torch.inference_mode(mode=False):
        own = image.detach().clone()
    passed = run_once(net, own, wanted=wanted)
    recording = Recording(passed)
    for name in chosen or ():
        known = any(_names(name, done.module, done.kind) for done in passed.operations)
        if not known and name != IMAGE:
            raise RequestError(
                f"There is no {name!r} to keep.{nearest(name, recording.names)} Name a module or "
                "an operation."
            )
    return recording


def _names(name: str, module: str, kind: str) -> bool:
    """Whether a name to keep means an operation: its module, one around it, or itself.

    `relu_2` keeps every `relu` of its module, for which is the second is not known before the end.
    """
    bare = re.sub(r"_\d+$", "", name)
    own = f"{module}.{kind}".lstrip(".")
    inside = not name or module.startswith(f"{name}.")
    return inside or bool({name, bare} & {module, own})


class RecordedTensor:
    """One result of a recording: of an operation, or the image itself.

    Attributes:
        name: its name in the recording.
        kind: the function that made it; "image" for the image.
        operands: names of what it was made of.
    """

    def __init__(self, name: str, passed: Pass, operation: Operation | None) -> None:
        self.name = name
        self.operation = operation
        self.kind = operation.kind if operation else IMAGE
        self.operands = operation.operands if operation else ()
        self._passed = passed

    @property
    def tensor(self) -> Tensor:
        """The result as it was, with its batch axis."""
        return result_of(self._passed, self.name).detach()

    @property
    def squeezed(self) -> Tensor:
        """The result without batch axis; raises RequestError where it was not kept."""
        full = self.tensor
        return full[0] if full.ndim and len(full) == 1 else full

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value, (c, h, w) for maps."""
        whole = self.operation.shape if self.operation else tuple(self.tensor.shape)
        return whole[1:] if whole and whole[0] == 1 else whole

    def __repr__(self) -> str:
        took = f" of {', '.join(self.operands)}" if self.operands else ""
        return f"<{self.name}: {self.kind}{took}, {'x'.join(map(str, self.shape))}>"


class Recording:
    """A graph of named operations with operands and results: what `record` gives.

    Attributes:
        operations: all of them, in order of execution.
        names: theirs.
        output: the name of what the network answered.
    """

    def __init__(self, passed: Pass) -> None:
        self.operations = passed.operations
        self.names = tuple(done.name for done in passed.operations)
        self.output = passed.output
        self._passed = passed
        self._operations = {done.name: done for done in passed.operations}
        held = {**passed.results, **passed.state}
        self._versions = {name: _version(tensor) for name, tensor in held.items()}

    def __getitem__(self, name: str) -> RecordedTensor:
        """A result by its name; "image" is the image. Raises RequestError where there is none."""
        if name in self._operations or name in self._passed.results:
            return RecordedTensor(name, self._passed, self._operations.get(name))
        raise RequestError(
            f"There is no {name!r} in this recording.{nearest(name, self.names)} Its first names "
            f"are {', '.join(self.names[:3])}; `names` has all {len(self.names)}."
        )

    def __contains__(self, name: str) -> bool:
        return name in self._operations or name in self._passed.results

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<Recording of {len(self)} operations, output {self.output}>"

    def explain(self, name: str, at: int | Sequence[int] = ()) -> Explanation:
        """The arithmetic behind the unit `at`, (c, y, x) or (k,), of a result.

        Raises RequestError for a name or an index that is not there, for a result that was not
        kept, and where parameters were changed since.
        """
        found = self[name]
        index = self._index(found, at)
        self._check_unchanged()
        whole = found.tensor
        if whole.is_complex():
            decomposition, model_value = _unknown(found, "its numbers are complex"), math.nan
        else:
            decomposition, model_value = self._made(found, index), float(whole[index])
        if not _is_so(decomposition, model_value):
            decomposition = _unknown(found, "it does not give what was recorded")
        own = index[1:] if len(index) > len(found.shape) else index
        return Explanation(
            name=name,
            at=own,
            kind=found.kind,
            decomposition=decomposition,
            model_value=model_value,
            epsilon=torch.finfo(whole.dtype).eps if whole.is_floating_point() else 0.0,
            operands=found.operands,
            receptive_field=None if _is_constant(decomposition) else self.fields.of(name, index),
        )

    def tensor(self, source: Source) -> Tensor:
        """What an operation was given, as it was: a result or a parameter, with all its axes."""
        if source.role == "state":
            return self._passed.state[source.name].detach()
        return result_of(self._passed, source.name).detach()

    def trace_back(
        self,
        name: str,
        at: int | Sequence[int] = (),
        *,
        depth: int | None = None,
        top: int = 1,
    ) -> Trace:
        """Follow the `top` largest contributions to a unit, and theirs, `depth` steps down.

        A step goes from a result to its operands; without `depth` down to the pixels. Raises
        RequestError as `explain`, and for a tree of more units than anyone could read.
        """
        self.explain(name, at)
        own = (at,) if isinstance(at, int) else tuple(at)
        return trace(self._explained, Location(name, own), depth=depth, top=top)

    def difference(
        self, name: str, this: int | Sequence[int], that: int | Sequence[int]
    ) -> Explanation:
        """Why this unit and not that: the difference of two units of a result, as terms.

        Of a softmax's units the difference of the logits. Raises RequestError as `explain`.
        """
        places = [(at,) if isinstance(at, int) else tuple(at) for at in (this, that)]
        return difference(self._explained, *(Location(name, at) for at in places))

    def _explained(self, place: Location) -> Explanation:
        return self.explain(place.source, place.at)

    def _made(self, found: RecordedTensor, index: Index) -> Decomposition:
        if found.operation is None:
            value = float(found.tensor[index])
            return Identity(terms=Terms(), formula=_GIVEN, constant=value)
        rule = RULES.get(found.kind)
        if rule is None:
            return _unknown(found, "convscope has no rule for it")
        try:
            return rule(OperationView(found.operation, self._passed), index)
        except RequestError:
            raise
        except UnsupportedOperation:
            return _unknown(found, "it was called in a way that convscope has no rule for")
        except Exception as error:  # noqa: BLE001 -- a network of anyone's never crashes it
            return _unknown(found, f"its rule failed ({type(error).__name__}: {error})")

    def _index(self, found: RecordedTensor, at: int | Sequence[int]) -> Index:
        index = (at,) if isinstance(at, int) else tuple(int(place) for place in at)
        shape = found.shape
        fits = len(index) == len(shape) and all(
            0 <= place < side for place, side in zip(index, shape, strict=True)
        )
        if not fits:
            sides = ", ".join(f"0 to {side - 1}" for side in shape) or "nothing"
            raise RequestError(
                f"{found.name} has the shape {'x'.join(map(str, shape)) or 'of one number'}, so "
                f"there is no unit [{','.join(map(str, index))}]. Its indices are {sides}."
            )
        batch = len(found.operation.shape if found.operation else found.tensor.shape) - len(shape)
        return (0,) * batch + index

    def _check_unchanged(self) -> None:
        for name, version in self._versions.items():
            tensor = self._passed.results.get(name)
            tensor = self._passed.state[name] if tensor is None else tensor
            if _version(tensor) != version:
                raise RequestError(
                    f"{name} was changed after the recording was made. Record again."
                )

    @cached_property
    def fields(self) -> Fields:
        """What the units of every operation see of the image."""
        return Fields(self._passed.operations, tuple(self[IMAGE].tensor.shape))


def _unknown(found: RecordedTensor, why: str) -> Unsupported:
    return Unsupported(operands=found.operands, formula=f"{found.kind}: {why}")


def _is_so(decomposition: Decomposition, model_value: float) -> bool:
    """Whether what claims to be equal to the bit is."""
    if not isinstance(decomposition, Identity | Extremum):
        return True
    exact = decomposition.exact_value
    return exact == model_value or (math.isnan(exact) and math.isnan(model_value))


def _is_constant(decomposition: Decomposition) -> bool:
    """Whether a unit comes from no operand: of a padding, say. A pixel does, from itself."""
    return (
        isinstance(decomposition, Identity)
        and not len(decomposition.terms)
        and decomposition.formula != _GIVEN
    )


_GIVEN = "given"


def _version(tensor: Tensor) -> int:
    """Counts the changes of a tensor, where it counts them."""
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001
