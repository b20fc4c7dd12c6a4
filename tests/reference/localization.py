"""ILSVRC's rule for localization, as its evaluation kit says it, by loops over single numbers."""

from tests.reference.boxes import iou


def error(guesses, truth, boxes):
    """0 or 1 for one image: min over guesses of min over true boxes of max(d, f).

    d is 0 where the guessed class is the true one, f is 0 where the overlap is at least one half.
    """
    least = 1
    for label, box in guesses:
        d = 0 if label == truth else 1
        for true in boxes:
            f = 0 if box is not None and iou(box, true) >= 0.5 else 1
            least = min(least, max(d, f))
    return least


def largest_part(values, threshold):
    """The box of the largest part above a share of the maximum, by filling from each pixel."""
    height, width = values.shape
    limit = threshold * max(values[y, x] for y in range(height) for x in range(width))
    seen, best = set(), []
    for y in range(height):
        for x in range(width):
            if (y, x) in seen or not values[y, x] > limit:
                continue
            part, waiting = [], [(y, x)]
            seen.add((y, x))
            while waiting:
                row, column = waiting.pop()
                part.append((row, column))
                for there in (
                    (row - 1, column),
                    (row + 1, column),
                    (row, column - 1),
                    (row, column + 1),
                ):
                    inside = 0 <= there[0] < height and 0 <= there[1] < width
                    if inside and there not in seen and values[there] > limit:
                        seen.add(there)
                        waiting.append(there)
            if len(part) > len(best):
                best = part
    rows, columns = [one[0] for one in best], [one[1] for one in best]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1
