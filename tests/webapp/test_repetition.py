"""Very long networks are folded by what repeats itself in them."""

import numpy as np
from torch import nn

from convscope.webapp.inspect.repetition import repeated_blocks
from convscope.webapp.inspect.store import ModelStore


def fold(looks: str) -> list[tuple[str, str]]:
    return repeated_blocks([f"{k}" for k in range(len(looks))], looks)


def test_a_pattern_that_comes_three_times_is_a_block_each_time():
    found = fold("x" + "abc" * 3 + "y")
    assert [block for block, _ in found[1:10:3]] == ["1 – 3 ", "4 – 6 ", "7 – 9 "]
    assert {stage for _, stage in found[1:10]} == {"1 – 9"}
    assert found[0] == found[10] == ("", "")
    assert fold("ababx") == [("", "")] * 5  # twice is no pattern


def test_the_pattern_that_covers_most_is_taken():
    found = fold("aab" * 4)
    assert len({block for block, _ in found}) == 4


def test_a_stack_that_is_opened_is_no_more_than_a_screen_holds():
    found = fold("a" * 500)
    stages = [stage for _, stage in found]
    assert len(set(stages)) == 21
    assert max(map(stages.count, set(stages))) == 24


def test_what_does_not_repeat_itself_is_folded_where_it_is_long():
    several = [chr(400 + k) for k in range(100)]
    blocks = [block for block, _ in fold("".join(several))]
    assert len(set(blocks)) == 5
    assert fold("".join(several[:40])) == [("", "")] * 40


def test_five_hundred_layers_are_few_boxes():
    layers = [layer for _ in range(250) for layer in (nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid())]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 2))
    store = ModelStore()
    model = store.open(net, input_size=8)
    store.add(model, "nothing", np.zeros((8, 8, 1), np.uint8))
    assert len({row.stage or row.name for row in model.rows}) < 20
