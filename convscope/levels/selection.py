"""Which filters of a level are shown, and what they are made of."""

from collections.abc import Sequence

from convscope.features.patches.result import LayerPatches
from convscope.levels.result import SHOWN_PARTS, Parts

CLASSES = 10
"""Classes that are shown unless some are named."""


def choose_filters(layer: LayerPatches, above: Sequence[Parts], count: int) -> list[int]:
    """The filters of which the shown ones of the level above are made most.

    One after another the filter with the largest shares, added up over those above that have none
    of their four largest parts among the chosen ones yet; when all have one, over all of them.
    Filters without patches, as dead ones, are left out. Without a level above, the most selective
    ones are taken. They are returned in the order of the layer.
    """
    alive = [one.filter for one in layer.filters if one.patches]
    if not above:
        alive.sort(key=lambda k: (-(layer.filters[k].summary.selectivity or 0), k))
        return sorted(alive[:count])
    shares = [[abs(share or 0) for share in parts.shares] for parts in above]
    largest = [set(parts.strongest(SHOWN_PARTS)) for parts in above]
    in_all = {k: sum(own[k] for own in shares) for k in alive}
    chosen: list[int] = []
    while len(chosen) < min(count, len(alive)):
        rest = [k for k in alive if k not in chosen]
        unlinked = [n for n, own in enumerate(largest) if own.isdisjoint(chosen)]
        linking = {k: sum(shares[n][k] for n in unlinked if k in largest[n]) for k in rest}
        chosen.append(max(rest, key=lambda k: (linking[k], in_all[k], -k)))
    return sorted(chosen)


def choose_classes(layer: LayerPatches, named: Sequence[int]) -> list[int]:
    """The classes that are named, or else the first ten."""
    alive = [one.filter for one in layer.filters if one.patches]
    return list(named) if named else alive[:CLASSES]
