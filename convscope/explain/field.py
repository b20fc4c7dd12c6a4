"""What one unit sees of the image, also where the channels of a result do not see alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from convscope.explain.explanation import ReceptiveField
from convscope.receptive import Seen, receptive_fields
from convscope.record import IMAGE, Operation

_MAP_BY_MAP = frozenset(
    {
        *("batch_norm", "dropout", "dropout2d", "feature_dropout", "contiguous", "clone"),
        *("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hardswish", "hardsigmoid"),
        *("sigmoid", "tanh", "hardtanh", "max_pool2d", "avg_pool2d", "ScaledTanh", "MinPool2d"),
        *("adaptive_avg_pool2d", "adaptive_max_pool2d", "Subsampling2d", "prelu", "mish"),
    }
)
"""Operations of which a map of the result depends on the same map of the operand alone."""


class Fields:
    """The receptive fields of the units of one pass over an image of a shape (1, c, h, w)."""

    def __init__(self, operations: Sequence[Operation], image: Sequence[int]) -> None:
        self.operations = {done.name: done for done in operations if done.operands}
        self.image = tuple(image)
        self.seen: Mapping[str, Seen] = receptive_fields(list(self.operations.values()), image)
        self._exact: dict[tuple[str, ...], Mapping[str, Seen]] = {}

    def of(self, name: str, at: Sequence[int]) -> ReceptiveField | None:
        """The field of the unit `at` (its index with the batch axis); None without any."""
        if name not in self.seen or len(self.image) < 3:
            return None
        seen = self._of_map(name, at)
        clipped = seen.box(at[1:]) if len(at) == len(seen.dims) else ()
        if not clipped:
            return None
        units = seen.units(at[1:])
        box = tuple(
            axis.field.box(unit) if axis.field else part or (0, 0)
            for axis, unit, part in zip(seen.axes, units, clipped, strict=True)
        )
        return ReceptiveField(box, clipped, seen.exact)

    def _of_map(self, name: str, at: Sequence[int]) -> Seen:
        """What this map's units see: that of the one branch where maps lie side by side."""
        path: list[str] = []
        here, channel = name, at[1] if len(at) > 1 else 0
        while here in self.operations:
            done = self.operations[here]
            if done.kind == "cat" and done.arguments.get("dim", 0) in (1, 1 - len(done.shape)):
                branches = list(done.given["tensors"])
                while channel >= branches[0].shape[1]:
                    channel -= branches.pop(0).shape[1]
                path.append(here)
                here = branches[0].name
            elif done.kind in _MAP_BY_MAP and len(done.operands) == 1 and len(done.shape) > 2:
                path.append(here)
                here = done.operands[0]
            else:
                break
        if not any(self.operations[step].kind == "cat" for step in path):
            return self.seen[name]
        return self._along((*path, here))[name]

    def _along(self, path: tuple[str, ...]) -> Mapping[str, Seen]:
        """The fields of the operations on a path from a unit back to the branch that it is of."""
        if path not in self._exact:
            *later, branch = path
            found = {branch: self.seen[branch]}
            for name in reversed(later):
                done = self.operations[name]
                before = path[path.index(name) + 1]
                if done.kind == "cat":
                    found[name] = found[before]
                    continue
                alone = replace(done, name=name, operands=(IMAGE,))
                found[name] = receptive_fields([alone], self.image, known={IMAGE: found[before]})[
                    name
                ]
            self._exact[path] = found
        return self._exact[path]
