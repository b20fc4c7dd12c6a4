"""Every answer, found again by torch from nothing but what a person reads."""

import math
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from convscope.lessons.course import LESSONS
from convscope.lessons.exercises import exercise
from convscope.training.schedule import Schedule
from tests.lessons.solving import (
    conv,
    count,
    decimals,
    grid,
    image,
    input_of,
    integers,
    network,
    number,
    pool,
    shape,
    volume,
    window,
)
from tests.lessons.solving_motives import SOLVERS as MOTIVES


def map_value(task):
    text = task.question
    stride, padding = number(r"stride (\d+)", text), number(r"padding (\d+)", text, 0)
    picture, weights = grid(task, 0), grid(task, 1)
    made = F.conv2d(picture[None, None], weights[None, None], stride=stride, padding=padding)
    return made[0, 0, number(r"row (\d+)", text), number(r"column (\d+)", text)].item()


def map_size(task):
    return shape(conv(task.question), input_of(task.question))[1:]


def output_volume(task):
    text = task.question
    layers = []
    if "filter" in text:
        layers.append(conv(text))
    if "max pooling" in text:
        layers.append(pool(text))
    return shape(nn.Sequential(*layers), input_of(text))


def multiplications(task):
    layer = conv(task.question)
    return math.prod(shape(layer, input_of(task.question))) * layer.weight.numel()


def layer_parameters(task):
    return count(conv(task.question))


def filter_weights(task):
    return conv(task.question).weight[0].numel()


def filters(task):
    text = task.question
    kernel_height, kernel_width, maps = integers(r"filters of (\d+)×(\d+) on (\d+) map", text)
    wanted = number(r"has ([\d,]+) parameters", text)
    found = [
        k
        for k in range(1, 200)
        if count(nn.Conv2d(maps, k, (kernel_height, kernel_width))) == wanted
    ]
    assert len(found) == 1
    return found[0]


def windows_1d(text):
    """The columns under each window, by torch's own unfolding of their numbers."""
    size, columns = number(r"window of (\d+)×", text), number(r"image of (\d+) columns", text)
    padding, stride = number(r"padding (\d+) on", text, 0), number(r"stride (\d+)", text)
    cells = torch.arange(-padding, columns + padding)
    return columns, cells.unfold(0, size, stride)


def unread(task):
    columns, windows = windows_1d(task.question)
    return columns - len(set(windows.flatten().tolist()))


def begins(task):
    _, windows = windows_1d(task.question)
    return windows[number(r"unit in column (\d+)", task.question), 0].item()


def fitting(task):
    """Try everything that is asked for; only one may fit."""
    text = task.question
    size = number(r"(?:window|filter) of (\d+)×", text, 0)
    stride, padding = number(r"stride (\d+)", text, 0), number(r"padding (\d+) on", text, 0)
    if "columns out of" in text:
        made, before = integers(r"makes (\d+) columns out of (\d+)", text)
    else:
        made, before = integers(r"map of (\d+)×\d+ out of an image of (\d+)×", text)
    asks_stride, asks_padding = "What is the stride" in text, "How many cells of padding" in text
    found = [
        guess
        for guess in range(0 if asks_padding else 1, before + 1)
        if outcome(
            before,
            size or guess,
            guess if asks_stride else stride,
            guess if asks_padding else padding,
        )
        == made
    ]
    if asks_padding:
        found = [guess for guess in found if guess < size]
    assert len(found) == 1, found
    return found[0]


def outcome(before, size, stride, padding):
    if size > before + 2 * padding:
        return 0
    return len(range(0, before + 2 * padding - size + 1, stride))


def keeping(task):
    text = task.question
    size, side = integers(r"filter of (\d+)×.* image of (\d+)×", text)
    dilation = number(r"dilation (\d+)", text, 1)
    layer = [
        padding
        for padding in range(120)
        if side + 2 * padding > dilation * (size - 1)
        and shape(nn.Conv2d(1, 1, size, padding=padding, dilation=dilation), (1, side, side))
        == (1, side, side)
    ]
    assert len(layer) == 1
    return layer[0]


