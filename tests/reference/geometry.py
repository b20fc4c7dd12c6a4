"""Sliding windows by hand: every window is laid down, every cell and pixel is listed."""

import itertools


def window_starts(
    size, kernel, *, stride=1, padding_before=0, padding_after=0, dilation=1, ceil_mode=False
):
    """Where each window begins, in cells of the input; negative ones lie in the padding before."""
    wide = [tap * dilation for tap in range(kernel)][-1] + 1
    starts = []
    start = -padding_before
    while start + wide <= size + padding_after:
        starts.append(start)
        start += stride
    if ceil_mode and start + wide < size + padding_after + stride:  # less than a stride outside
        starts.append(start)
    if ceil_mode and starts and starts[-1] >= size:
        starts.pop()
    return starts


def cells_read(size, kernel, **window):
    """The input cells that at least one window reads."""
    dilation = window.get("dilation", 1)
    starts = window_starts(size, kernel, **window)
    places = {start + tap * dilation for start in starts for tap in range(kernel)}
    return {place for place in places if 0 <= place < size}


def places_under(unit, chain):
    """The pixels under one unit, followed back tap by tap, in an image without borders.

    `chain` holds each layer's kernel, stride, dilation and padding before, the first layer first.
    """
    places = {unit}
    for layer in reversed(chain):
        places = {
            place * layer["stride"] - layer["padding_before"] + tap * layer["dilation"]
            for place in places
            for tap in range(layer["kernel"])
        }
    return places


def correlate(image, kernel, *, stride=1, padding=0):
    """Cross-correlation of one map with one filter: products under the filter, added up."""
    height, width = len(image), len(image[0])
    size = len(kernel)
    rows = range(-padding, height + padding - size + 1, stride)
    columns = range(-padding, width + padding - size + 1, stride)
    return [
        [
            sum(
                kernel[u][v] * image[row + u][column + v]
                for u in range(size)
                for v in range(size)
                if 0 <= row + u < height and 0 <= column + v < width
            )
            for column in columns
        ]
        for row in rows
    ]


def pool(image, size, stride, choose):
    """Pooling of one map: `choose` makes one number of the list of numbers in a window."""
    return [
        [
            choose([image[row + u][column + v] for u in range(size) for v in range(size)])
            for column in range(0, len(image[0]) - size + 1, stride)
        ]
        for row in range(0, len(image) - size + 1, stride)
    ]


def links(input, filters, kernel, *, stride=1, padding=0, groups=1):  # noqa: A002
    """Every product of a convolution as (unit, tap): unit (k, y, x), tap (channel, u, v).

    `input` is (channels, height, width). Taps in the padding count.
    """
    channels, height, width = input
    rows = window_starts(
        height, kernel, stride=stride, padding_before=padding, padding_after=padding
    )
    columns = window_starts(
        width, kernel, stride=stride, padding_before=padding, padding_after=padding
    )
    for k, y, x in itertools.product(range(filters), range(len(rows)), range(len(columns))):
        group = k // (filters // groups)
        for channel in range(channels):
            if channel // (channels // groups) == group:
                for u, v in itertools.product(range(kernel), repeat=2):
                    yield (k, y, x), (channel, u, v)


class Pixels:
    """The set of pixels that each unit sees along one axis, written out."""

    def __init__(self, units):
        self.units = [frozenset(unit) for unit in units]

    @classmethod
    def image(cls, pixels):
        return cls({pixel} for pixel in range(pixels))

    def read(self, places):
        """One unit that reads the units at `places`, of which some may be outside."""
        inside = [self.units[place] for place in places if 0 <= place < len(self.units)]
        return frozenset().union(*inside)

    def window(self, kernel, *, stride=1, padding_before=0, padding_after=0, dilation=1):
        starts = window_starts(
            len(self.units),
            kernel,
            stride=stride,
            padding_before=padding_before,
            padding_after=padding_after,
            dilation=dilation,
        )
        return Pixels(
            self.read(start + tap * dilation for tap in range(kernel)) for start in starts
        )

    def transposed(self, kernel, *, stride=1, padding=0, dilation=1, output_padding=0):
        """Each unit writes to `kernel` places of the output; padding is cut off both ends."""
        length = (len(self.units) - 1) * stride + dilation * (kernel - 1) + 1 + output_padding
        written = [set() for _ in range(length)]
        for place, unit in enumerate(self.units):
            for tap in range(kernel):
                written[place * stride + tap * dilation] |= unit
        return Pixels(written[padding : length - padding])

    def adaptive(self, output):
        count = len(self.units)
        return Pixels(
            self.read(
                place
                for place in range(count)
                if unit * count < (place + 1) * output and place * output < (unit + 1) * count
            )
            for unit in range(output)
        )

    def union(self, other):
        return Pixels(one | two for one, two in zip(self.units, other.units, strict=True))

    def boxes(self):
        """What `Support` says of the same units."""
        return [(min(unit), max(unit) + 1) if unit else None for unit in self.units]
