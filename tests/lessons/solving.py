"""Reads a question as a person does, and builds in torch what it describes."""

import re

import torch
from torch import nn


def integers(pattern, text):
    """The numbers of a pattern's groups."""
    found = re.search(pattern, text)
    assert found, (pattern, text)
    return [int(group.replace(",", "").replace("−", "-")) for group in found.groups() if group]


def number(pattern, text, absent=None):
    """The only number of a pattern; `absent` where the text has no such words."""
    if absent is not None and not re.search(pattern, text):
        return absent
    return integers(pattern, text)[0]


def decimals(text):
    """`w = −1.4` and the learning rate, by their letters."""
    found = dict(re.findall(r"\b([wgvmd]) = ([−\d.]*\d)", text))
    found["rate"] = re.search(r"learning rate is ([\d.]*\d)", text)[1]
    return {name: float(value.replace("−", "-")) for name, value in found.items()}


def volume(text):
    return tuple(integers(r"(\d+)@(\d+)×(\d+)", text))


def image(text):
    return tuple(integers(r"images of (\d+)@(\d+)×(\d+)", text))


def input_of(text):
    """(channels, height, width) of what meets the layer."""
    if text.startswith("A gray image"):
        return (1, *integers(r"image of (\d+)×(\d+)", text))
    return volume(text)


def window(text):
    """The window's numbers in torch's words."""
    kernel_height, kernel_width = integers(r"(\d+)×(\d+)(?:, stride| over)", text)
    return dict(
        kernel_size=(kernel_height, kernel_width),
        stride=number(r"stride (\d+)", text, 1),
        padding=number(r"padding (\d+) on", text, 0),
        dilation=number(r"dilation (\d+)", text, 1),
    )


def conv(text):
    """The convolution of a question, without memory for its weights."""
    text = re.split(r"; then comes", text)[0]
    filters = number(r"(\d+) +filters", text, 1)
    channels = volume(text)[0] if "@" in text and re.search(r"\d@\d", text) else 1
    groups = number(r"in (\d+) groups", text, 1)
    window_text = re.search(r"filters? of (?:size )?(.*)", text)[1]
    return nn.Conv2d(channels, filters, **window(window_text), groups=groups, device="meta")


def pool(text):
    text = re.search(
        r"max pooling of (\d+)×\d+(?:,| with) stride (\d+)(?:.*padding (\d+) on)?", text
    )
    assert text
    return nn.MaxPool2d(int(text[1]), int(text[2]), padding=int(text[3] or 0))


def shape(net, size):
    """The shape behind a network, of nothing but shapes."""
    with torch.no_grad():
        return tuple(net(torch.empty(1, *size, device="meta")).shape[1:])


def count(*nets):
    return sum(weights.numel() for net in nets for weights in net.parameters())


def grid(task, place):
    return torch.tensor(task.grids[place].rows, dtype=torch.float32)


def network(task):
    """The layers of a question's table, by name."""
    maps, height, width = image(task.question)
    layers, flat = {}, False
    for row in task.table.rows:
        cells = dict(zip(task.table.head, row, strict=True))
        name, size = cells["layer"], cells["size"]
        if not size:
            inputs = maps if flat else maps * height * width
            layers[name] = nn.Linear(inputs, int(cells["filters"]), device="meta")
            maps, flat = int(cells["filters"]), True
            continue
        side, stride = int(size.split("×")[0]), int(cells["stride"])
        if cells["filters"]:
            layers[name] = nn.Conv2d(
                maps,
                int(cells["filters"]),
                side,
                stride,
                padding=int(cells.get("padding") or 0),
                groups=int(cells.get("groups") or 1),
                device="meta",
            )
        else:
            layers[name] = nn.MaxPool2d(side, stride)
        maps, height, width = shape(layers[name], (maps, height, width))
    return layers
