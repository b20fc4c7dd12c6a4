"""Solvers of the questions on why images are convolved, on steps, groups and challenges."""

import math
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.lessons.solving import conv, grid, image, integers, network, number, shape, volume


def dense_edges(task):
    units = number(r"layer has ([\d,]+) units", task.question)
    return math.prod(volume(task.question)) * units


def bird_layer(task):
    filters, height, width = integers(r"(\d+) filters of (\d+)×(\d+) slide", task.question)
    return nn.Conv2d(volume(task.question)[0], filters, (height, width), device="meta")


def edges_of(layer, size):
    return math.prod(shape(layer, size)) * layer.weight[0].numel()


def small_edges(task):
    return edges_of(bird_layer(task), volume(task.question))


def shared_weights(task):
    return bird_layer(task).weight.numel()


def pixels_seen(task):
    side, other = integers(r"window of (\d+)×(\d+)", task.question)
    seen = torch.zeros(volume(task.question)[1:])
    seen[:side, :other] = 1
    return Fraction(int(seen.sum()), seen.numel())


def difference(task):
    shift = number(r"pixel (\d+) further", task.question, 1)
    row = grid(task, 0)[0].double()
    return (row[shift:] - row[:-shift]).abs().mean().item()


def unexplained(task):
    """By a line through points that have this correlation."""
    r = float(re.search(r"r = ([−\d.]+\d)", task.question)[1].replace("−", "-"))
    x, noise = np.array([1.0, 1, -1, -1]), np.array([1.0, -1, 1, -1])
    y = r * x + math.sqrt(1 - r * r) * noise
    assert np.corrcoef(x, y)[0, 1] == r or abs(np.corrcoef(x, y)[0, 1] - r) < 1e-12
    line = np.polyfit(x, y, 1)
    return float(np.var(y - np.polyval(line, x)) / np.var(y))


def pairs(task):
    height, width = integers(r"picture of (\d+)×(\d+)", task.question)
    pixels = torch.zeros(height, width)
    if "to its right" in task.question:
        return pixels[:, number(r"one (\d+) to its", task.question) :].numel()
    return pixels[number(r"one (\d+) below", task.question) :].numel()


def bits(task):
    height, width, small = integers(
        r"picture of (\d+)×(\d+).* before it in (\d+) bits", task.question
    )
    stored = sum(small if column else 8 for _ in range(height) for column in range(width))
    return height * width * 8 - stored if "does that save" in task.question else stored


def subsampled(task):
    step = number(r"subsampled by (\d+)", task.question)
    return tuple(torch.zeros(volume(task.question))[:, ::step, ::step].shape)


def saved_weights(task):
    step = number(r"subsampled by (\d+)", task.question)
    units = number(r"layer of ([\d,]+) units", task.question)
    pixels = torch.zeros(volume(task.question))
    sizes = [pixels.numel(), pixels[:, ::step, ::step].numel()]
    before, after = (nn.Linear(size, units, device="meta").weight.numel() for size in sizes)
    return before - after


def values_left(task):
    pixels = left = torch.zeros(volume(task.question))
    for step in map(int, re.findall(r"by (\d+)", task.question)):
        left = left[:, ::step, ::step]
    return Fraction(left.numel(), pixels.numel())


def strided(task):
    steps = {"second": 2, "third": 3}
    step = steps[re.search(r"every (\w+) row", task.question)[1]]
    row, column = integers(r"at row (\d+), column (\d+) of", task.question)
    return int(grid(task, 0)[::step, ::step][row, column])


def best_patch(task):
    pattern = grid(task, 0)
    sums = [(grid(task, place) * pattern).sum().item() for place in (1, 2, 3)]
    return task.choices[int(np.argmax(sums))]