def padded(task):
    cells = number(r"gets (\d+) cells", task.question)
    return F.pad(torch.zeros(volume(task.question)), (cells,) * 4).numel()


def next_exact(task):
    text = task.question
    size, stride = number(r"filter of (\d+)×", text), number(r"stride (\d+)", text)
    padding, side = number(r"padding (\d+) on", text, 0), number(r"image of (\d+)×", text)
    while True:
        side += 1
        last = list(range(0, side + 2 * padding - size + 1, stride))[-1]
        if last + size == side + 2 * padding:
            return side


def after_relu(task):
    bias = number(r"bias (?:of )?([−\d]+)", task.question)
    grids = [grid(task, place) for place in range(len(task.grids))]
    patch, weights = torch.stack(grids[::2]), torch.stack(grids[1::2])
    return torch.relu(F.conv2d(patch[None], weights[None], torch.tensor([float(bias)]))).item()


def silent(task):
    bias = number(r"bias of ([−\d]+)", task.question, 0)
    return int((torch.relu(grid(task, 0) + bias) == 0).sum())


def units(task):
    return math.prod(map_size(task)) * conv(task.question).out_channels


def pooled_value(task):
    text = task.question
    cells, stride = grid(task, 0)[None], number(r"stride (\d+)", text)
    size = number(r"pooling of (\d+)×", text)
    pools = {
        "Max": lambda maps: F.max_pool2d(maps, size, stride),
        "Min": lambda maps: -F.max_pool2d(-maps, size, stride),
        "Average": lambda maps: F.avg_pool2d(maps, size, stride),
    }
    made = pools[text.split()[0]](cells)
    return made[0, number(r"row (\d+)", text), number(r"column (\d+)", text)].item()


def share(task):
    before = input_of(task.question)
    return Fraction(math.prod(shape(pool(task.question), before)), math.prod(before))


def fewer(task):
    before = input_of(task.question)
    return math.prod(before) - math.prod(shape(pool(task.question), before))


def local_parameters(task):
    """A filter and a bias for each place of each map, one after the other."""
    layer = conv(
        task.question.replace("locally connected layer of", "").replace("maps: windows", "filters")
    )
    places = math.prod(shape(layer, input_of(task.question))[1:])
    return sum(count(layer) for _ in range(places))


def dense_parameters(task):
    text = re.search(r"layer of ([\d,]+) units", task.question)
    assert text
    units = int(text[1].replace(",", ""))
    return count(nn.Linear(math.prod(volume(task.question)), units, device="meta"))


def connections(task):
    layer = conv(task.question)
    places = math.prod(shape(layer, input_of(task.question))[1:])
    return places * (layer.weight.numel() + layer.bias.numel())


def times(task):
    layer = conv(task.question)
    places = math.prod(shape(layer, input_of(task.question))[1:])
    return places * count(layer) // count(layer)


def network_parameters(task):
    text = re.search(r"How many parameters does (\w+) have,", task.question)
    assert text
    return count(network(task)[text[1]])


def network_volume(task):
    text = re.search(r"output volume of (\w+)\?", task.question)
    assert text
    layers = network(task)
    names = list(layers)
    kept = [layers[name] for name in names[: names.index(text[1]) + 1]]
    return shape(nn.Sequential(*kept), image(task.question))


def network_total(task):
    text = re.search(r"How many parameters do (.+) have together", task.question)
    assert text
    layers = network(task)
    return sum(count(layers[name]) for name in re.findall(r"\w+\d", text[1]))


def subsampling(task):
    maps, side, _ = volume(task.question)
    if "parameters does it have" in task.question:
        return count(nn.BatchNorm2d(maps))  # one factor and one summand for each map, too
    return sum(4 + 1 for _ in range(maps) for _ in range(0, side, 2) for _ in range(0, side, 2))


