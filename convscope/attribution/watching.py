"""How attribution is followed while it is computed."""

from collections.abc import Callable
from dataclasses import dataclass

from convscope.attribution.result import Attribution


@dataclass(frozen=True)
class Watching:
    """What is called meanwhile; what one of them raises ends the work.

    Attributes:
        on_step: with the number of steps that are done, and of all: a random order, a map, its
            deletion and insertion, or its counterpart for random weights.
        on_map: with each map as soon as it is computed, before it is tested.
        on_batch: before each batch of images that the network sees.
    """

    on_step: Callable[[int, int], None] = lambda done, total: None
    on_map: Callable[[Attribution], None] = lambda found: None
    on_batch: Callable[[], None] = lambda: None


NOBODY = Watching()


class Steps:
    """Counts the steps of an attribution.

    Args:
        images, methods: how many there are.
        random_orders: of each image.
        random_weights: whether maps are computed again for them.
        on_step: see `Watching`.
    """

    def __init__(
        self,
        *,
        images: int,
        methods: int,
        random_orders: int,
        random_weights: bool,
        on_step: Callable[[int, int], None],
    ) -> None:
        self.of_method = 1 + bool(random_orders) + 2 * random_weights
        self._total = images * (random_orders + methods * self.of_method)
        self._done = 0
        self._on_step = on_step

    def add(self, count: int = 1) -> None:
        """So many more are done, or not needed."""
        self._done += count
        self._on_step(self._done, self._total)
