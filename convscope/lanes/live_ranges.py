"""During which steps volumes and gradients are needed, and places for them that do not collide."""

from dataclasses import dataclass, replace

from convscope.lanes.filter_products import vectors_at_work, vectors_of_sums
from convscope.lanes.graph import Image, Shape
from convscope.lanes.halos import gradient_halo, value_halo
from convscope.lanes.memory import KEPT, WORKSPACE, Buffer, Halo
from convscope.lanes.stages import Plan

Key = tuple[str, int]
"""A kind of memory, and the value that it belongs to."""


@dataclass(frozen=True)
class LiveRange:
    """A volume or a gradient: from which step to which it must not be overwritten.

    `also` are more such pairs, of what is computed anew in other segments.
    """

    shape: Shape
    halo: Halo
    first: int
    last: int
    also: tuple[tuple[int, int], ...] = ()
    space: str = WORKSPACE

    def meets(self, other: "LiveRange") -> bool:
        """Whether both are needed at some step."""
        mine, theirs = (((one.first, one.last), *one.also) for one in (self, other))
        return any(low <= end and begin <= high for low, high in mine for begin, end in theirs)


def live_ranges(plan: Plan, lanes: int) -> dict[Key, LiveRange]:
    """The steps during which values, gradients and the scratch memory of tiles are needed."""
    order = plan.order
    forward = {value: step for step, value in enumerate(order)}
    backward = {value: 2 * len(order) - step for value, step in forward.items()}
    found: dict[Key, LiveRange] = {}
    for value, stage in plan.stages.items():
        reads = [(forward[user], plan.forward_segment[user]) for user in plan.users[value]]
        reads += [
            (backward[user], plan.backward_segment[user])
            for user in order
            if value in plan.reads_back(user)
        ]
        if not plan.users[value]:
            reads.append((len(order), plan.forward_segment[value]))
        reads.append((forward[value], plan.forward_segment[value]))
        found["value", value] = _value_range(plan, value, reads)
        if not isinstance(stage.node, Image) and value not in plan.shared:
            all_values = [value, *(term for term, root in plan.shared.items() if root == value)]
            users = [user for at in all_values for user in plan.users[at]]
            starts = [backward[user] for user in users] or [len(order)]
            segments = {plan.backward_segment[at] for at in (*all_values, *users)}
            space = KEPT if len(segments) > 1 else WORKSPACE
            halo, last = gradient_halo(plan, stage), max(backward[at] for at in all_values)
            found["gradient", value] = LiveRange(
                stage.node.shape, halo, min(starts), last, space=space
            )
    for direction, tiling in plan.tilings.items():
        kind, value = direction
        scratch = tiling.scratch_for_weights if kind == "weights" else tiling.scratch
        step = forward[value] if kind == "forward" else backward[value]
        if kind == "weights" and value in plan.by_maps:
            scratch = vectors_at_work(tiling, plan.by_maps[value])
            sums = vectors_of_sums(tiling, lanes)
            steps = [step]
            if plan.segments > 1:
                segment = plan.backward_segment[value]
                steps += [backward[v] for v in order if plan.backward_segment[v] == segment]
                steps += [forward[v] for v in order if plan.forward_segment[v] == segment]
            found["products", value] = LiveRange((sums, 1, 1), Halo(), min(steps), max(steps))
        found[direction] = LiveRange((scratch, 1, 1), Halo(), step, step)
    return found


def _value_range(plan: Plan, value: int, reads: list[tuple[int, int]]) -> LiveRange:
    """From (step, segment) of the writing and of all readings of a value."""
    stage = plan.stages[value]
    steps = [step for step, _ in reads]
    whole = LiveRange(stage.node.shape, value_halo(plan, value), min(steps), max(steps))
    segments = sorted({segment for _, segment in reads})
    if len(segments) == 1:
        return whole
    if value not in plan.recomputed:
        return replace(whole, space=KEPT)
    forward = [step for step in steps if step <= len(plan.order)]  # at rest nothing is made anew
    turns = [forward, *([step for step, at in reads if at == segment] for segment in segments)]
    (first, last), *also = ((min(some), max(some)) for some in turns)
    return replace(whole, first=first, last=last, also=tuple(also))


def placed(ranges: dict[Key, LiveRange], start: int) -> tuple[dict[Key, Buffer], int]:
    """Buffers, largest first, each at the lowest address that is free for its live range."""
    found: dict[Key, tuple[Buffer, LiveRange]] = {}
    end = start
    sizes = {key: Buffer(0, one.shape, one.halo).size for key, one in ranges.items()}
    for key in sorted(ranges, key=lambda key: (-sizes[key], key)):
        live_range, size = ranges[key], sizes[key]
        taken = sorted(
            (other.start, other.start + other.size)
            for other, theirs in found.values()
            if theirs.meets(live_range)
        )
        at = start
        for low, high in taken:
            if at + size <= low:
                break
            at = max(at, high)
        buffer = Buffer(at, live_range.shape, live_range.halo, live_range.space)
        found[key] = (buffer, live_range)
        end = max(end, at + size)
    return {key: buffer for key, (buffer, _) in found.items()}, end
