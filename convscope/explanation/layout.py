"""An explanation as blocks: what it is, the calculation, what it adds up to, what it sees."""

from convscope.explanation.blocks import Block, Ledger, Words
from convscope.explanation.calculation import calculation
from convscope.explanation.explanation import Explanation
from convscope.terms import Sum, exact_sum, number


def blocks_of(explanation: Explanation, *, top: int = 4) -> list[Block]:
    """Everything a person wants to see; of channels and of terms the `top` largest in full."""
    one = explanation
    took = f" of {', '.join(one.operands)}" if one.operands else ""
    title = one.formula.partition(" = ")[0] if one.kind == "difference" else one.location
    blocks: list[Block] = [
        Words(f"{title} = {number(one.model_value)}   ({one.kind}{took})"),
        Words(one.formula),
    ]
    blocks += calculation(one.decomposition, one, top)
    blocks.append(_ledger(one))
    if not one.is_within_tolerance and one.decomposition.kind != "unsupported":
        blocks.append(
            Words("More than rounding: were its parameters changed after the recording was made?")
        )
    sees = _sees(one)
    return [*blocks, Words(sees)] if sees else blocks


def _ledger(one: Explanation) -> Ledger:
    """What adds up, line by line, to the total; and what the network recorded."""
    rows: list[tuple[str, str]] = []
    decomposition = one.decomposition
    rows += [(f"{line.label} {line.text}", number(line.value)) for line in decomposition.lines]
    if isinstance(decomposition, Sum) and (
        decomposition.bias or decomposition.bias_location or decomposition.divisor != 1
    ):
        products = exact_sum(decomposition.terms.products.tolist())
        rows.append((f"sum of {_counted(len(decomposition.terms))}", number(products, signs=9)))
        if decomposition.bias or decomposition.bias_location:
            where = f" {decomposition.bias_location}" if decomposition.bias_location else ""
            rows.append((f"bias{where}", number(decomposition.bias, signs=9)))
        if decomposition.divisor != 1:
            rows.append(("divided by", number(decomposition.divisor)))
    if decomposition.kind != "unsupported":
        rows.append(("total", number(one.exact_value, signs=9)))
    rows.append(("recorded", number(one.model_value, signs=9)))
    if decomposition.kind != "unsupported":
        rows.append((f"difference{_within(one)}", number(one.difference, signs=3)))
    return Ledger((), tuple(rows))


def _counted(count: int) -> str:
    return "1 product" if count == 1 else f"{count:,} products"


def _within(one: Explanation) -> str:
    if not one.tolerance:
        return "" if one.is_within_tolerance else " (not what was recorded)"
    bound = number(one.tolerance, signs=2)
    return (
        f" (by rounding, at most {bound})"
        if one.is_within_tolerance
        else f" (rounding makes {bound} at most)"
    )


def _sees(one: Explanation) -> str:
    field = one.receptive_field
    if field is None:
        return ""
    if any(part is None for part in field.clipped):
        return "It sees nothing of the image: padding alone."
    spans = [f"{number(first)} to {number(end - 1)}" for first, end in field.box]
    sizes = "x".join(str(end - first) for first, end in field.box)
    named = (
        [f"rows {spans[0]}", f"columns {spans[1]}"]
        if len(spans) == 2
        else [f"axis {n}: {span}" for n, span in enumerate(spans)]
    )
    most = "It sees" if field.exact else "It sees at most"
    inside = "" if field.fraction == 1 else f", {field.fraction:.1%} of it inside"
    return f"{most} {' and '.join(named)} of the image ({sizes}{inside})."
