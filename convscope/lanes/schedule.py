"""Between which nodes a step waits for the whole batch, and the order that waits least."""

from collections.abc import Sequence
from dataclasses import replace

from convscope.lanes.graph import BatchNorm, Node


def scheduled(nodes: Sequence[Node]) -> list[Node]:
    """The nodes in an order in which every batch norm that can waits together with others.

    A node belongs as late as its readers allow: what a skip connection computes lies beside the sum
    that reads it, and crosses no barrier. Without batch norm the order stays.
    """
    waits = [0] * len(nodes)  # barriers between a node and the end
    for index in reversed(range(len(nodes))):
        more = isinstance(nodes[index], BatchNorm)
        for before in nodes[index].inputs:
            waits[before] = max(waits[before], waits[index] + more)
    order = sorted(range(len(nodes)), key=lambda index: (-waits[index], index))
    place = {index: at for at, index in enumerate(order)}
    return [
        replace(nodes[index], inputs=tuple(place[i] for i in nodes[index].inputs))
        for index in order
    ]
