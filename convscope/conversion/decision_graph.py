"""What follows from probabilities, by the rules of a card, as ONNX.

The same in NumPy is `convscope.predictions.decided`.
"""

from convscope.card import Card
from convscope.decision_rules import PredictionSets


def decision(card: Card) -> tuple[str, str]:
    """Lines that compute the answers from `probabilities` and `cooled`, and their declarations."""
    count = len(card.classes)
    if card.task == "multi-label":
        lines = constant("thresholds", list(card.label_thresholds), (count,))
        lines += "labels = GreaterOrEqual (probabilities, thresholds)\n"
        return lines, f", bool[n, {count}] labels"
    lines, results = _label(card), ", int64[n] label"
    if card.abstention is not None:
        lines += "of_classes = Constant <value = int64[1] {1}> ()\n"
        certainty = "ReduceMax <keepdims = 0> (probabilities, of_classes)"
        if card.abstention.by == "energy":
            certainty = "Mul (log_sum, temperature)"
            lines += "log_sum = ReduceLogSumExp <keepdims = 0> (cooled, of_classes)\n"
        lines += f"certainty = {certainty}\n"
        lines += constant("least_certainty", [card.abstention.threshold], ())
        lines += "is_sure = GreaterOrEqual (certainty, least_certainty)\n"
        results += ", bool[n] is_sure"
    if card.prediction_sets is not None:
        lines += _set(card.prediction_sets, count)
        results += f", bool[n, {count}] set"
    return lines, results


def constant(name: str, values: list[float], shape: tuple[int, ...]) -> str:
    """A line that defines float32 numbers."""
    sides = f"[{', '.join(map(str, shape))}]" if shape else ""
    numbers = ", ".join(f"{value:.9e}" for value in values)
    return f"{name} = Constant <value = float{sides} {{{numbers}}}> ()\n"


def _label(card: Card) -> str:
    """Lines that compute `label`, of equal classes the first."""
    count = len(card.classes)
    if card.costs is not None:
        lines = constant("costs", [cost for row in card.costs for cost in row], (count, count))
        lines += "expected_costs = MatMul (probabilities, costs)\n"
        return lines + "label = ArgMin <axis = 1, keepdims = 0> (expected_costs)\n"
    if card.operating_point is None:
        return "label = ArgMax <axis = 1, keepdims = 0> (probabilities)\n"
    index = card.classes.index(card.operating_point.positive)
    flags = [2.0 * (k == index) for k in range(count)]
    lines = constant("of_positive", flags, (count,))
    lines += constant("threshold", [card.operating_point.threshold], ())
    lines += "others = Sub (probabilities, of_positive)\n"
    lines += "other = ArgMax <axis = 1, keepdims = 0> (others)\n"
    lines += f"positive = Constant <value = int64 {{{index}}}> ()\n"
    lines += "of_positives = Gather <axis = 1> (probabilities, positive)\n"
    lines += "is_positive = GreaterOrEqual (of_positives, threshold)\n"
    return lines + "label = Where (is_positive, positive, other)\n"


def _set(rule: PredictionSets, count: int) -> str:
    """Lines that compute `set`."""
    lines = constant("quantile", [rule.quantile], ())
    if rule.method == "lac":
        lines += constant("all", [1.0], ()) + "scores = Sub (all, probabilities)\n"
        lines += "is_in = LessOrEqual (scores, quantile)\n"
        lines += "first = ArgMax <axis = 1, keepdims = 1> (probabilities)\n"
        numbers = ", ".join(map(str, range(count)))
        lines += f"numbers = Constant <value = int64[{count}] {{{numbers}}}> ()\n"
        lines += "is_first = Equal (numbers, first)\n"
        lines += "set = Or (is_in, is_first)\n"
    else:
        lines += "columns = Constant <value = int64[1] {2}> ()\n"
        lines += "rows = Constant <value = int64[1] {1}> ()\n"
        lines += "of_each = Unsqueeze (probabilities, columns)\n"  # (n, classes, 1)
        lines += "of_others = Unsqueeze (probabilities, rows)\n"  # (n, 1, classes)
        lines += "is_more = Greater (of_others, of_each)\n"
        lines += "weights = Cast <to = 1> (is_more)\n"
        lines += "sums = MatMul (weights, of_each)\n"
        lines += "scores = Squeeze (sums, columns)\n"
        lines += "set = LessOrEqual (scores, quantile)\n"
    return lines