def linked(task):
    filters, size, below, links = integers(
        r"Suppose (\d+) filters of (\d+)×\d+ over (\d+) maps have (\d+)", task.question
    )
    share, rest = divmod(links, filters)
    sees = [share + (place < rest) for place in range(filters)]
    assert max(sees) <= below
    return sum(count(nn.Conv2d(maps, 1, size)) for maps in sees)


def seen_rows(task):
    """The rows that move the middle unit: by the gradient through positive filters."""
    rows = [(int(size.split("×")[0]), int(stride)) for _, size, stride in task.table.rows]
    pixels = torch.zeros(1, 1, 4000, dtype=torch.float64, requires_grad=True)
    values = pixels
    for size, stride in rows:
        values = F.conv1d(values, torch.ones(1, 1, size, dtype=torch.float64), stride=stride)
    values[0, 0, values.shape[-1] // 2].backward()
    return int((pixels.grad != 0).sum())


def stack(task):
    layers, maps, large = integers(
        r"stack of (\d+) layers.*with (\d+) input and output maps.*layer of (\d+)×", task.question
    )
    small = [nn.Conv2d(maps, maps, 3, bias=False, device="meta") for _ in range(layers)]
    one = nn.Conv2d(maps, maps, large, bias=False, device="meta")
    if "fewer" in task.question:
        return count(one) - count(*small)
    return count(*small)


def sgd(task):
    text = task.question
    values = decimals(text)
    weight = torch.tensor([values["w"]], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD(
        [weight],
        lr=values["rate"],
        momentum=values.get("m", 0),
        weight_decay=values.get("d", 0),
    )
    if "v" in values:
        optimizer.state[weight]["momentum_buffer"] = torch.tensor([values["v"]]).double()
    later = re.search(r"with the gradient ([−\d.]+)\.", text)
    gradients = [values["g"]] + ([float(later[1].replace("−", "-"))] if later else [])
    for gradient in gradients:
        weight.grad = torch.tensor([gradient]).double()
        optimizer.step()
    return round(weight.item(), 9)


def steps(task):
    text = task.question
    images = number(r"has ([\d,]+) image", text)
    held = number(r"(\d+)% of them", text, 0)
    epochs = 1 if "one epoch" in text else number(r"are (\d+) epochs", text)
    trained = range(images - images * held // 100)
    return epochs * len(DataLoader(trained, batch_size=number(r"batches of (\d+)", text)))


def last_batch(task):
    images, batch = integers(r"through ([\d,]+) images in batches of (\d+)", task.question)
    places = list(range(images))
    return len([places[at : at + batch] for at in range(0, images, batch)][-1])


def dropped(task):
    peak, by, every, epochs = re.search(
        r"starts at ([\d.]+) and is divided by (\d+) after every (\d+) epochs.* after (\d+) whole",
        task.question,
    ).groups()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=float(peak))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, int(every), gamma=1 / int(by))
    for _ in range(int(epochs)):
        optimizer.step()
        schedule.step()
    return round(schedule.get_last_lr()[0], 9)


def rate(task):
    """By the schedule that trains."""
    text = task.question
    peak = float(re.search(r"(?:to|from) (0\.\d+)", text)[1])
    warm = number(r"in (\d+) steps, then|warm-up of (\d+) steps", text, 0)
    fall = number(r"to 0 in ([\d,]+) steps", text, 0)
    at = number(r"after ([\d,]+) steps", text)
    long = warm + (fall or warm)
    schedule = Schedule(name="cosine", peak=peak, warmup=warm / long, gamma=1, milestones=())
    return round(schedule.lr(at / long), 9)


def pruned(task):
    filters, size, maps, gone = integers(
        r"has (\d+) filters of (\d+)×\d+ on (\d+) map.*bias. (\d+) filter", task.question
    )
    return count(nn.Conv2d(maps, filters - gone, size))


def behind_pruned(task):
    filters, later, size, gone = integers(
        r"layer of (\d+) filters is followed by one of (\d+) filters of (\d+)×\d+. (\d+) filter",
        task.question,
    )
    left = count(nn.Conv2d(filters - gone, later, size))
    return count(nn.Conv2d(filters, later, size)) - left if "lose" in task.question else left


def both_pruned(task):
    size, filters, maps, later, gone = integers(
        r"of (\d+)×\d+ filters: (\d+) on (\d+) map.*then (\d+) on .*biases. (\d+) filter",
        task.question,
    )
    before = count(nn.Conv2d(maps, filters, size), nn.Conv2d(filters, later, size))
    left = filters - gone
    return before - count(nn.Conv2d(maps, left, size), nn.Conv2d(left, later, size))


def smallest(task):
    norms = [np.abs(np.array(found.rows)).sum() for found in task.grids]
    return task.choices[int(np.argmin(norms))]


def twins(task):
    one, other = (np.array(found.rows).ravel() for found in task.grids)
    text = {1: "+1", -1: "−1", 0: "0"}[round(float(np.corrcoef(one, other)[0, 1]), 9)]
    return next(choice for choice in task.choices if choice.split(":")[0] == text)


SOLVERS: list[tuple[str, Callable]] = [
    *MOTIVES,
    ("What is the value of the map", map_value),
    ("How large is the map", map_size),
    (r"output volume of (conv|pool)\d", network_volume),
    ("What is the output volume", output_volume),
    ("How many multiplications", multiplications),
    ("How many parameters does the layer have", layer_parameters),
    ("How many weights does one filter have", filter_weights),
    ("How many filters does it have", filters),
    ("does no window read", unread),
    ("does the window of the unit", begins),
    ("What is the stride", fitting),
    ("padding on every side make", keeping),
    ("padding are there on every side", fitting),
    ("How many rows does the filter have", fitting),
    ("zeros included", padded),
    ("next larger square image", next_exact),
    ("of the unit after ReLU", after_relu),
    ("are 0 after ReLU", silent),
    ("units do the feature maps have", units),
    ("of the pooled map", pooled_value),
    ("What fraction", share),
    ("How many fewer values", fewer),
    ("goes into a locally connected", local_parameters),
    ("dense layer of", dense_parameters),
    ("many connections does the layer have", connections),
    ("how many times as many", times),
    ("have together, biases included", network_total),
    ("pooled by subsampling", subsampling),
    ("saw only chosen maps", linked),
    ("rows of pixels", seen_rows),
    ("A stack of", stack),
    ("The weight is w", sgd),
    ("how many steps are", steps),
    ("images does its last batch have", last_batch),
    ("is divided by", dropped),
    ("learning rate rises|learning rate falls", rate),
    ("are left in the layer", pruned),
    ("is followed by one of", behind_pruned),
    ("are removed from both layers", both_pruned),
    ("pruned first", smallest),
    ("Their correlation", twins),
    ("How many parameters does", network_parameters),
]


def solver(task) -> Callable:
    return next(solve for words, solve in SOLVERS if re.search(words, task.question))


def same(text, found) -> bool:
    if isinstance(text, Fraction) and isinstance(found, float):
        return abs(text - Fraction(found)) < Fraction(1, 10**5)
    return text == found


@pytest.mark.parametrize("lesson", [one.name for one in LESSONS])
def test_torch_finds_the_same_answer_from_the_question_alone(lesson):
    for seed in (1, 2, 3):
        for place in range(1, 46):
            task = exercise(lesson, seed=seed, number=place).task
            found = solver(task)(task)
            assert same(task.answer.value, found), (task.question, task.answer.text, found)


def test_every_way_of_solving_is_needed():
    used = {
        solver(exercise(one.name, seed=seed, number=place).task)
        for one in LESSONS
        for seed in (1, 2, 3)
        for place in range(1, 46)
    }
    assert used == {solve for _, solve in SOLVERS}


def test_the_reading_of_a_window_knows_every_word():
    text = window("3×5, stride 2, padding 1 on every side, dilation 2 (cells 2 apart are read)")
    assert text == dict(kernel_size=(3, 5), stride=2, padding=1, dilation=2)
