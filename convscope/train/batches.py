"""How an epoch falls into batches, and how many of them a training has."""

from convscope.train.settings import Settings


def slices(n: int, size: int) -> list[slice]:
    """Batches of `size`; a last single picture joins the batch before, for batch norm's sake."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and size > 1 and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], n], strict=True)]


def total_steps(settings: Settings, batches: int) -> int | None:
    """How many steps a training has; None where minutes decide."""
    if settings.minutes is not None:
        return None
    return settings.steps if settings.steps is not None else settings.epochs * batches
