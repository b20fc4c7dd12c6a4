"""The page of a study: the table, and the accuracies with their intervals as a picture."""

from statistics import fmean

from convscope.studies.curves import curves
from convscope.studies.result import StudyResult, mean_interval
from convscope.words import escape_html
from convscope.words.html_page import html_page

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --ink: #1c1e21; --quiet: #5d636b; --rule: #dcdcd6; --bar: #1f6feb;
  --c0: #1f6feb; --c1: #b35900; --c2: #1a7f37; --c3: #a0278f; --c4: #555; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171a; --ink: #e8e8e4; --quiet: #9da3ab; --rule: #33373d; --bar: #6ea8ff;
  --c0: #6ea8ff; --c1: #f0a35e; --c2: #5fcf80; --c3: #e58ad8; --c4: #b8b8b8; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 1280px; margin: 0 auto; padding: 0 20px 20px; }
header { padding-top: 28px; }
h1 { font-size: 22px; margin: 0 0 6px; }
p { color: var(--quiet); margin: 4px 0; max-width: 80ch; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: 16px; }
th { text-align: left; font-weight: 500; padding: 4px 16px 4px 0; white-space: nowrap; }
td { text-align: right; padding: 4px 12px; white-space: nowrap; }
tr { border-top: 1px solid var(--rule); }
thead { color: var(--quiet); font-size: 13px; }
h2 { font-size: 17px; margin: 28px 0 0; }
.pair { display: flex; flex-wrap: wrap; gap: 8px 32px; } figure { margin: 8px 0; flex: 1 1 420px; max-width: 560px; }
figcaption { color: var(--quiet); }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round; } svg .lead { stroke-width: 1; }
polyline.c0, svg line.c0 { stroke: var(--c0); } svg text.c0 { fill: var(--c0); }
polyline.c1, svg line.c1 { stroke: var(--c1); } svg text.c1 { fill: var(--c1); }
polyline.c2, svg line.c2 { stroke: var(--c2); } svg text.c2 { fill: var(--c2); }
polyline.c3, svg line.c3 { stroke: var(--c3); } svg text.c3 { fill: var(--c3); }
polyline.c4, svg line.c4 { stroke: var(--c4); } svg text.c4 { fill: var(--c4); }
svg { width: 100%; max-width: 640px; height: auto; display: block; margin-top: 20px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); }
svg line { stroke: var(--bar); stroke-width: 3; }  svg circle { fill: var(--bar); } svg .seed { fill: var(--paper); stroke: var(--bar); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
"""  # noqa: E501


def page(result: StudyResult) -> str:
    """The page as HTML."""
    header, *rows = (row[:-2] for row in result.rows())  # the curves say more of shifts
    head = f"<th>{header[0]}</th>" + "".join(f"<td>{escape_html(name)}</td>" for name in header[1:])
    body = "".join(
        f"<tr><th>{escape_html(row[0])}</th>"
        + "".join(f"<td>{escape_html(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    about = "".join(f"<p>{escape_html(line)}</p>" for line in result.lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return html_page(
        title=f"Study of {result.study} on {result.data}",
        style=_STYLE,
        header=about,
        main=f'{_picture(result)}<div class="wide">{table}</div>{_shifts(result)}',
    )


def _shifts(result: StudyResult) -> str:
    """Two pictures side by side: answers that stay, maps that move along."""
    unit = "shift of the image in pixels"
    pictures = (
        ("Answers that stay the same", [(each.name, each.answers) for each in result.variants]),
        ("Maps that move along (correlation)", [(v.name, v.maps) for v in result.variants]),
    )
    figures = "".join(
        f"<figure><figcaption>{title}</figcaption>{curves(title, unit, lines)}</figure>"
        for title, lines in pictures
    )
    return f'<h2>When the image is shifted</h2><div class="pair">{figures}</div>'


def _picture(result: StudyResult) -> str:
    """Each mean accuracy as a point with its interval, and a small ring for each seed.

    One axis, which does not begin at 0.
    """
    bounds = [mean_interval(variant.accuracies) for variant in result.variants]
    low = max(0.0, min(low for low, _ in bounds) - 0.005)
    high = min(1.0, max(high for _, high in bounds) + 0.005)

    def across(value: float) -> float:
        return 150 + 455 * (min(max(value, low), high) - low) / max(high - low, 1e-9)

    height = 30 * len(bounds) + 40
    parts = [
        f'<line class="grid" x1="{across(tick):.1f}" x2="{across(tick):.1f}" y1="10" '
        f'y2="{height - 24}"/><text x="{across(tick):.1f}" y="{height - 8}" '
        f'text-anchor="middle">{tick:.1%}</text>'
        for tick in (low, (low + high) / 2, high)
    ]
    for number, (variant, (start, stop)) in enumerate(zip(result.variants, bounds, strict=True)):
        y = 26 + 30 * number
        parts.append(
            f'<text x="0" y="{y + 4}">{escape_html(variant.name)}</text>'
            f'<line x1="{across(start):.1f}" x2="{across(stop):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{across(fmean(variant.accuracies)):.1f}" cy="{y}" r="5"/>'
        )
        parts += [
            f'<circle class="seed" cx="{across(value):.1f}" cy="{y}" r="3"/>'
            for value in variant.accuracies
        ]
    title = "<title>Test accuracy: mean with its 95% interval, and a ring for each seed</title>"
    return f'<svg viewBox="0 0 640 {height}" role="img">{title}{"".join(parts)}</svg>'