def moved_peak(task):
    """By a picture that is dark but for one pixel."""
    text = task.question
    stride = number(r"stride (\d+)", text)
    place = torch.tensor(integers(r"row (\d+), column (\d+)\. The", text))
    _, down, up = re.search(r"by ((\d+) pixels? (down|up))", text).groups()
    _, right, side = re.search(r"and ((\d+) pixels? to the (right|left))", text).groups()
    shift = torch.tensor(
        [int(down) * (1 if up == "down" else -1), int(right) * (1 if side == "right" else -1)]
    )
    row, column = (place * stride + shift + 100 * stride).tolist()  # a margin on all sides
    picture = torch.zeros(1, 1, row + 400, column + 400)
    picture[0, 0, row, column] = 1
    found = F.conv2d(picture, torch.ones(1, 1, 1, 1), stride=stride)[0, 0]
    peak = [int(axis) - 100 for axis in torch.nonzero(found)[0]]
    return peak[0] if "In which row" in text else peak[1]


def response(task):
    row, column = integers(r"is at row (\d+), column (\d+)", task.question)
    made = F.conv2d(grid(task, 0)[None, None], grid(task, 1)[None, None])
    return int(made[0, 0, row, column])


def pooled_place(task):
    text = task.question
    side = number(r"has (\d+)×", text)
    window, place = number(r"pooling of (\d+)×", text), number(r"in column (\d+),", text)

    def pooled(at):
        line = torch.zeros(1, 1, side)
        line[0, 0, at] = 1
        return int(F.max_pool1d(line, window).argmax())

    if "can it move" not in text:
        return pooled(place)
    steps = 0
    while place + steps + 1 < side and pooled(place + steps + 1) == pooled(place):
        steps += 1
    return steps


def last_maps(task, size=None):
    layers = network(task)
    size = size or image(task.question)
    return shape(nn.Sequential(*layers.values()), size)


def larger(task):
    return (image(task.question)[0], *integers(r"an image of (\d+)×(\d+)", task.question))


def flattened(task):
    return math.prod(last_maps(task))


def too_many(task):
    return math.prod(last_maps(task, larger(task))) - math.prod(last_maps(task))


def averaged(task):
    layer = nn.Linear(last_maps(task)[0], number(r"scores of (\d+) classes", task.question))
    return sum(parameter.numel() for parameter in layer.parameters())


def score_map(task):
    maps = last_maps(task)
    return shape(nn.Conv2d(maps[0], 1, maps[1:], device="meta"), last_maps(task, larger(task)))[1:]


def group_weights(task):
    filters, height, width, maps, groups = integers(
        r"(\d+) filters of (\d+)×(\d+) on (\d+) maps.* (\d+) groups", task.question
    )
    layer = nn.Conv2d(maps, filters, (height, width), groups=groups, device="meta")
    if "If it is divided" not in task.question:
        return layer.weight[0].numel()
    whole = nn.Conv2d(maps, filters, (height, width), device="meta")
    return whole.weight.numel() - layer.weight.numel()


def group_edges(task):
    layer = conv(task.question)
    return edges_of(layer, volume(task.question))


def top_error(task):
    allowed = number(r"top-(\d) error", task.question)
    wrong = [name not in answers.split(", ")[:allowed] for name, answers in task.table.rows]
    return Fraction(sum(wrong), len(wrong))


def images_wrong(task):
    images = number(r"^On ([\d,]+) images", task.question)
    errors = [Fraction(text) for text in re.findall(r"([\d.]+)%", task.question)]
    wrong = [images * error / 100 for error in errors]
    return wrong[0] - wrong[1] if len(wrong) > 1 else wrong[0]


def guessed(task):
    classes = number(r"There are ([\d,]+) classes", task.question)
    guesses = range(number(r"guessing (\d+) different", task.question, 1))
    return Fraction(sum(name not in guesses for name in range(classes)), classes)


def reduced(task):
    before, after = (Fraction(text) for text in re.findall(r"([\d.]+)%", task.question))
    return 1 - after / before


