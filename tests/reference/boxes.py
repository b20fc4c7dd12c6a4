"""Boxes by slow loops over single numbers, as the papers and the evaluations say it in words."""

import math


def iou(one, other):
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    union = size(one) + size(other) - common
    return common / union if union > 0 else 0.0


def size(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def generalized_iou(one, other):
    hull = (min(one[0], other[0]), min(one[1], other[1]),
            max(one[2], other[2]), max(one[3], other[3]))  # fmt: skip
    common = iou(one, other) * (size(one) + size(other)) / (1 + iou(one, other))
    union = size(one) + size(other) - common
    return iou(one, other) - (size(hull) - union) / size(hull)


def suppress(boxes, scores, labels, max_overlap):
    """Take the best box that is left, strike out those of its class that overlap it, repeat."""
    left = list(range(len(boxes)))
    kept = []
    while left:
        best = left[0]
        for index in left:
            if scores[index] > scores[best]:
                best = index
        kept.append(best)
        left = [
            index
            for index in left
            if index != best
            and not (labels[index] == labels[best] and iou(boxes[index], boxes[best]) > max_overlap)
        ]
    return kept


def decode(numbers, coding):
    """Boxes (center x, center y, width, height), confidence and probabilities of one image.

    `numbers` are the outputs of the image, a list; the result is by (row, column, box).
    """
    rows, columns = coding.grid

    def at(channel, row, column):
        return numbers[(channel * rows + row) * columns + column]

    found = {}
    for row in range(rows):
        for column in range(columns):
            for box in range(coding.num_boxes):
                if coding.name == "anchors":
                    first = box * (5 + coding.num_classes)
                    x, y, u, v, o = (at(first + k, row, column) for k in range(5))
                    height, width = coding.anchors[box]
                    raw = [at(first + 5 + k, row, column) for k in range(coding.num_classes)]
                    total = sum(math.exp(value) for value in raw)
                    placed = ((column + sigmoid(x)) / columns, (row + sigmoid(y)) / rows,
                              width * math.exp(u), height * math.exp(v))  # fmt: skip
                    found[row, column, box] = (
                        placed, sigmoid(o), [math.exp(value) / total for value in raw]
                    )  # fmt: skip
                else:
                    x, y, u, v, o = (at(5 * box + k, row, column) for k in range(5))
                    first = 5 * coding.num_boxes
                    raw = [at(first + k, row, column) for k in range(coding.num_classes)]
                    placed = ((column + x) / columns, (row + y) / rows, u * u, v * v)
                    found[row, column, box] = (placed, o, raw)
    return found


def sigmoid(value):
    return 1 / (1 + math.exp(-value))
