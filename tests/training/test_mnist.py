"""The lecture's network on the lecture's digits: 99 in 100, from any seed."""

import pytest

import convscope


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_lenet5_reaches_99_percent_on_mnist_in_ten_epochs(tmp_path, mnist_folder, seed):
    trained = convscope.train(
        "mnist", data_dir=str(mnist_folder), out=tmp_path / "run", epochs=10, seed=seed
    )
    assert trained.test.num_images == 10_000
    assert trained.test.top1 >= 0.99


def test_a_hundred_steps_on_mnist_are_right_nine_times_in_ten(tmp_path, mnist_folder):
    trained = convscope.train("mnist", data_dir=str(mnist_folder), out=tmp_path / "run", steps=200)
    assert trained.test.top1 > 0.9