def output_of(task):
    """The scores as a leaf, the loss, and the places of the letters."""
    shares = re.findall(r"\b([A-D]) (0\.\d+)", task.question)
    letters = [letter for letter, _ in shares]
    scores = torch.tensor([float(share) for _, share in shares]).double().log()
    scores.requires_grad_()
    right = letters.index(re.search(r"is of class ([A-D])", task.question)[1])
    asked = letters.index(re.search(r"score of ([A-D])", task.question)[1])
    loss = F.cross_entropy(scores[None], torch.tensor([right]))
    (gradient,) = torch.autograd.grad(loss, scores)
    return gradient[asked].item()


def weight_of_score(task):
    text = task.question
    gradient = output_of(task) * float(re.search(r"unit of value ([\d.]*\d)", text)[1])
    if "learning rate" not in text:
        return gradient
    start = float(re.search(r"A weight of ([−\d.]*\d)", text)[1].replace("−", "-"))
    weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    weight.grad = torch.tensor([gradient], dtype=torch.float64)
    rate = float(re.search(r"learning rate of ([\d.]*\d)", text)[1])
    torch.optim.SGD([weight], lr=rate).step()
    return weight.item()


def unit_gradient(task):
    """By a loss that is linear in the sums."""
    found = re.findall(r"weight ([−\d.]*\d), gradient ([−\d.]*\d)", task.question)
    pairs_ = torch.tensor([[float(text.replace("−", "-")) for text in pair] for pair in found])
    value = torch.tensor(float(number(r"value (\d+)", task.question)), requires_grad=True)
    (pairs_[:, 1] * (value * pairs_[:, 0])).sum().backward()
    return value.grad.item()


def routed(task):
    sums, slopes = grid(task, 0), grid(task, 1)
    sums.requires_grad_()
    pooled = F.max_pool2d(F.relu(sums)[None, None], 2)[0, 0]
    (pooled * slopes).sum().backward()
    row, column = integers(r"at row (\d+), column (\d+)", task.question)
    return int(sums.grad[row, column])


def filter_weight(task):
    side = number(r"filter of (\d+)×", task.question)
    weights = torch.zeros(1, 1, side, side, requires_grad=True)
    (F.conv2d(grid(task, 0)[None, None], weights)[0, 0] * grid(task, 1)).sum().backward()
    row, column = integers(r"at row (\d+), column (\d+)", task.question)
    return int(weights.grad[0, 0, row, column])


SOLVERS: list[tuple[str, Callable]] = [
    ("Every unit of a dense layer reads", dense_edges),
    ("slide over .* How many edges", small_edges),
    ("How many different weights", shared_weights),
    ("fraction of the pixels", pixels_seen),
    ("How much does a pixel of this row", difference),
    ("fraction of its variance", unexplained),
    ("How many pairs are compared", pairs),
    ("is stored like this", bits),
    ("What is the volume afterwards", subsampled),
    ("is first subsampled", saved_weights),
    ("fraction of its values", values_left),
    ("of the small image", strided),
    ("To which of the three patches", best_patch),
    ("is the maximum now", moved_peak),
    ("What does it respond", response),
    ("Max pooling of .* follows", pooled_place),
    ("flattened into one vector", flattened),
    ("too many reach the dense layer", too_many),
    ("global average pooling takes the mean", averaged),
    ("size of the map of scores", score_map),
    ("groups: maps and filters|If it is divided into", group_weights),
    ("How many edges does the layer have:", group_edges),
    ("For how many (fewer )?images", images_wrong),
    ("error of guessing", guessed),
    ("fraction of the errors is gone", reduced),
    (r"What is the top-\d error\?", top_error),
    ("loss by the score of", output_of),
    ("A weight .*leads from a unit", weight_of_score),
    ("by the unit's value", unit_gradient),
    ("gradient by the sum at row", routed),
    ("by the filter's weight", filter_weight),
]
