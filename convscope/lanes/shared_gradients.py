"""Sums whose gradient is, in the same memory, that of the terms: nothing is copied."""

from convscope.lanes.graph import Image, Sum
from convscope.lanes.halos import gradient_halo
from convscope.lanes.stages import Plan, Stage


def shared_gradients(plan: Plan) -> dict[int, int]:
    """For terms of sums the value whose gradient is theirs too.

    A term qualifies if the sum is the first that gives it a gradient. What is added to it later, or
    its activation, changes the memory in place, and so must come after the other term is done.
    """
    root: dict[int, int] = {}
    for value in reversed(plan.order):
        stage = plan.stages[value]
        if isinstance(stage.node, Sum) and gradient_halo(plan, stage).is_empty:
            for term in _sharing(plan, stage):
                root[term] = root.get(value, value)
    return root


def _sharing(plan: Plan, stage: Stage) -> list[int]:
    """The terms of one sum that can share its gradient."""
    one, two = stage.inputs
    found = [term for term in {one, two} if one != two and _qualifies(plan, stage, term)]
    for term, other in ((one, two), (two, one)):
        if {one, two} <= {*found} and (changes := _first_change(plan, stage, term)) is not None:
            # a stage is on its way back the earlier the later it is computed
            done = _first_change(plan, stage, other) is None and other > changes
            found = found if done else [other]
    return found


def _qualifies(plan: Plan, stage: Stage, term: int) -> bool:
    before = plan.stages[term]
    is_first = max(plan.users[term]) == stage.value
    free = gradient_halo(plan, before).is_empty and not isinstance(before.node, Image)
    return is_first and free


def _first_change(plan: Plan, stage: Stage, term: int) -> int | None:
    """The stage whose way back first changes a term's gradient; None if it is only read."""
    others = [user for user in plan.users[term] if user != stage.value]
    acts = [term] if plan.stages[term].act else []
    return max(others + acts, default=None)
