"""How channels pass through each kind of operation: a table of rules."""

from collections.abc import Mapping

from convscope.pruning import passing, weighted
from convscope.pruning.follower import Rule
from convscope.recording import get_kind
from convscope.recording.kinds import FieldEffect
from convscope.recording.kinds import Rule as KindRule

_BY_KIND: Mapping[str, Rule] = {"squeeze": passing.squeeze, "unsqueeze": passing.unsqueeze}
_BY_RULE: Mapping[KindRule, Rule] = {
    "convolution": weighted.convolution,
    "dense": weighted.linear,
    "batch_norm": weighted.batch_norm,
    "prelu": weighted.prelu,
    "min_pool": passing.first,
    "softmax": passing.along,
}
_BY_FIELD: Mapping[FieldEffect, Rule] = {
    "elementwise": passing.same,
    "pool": passing.first,
    "adaptive_pool": passing.first,
    "resize": passing.first,
    "reduction": passing.reduction,
    "reshape": passing.reshape,
    "permute": passing.permute,
    "concatenation": passing.concatenation,
    "pad": passing.pad,
    "index": passing.item,
}


def rule_of(kind: str) -> Rule | None:
    """The rule of a kind of operation; None where channels cannot be followed through it."""
    row = get_kind(kind)
    by_rule = None if row.rule is None else _BY_RULE.get(row.rule)
    return _BY_KIND.get(kind) or by_rule or _BY_FIELD.get(row.field)
