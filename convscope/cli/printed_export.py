"""What `convscope export` prints."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.rounding_table import batch_cell, rounding_lines, rounding_table
from convscope.conversion.api import Exported
from convscope.conversion.litert_file import LITERT_FILE
from convscope.conversion.torch_file import TORCH_FILE
from convscope.errors import shell_word
from convscope.words.screen import Screen, cell


def print_exported(exported: Exported, *, json: bool) -> None:
    """Print what was measured, and what to do next; notes go to standard error."""
    if json:
        print_json(_facts(exported))
        return
    screen = Screen()
    if exported.candidates:
        is_float = exported.precision == "float32"
        screen.print(_table(exported) if is_float else rounding_table(exported))
    for line in (*rounding_lines(exported), *_lines(exported)):
        screen.say(line)
    errors = Screen(stderr=True)
    for note in exported.notes:
        errors.say(in_flags(note))


def _lines(exported: Exported) -> Iterator[str]:
    path = shell_word(exported.path)
    if exported.folded is not None:
        yield _folded(exported.folded)
    for name, parity in (
        (f"{TORCH_FILE}, read back,", exported.torch),
        (f"{LITERT_FILE}, in LiteRT,", exported.litert),
    ):
        if parity is not None:
            yield f"{name} differs from the network by {parity.logits:.0e} of its largest output."
    if exported.url:
        yield f"Sent {exported.path} to {exported.url}."
    elif exported.candidates:
        yield f"Wrote {exported.path}. Next: convscope predict {path} IMAGE"
    else:
        yield f"Wrote {exported.path}; its README says how it is used."
    if exported.page is not None:
        folder = shell_word(exported.page)
        yield (
            f"The page: python -m http.server 8000 --bind 127.0.0.1 --directory {folder}, "
            "then open http://localhost:8000"
        )


def _folded(counts: Mapping[str, int]) -> str:
    if not counts:
        return "No filter is constant, or an exact copy of another, where it could be taken out."
    layers = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return (
        f"Filters taken out, constant ones and exact copies: {sum(counts.values()):,} ({layers})."
    )


def _facts(exported: Exported) -> dict[str, object]:
    return {
        "path": str(exported.path),
        "url": exported.url,
        "formats": [*exported.formats],
        "engine": exported.engine,
        "engines": {one.engine: one.to_dict() for one in exported.candidates},
        "torch": None if exported.torch is None else exported.torch.to_dict(),
        "litert": None if exported.litert is None else exported.litert.to_dict(),
        "folded": exported.folded,
        "page": None if exported.page is None else str(exported.page),
        "notes": [in_flags(note) for note in exported.notes],
    }


def _table(exported: Exported) -> Table:
    table = Table("engine", box=None, pad_edge=False)
    titles = ("p50", "p95", "rounds", "images/s", "load", "memory", "size", "difference")
    for title in (*titles, "from files"):
        table.add_column(title, justify="right")
    divides = any(candidate.split is not None for candidate in exported.candidates)
    if divides:
        table.add_column("batch")
    for candidate in exported.candidates:
        times, parity, costs = candidate.times, candidate.parity, candidate.footprint
        assert times is not None  # it agrees, and so it was timed
        assert parity is not None
        assert costs is not None
        cells = [
            candidate.engine,
            f"{times.p50 * 1000:.2f} ms",
            f"{times.p95 * 1000:.2f} ms",
            f"{times.fastest_round * 1000:.2f}-{times.slowest_round * 1000:.2f} ms",
            f"{times.rate:.0f}",
            f"{costs.load:.2f} s",
            "" if costs.memory is None else f"{costs.memory / 1e6:.0f} MB",
            f"{costs.size / 1e6:.1f} MB",
            f"{parity.logits:.0e}",
            f"{parity.end_to_end:.0e}",
        ]
        if divides:
            cells.append(batch_cell(candidate))
        table.add_row(*map(cell, cells))
    return table
