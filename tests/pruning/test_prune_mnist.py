"""Pruning a network that was trained on real images: what it saves, and what it costs."""

from pathlib import Path

import pytest

import convscope

WIDE = '''
input = "1x28x28"
layers = """
layer   filters size stride padding activation
conv1        24    3      1       1 .
bn1           .    .      .       . relu
pool1         .    2      2       . .
conv2        48    3      1       1 .
bn2           .    .      .       . relu
pool2         .    2      2       . .
fc1          64    .      .       . relu
fc2     classes    .      .       . .
"""
'''


@pytest.mark.slow
def test_half_of_the_multiply_adds_cost_less_than_half_a_point_on_mnist(
    tmp_path: Path, mnist_folder: Path
) -> None:
    table = tmp_path / "wide.toml"
    table.write_text(WIDE)
    run = convscope.train(
        "mnist", data_dir=str(mnist_folder), model=str(table), out=tmp_path / "run", epochs=2,
        progress=False,
    ).run  # fmt: skip
    result = convscope.prune(
        run, out=tmp_path / "pruned", multiply_adds=0.5, epochs=1, progress=False
    )
    before, after = result.sizes
    assert after.multiply_adds <= 0.505 * before.multiply_adds
    assert result.accuracy.num_images == 10_000
    assert result.accuracy.change >= -0.005
    assert result.without_training is not None
    assert result.without_training[1] >= 0.9  # what is left has taken over
