"""How the outputs of a detector stand for boxes; without torch."""

from dataclasses import dataclass
from typing import Literal

from convscope.errors import RequestError

CodingName = Literal["yolo-2016", "anchors"]
"""What the outputs of a cell mean. In both, (row, column) is the cell in a grid of R x C cells, a
share of the image's height and width is meant by every size, and the score of a class is its
probability times the confidence.

- `yolo-2016`: of each of B boxes x, y, u, v and the confidence, then one probability for each
  class, which the boxes of a cell share. The center is ((column + x)/C, (row + y)/R), the width u²
  and the height v²: Redmon et al., 2016, sections 2 and 2.2. All outputs are linear.
- `anchors`: of each of B boxes x, y, u, v, o and a number for each class. The center is
  ((column + s(x))/C, (row + s(y))/R), with the sigmoid s; of an anchor (h, w), the width is
  w·exp(u) and the height h·exp(v); s(o) is the confidence, and probabilities are the softmax of the
  classes' numbers: Redmon & Farhadi, 2017, "YOLO9000", section 2, with shares for cells.
"""

LossName = Literal["squares", "giou"]
"""What training minimizes, see `convscope.boxes.loss`: `squares` is the paper's sum of squares,
`giou` the generalized IoU with cross-entropies."""

CODINGS: tuple[CodingName, ...] = ("yolo-2016", "anchors")
LOSSES: dict[str, tuple[LossName, ...]] = {
    "yolo-2016": ("squares",),
    "anchors": ("giou", "squares"),
}
"""The losses of each coding; `giou` needs logits. The first one is the default."""

MAX_CELLS = 2**16
MAX_BOXES = 64  # of a cell
MAX_SIDE = 4.0  # of an anchor, in sides of the image


@dataclass(frozen=True, kw_only=True)
class BoxCoding:
    """What the outputs of a detector mean.

    A network returns them as (n, num_outputs): maps of `channels` x rows x columns, flattened.

    Attributes:
        name: see CodingName.
        grid: rows and columns of cells.
        num_classes: classes that a box can be of.
        num_boxes: boxes of each cell.
        anchors: (height, width) of each of these, as shares of the image's; none for `yolo-2016`.
        loss: what the network is trained to minimize.
    """

    name: CodingName
    grid: tuple[int, int]
    num_classes: int
    num_boxes: int
    anchors: tuple[tuple[float, float], ...] = ()
    loss: LossName = "squares"

    def __post_init__(self) -> None:
        problems = [
            (self.name not in CODINGS, f"has name={self.name!r}; allowed: {', '.join(CODINGS)}"),
            (
                min(self.grid) < 1 or self.grid[0] * self.grid[1] > MAX_CELLS,
                f"has the impossible grid {self.grid}; allowed: 1 to {MAX_CELLS:,} cells",
            ),
            (self.num_classes < 1, f"has {self.num_classes} classes"),
            (
                not 1 <= self.num_boxes <= MAX_BOXES,
                f"has {self.num_boxes} boxes in each cell; allowed: 1 to {MAX_BOXES}",
            ),
            (
                len(self.anchors) != (self.num_boxes if self.name == "anchors" else 0),
                f"has {len(self.anchors)} anchors for {self.num_boxes} boxes of {self.name!r}",
            ),
            (
                not all(0 < side <= MAX_SIDE for anchor in self.anchors for side in anchor),
                f"has anchors {self.anchors}; allowed: sides above 0, up to {MAX_SIDE:g}",
            ),
            (
                self.loss not in (allowed := LOSSES.get(self.name, ())),
                f"has loss={self.loss!r}; of {self.name!r} allowed: {', '.join(allowed)}",
            ),
        ]
        for is_wrong, problem in problems:
            if is_wrong:
                raise RequestError(f"The coding of boxes {problem}.")

    @property
    def channels(self) -> int:
        """Numbers that the network returns for a cell."""
        if self.name == "anchors":
            return self.num_boxes * (5 + self.num_classes)
        return self.num_boxes * 5 + self.num_classes

    @property
    def num_outputs(self) -> int:
        """Numbers that the network returns for an image.

        >>> BoxCoding(name="yolo-2016", grid=(7, 7), num_classes=20, num_boxes=2).num_outputs
        1470
        """
        return self.channels * self.grid[0] * self.grid[1]
