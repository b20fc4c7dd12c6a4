"""The lines between the filters of a level and those that they are made of."""

from collections.abc import Iterator

from convscope.levels.result import SHOWN_PARTS, HierarchyResult, Level

_LEAST = 0.01  # share that has a line
_WIDEST = 9  # pixels


def draw_lines(upper: Level, lower: Level, number: int) -> str:
    """An SVG as wide as the page; level `number` is above, its filters in equal columns."""
    places = {one.number: at for at, one in enumerate(lower.filters)}
    paths: list[str] = []
    for at, one in enumerate(upper.filters):
        for part, share in _linked(upper, one.number):
            if part not in places:
                continue
            x, y = (
                100 * (column + 0.5) / count
                for column, count in ((at, len(upper.filters)), (places[part], len(lower.filters)))
            )
            width = min(1 + 10 * abs(share), _WIDEST)
            sign = " minus" if share < 0 else ""
            paths.append(
                f'<path class="u{number}-{one.number} u{number - 1}-{part}{sign}" '
                f'd="M{x:.2f} 0C{x:.2f} 45 {y:.2f} 55 {y:.2f} 100" stroke-width="{width:.1f}"/>'
            )
    return (
        '<svg class="lines" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(paths)}</svg>"
    )


def line_style(result: HierarchyResult) -> str:
    """Rules by which a filter that is pointed to, focused or linked to has its lines and parts."""
    rules: list[str] = []
    for number, level in enumerate(result.levels):
        for one in level.filters:
            key = f"{number}-{one.number}"
            at = f"body:has(#f{key}:is(:hover,:focus-within,:target))"
            rules.append(f"{at} .u{key}{{opacity:1}}")
            if number:
                parts = ",".join(f"#f{number - 1}-{part}" for part, _ in _linked(level, one.number))
                rules.append(f"{at} :is({parts}){{outline-style:solid}}" if parts else "")
    return "".join(rules)


def _linked(level: Level, number: int) -> Iterator[tuple[int, float]]:
    parts = level[number].parts
    for part in [] if parts is None else parts.strongest(SHOWN_PARTS):
        share = parts.share(parts.added[part]) if parts is not None else None
        if share is not None and abs(share) >= _LEAST:
            yield part, share
