"""How exactly an exported network agrees: PyTorch is asked once, however many engines there are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.conversion.parity import Reference, measure_parity
from convscope.conversion.sample_files import read_samples
from convscope.engines import ENGINES, is_installed
from convscope.exported.pixels import normalize

CARD = Card(
    classes=("a", "b", "c"), input_size=(12, 12), in_channels=3, resize_mode="crop",
    mean=(0.5,) * 3, std=(0.25,) * 3,
)  # fmt: skip


class Counted(nn.Module):
    """A linear layer that counts the images that it is asked for."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(3 * 12 * 12, 3)
        self.convscope_card = CARD

    def forward(self, x):
        if not torch.compiler.is_exporting():
            CALLS.append(x.shape[0])
        return self.fc(torch.flatten(x, 1))


CALLS = []


def test_pytorch_computes_once_for_all_engines(tmp_path):
    engines = [name for name in ENGINES if is_installed(name)]
    if len(engines) < 2:
        pytest.skip("needs two engines")
    counts = []
    for engine in (engines[0], "auto"):
        CALLS.clear()
        exported = convscope.export(Counted(), tmp_path / engine, input_size=12, engine=engine)
        counts.append(sum(CALLS))
    assert len(exported.candidates) > 1
    assert counts[0] == counts[1] > 0


@pytest.fixture(scope="module")
def reference():
    return Reference.of(Counted().eval(), CARD, read_samples(CARD))


def engine_of(net):
    def run(images):
        with torch.inference_mode():
            return net(torch.from_numpy(images)).numpy()

    return run


def test_a_difference_is_measured_against_the_largest_output(reference):
    exact = engine_of(reference.net)
    assert measure_parity(reference, exact).holds
    largest = max(np.abs(expected).max() for _, expected in reference.batches)
    parity = measure_parity(reference, lambda images: exact(images) + np.float32(0.1))
    assert not parity.holds
    assert 0.1 / (largest + 0.1) < parity.logits
    smallest = min(np.abs(expected).max() for _, expected in reference.batches)
    assert parity.logits < 0.11 / smallest + 1e-6


class Cancelling(nn.Module):
    """Sums whose large terms cancel: in float32 little but rounding would be left of small ones."""

    def __init__(self, size):
        super().__init__()
        torch.manual_seed(0)
        self.size = size
        self.weight = nn.Parameter(0.001 * torch.randn(3 * 12 * 12, 3))

    def forward(self, x):
        x = torch.flatten(x, 1)
        plus, minus = (x + self.size) @ self.weight, (x - self.size) @ self.weight
        return plus + minus


@pytest.fixture(scope="module")
def cancelling():
    return Reference.of(Cancelling(1e3).eval(), CARD, read_samples(CARD))


def test_an_engine_may_round_as_pytorch_does_where_the_network_magnifies_it(cancelling):
    assert 1e-4 < cancelling.rounding < 2e-3

    def exact(images):
        with torch.inference_mode():
            return Cancelling(1e3).double()(torch.from_numpy(images).double()).float().numpy()

    parity = measure_parity(cancelling, exact)
    assert parity.holds
    assert 1e-4 < parity.logits <= parity.tolerance == pytest.approx(3 * cancelling.rounding)
    wrong = measure_parity(cancelling, lambda images: exact(images) * (1 + 9 * cancelling.rounding))
    assert not wrong.holds
    strict = measure_parity(cancelling, exact, tolerance=1e-4)  # as it was asked for
    assert not strict.holds


def test_elsewhere_it_may_not(reference):
    assert reference.rounding < 1e-6
    exact = engine_of(reference.net)
    parity = measure_parity(reference, lambda images: exact(images) * np.float32(1.0003))
    assert not parity.holds
    assert parity.tolerance == 1e-4


def test_a_network_that_does_not_compute_in_float64_has_no_such_allowance(reference):
    class InFloat(nn.Module):
        def forward(self, x):
            return torch.flatten(x, 1) @ torch.ones(3 * 12 * 12, 3)

    assert replace(reference, net=InFloat()).rounding == 0


def test_bytes_of_images_are_measured_in_levels(reference):
    exact = engine_of(reference.net)

    def brighter(pixels):
        """Three levels above what training feeds, and the exact probabilities for that."""
        (sample,) = (one for one in reference.samples if one.pixels is pixels)
        fed = sample.whole + np.float32(3 / (255 * 0.25))
        shares = torch.softmax(torch.from_numpy(exact(fed)), 1).numpy()
        return {"fitted": fed, "probabilities": shares, "label": shares.argmax(1)}

    of_images = reference.of_images(brighter)
    assert of_images.levels == pytest.approx(3, abs=0.01)
    assert of_images.probabilities < 1e-6
    assert of_images.end_to_end > 1e-4
    assert not measure_parity(reference, exact, of_images=of_images).holds
    assert measure_parity(reference, exact).levels <= 2.01


def test_samples_are_read_as_predict_reads_them():
    samples = read_samples(CARD)
    assert len(samples) == 8
    for sample in samples:
        assert sample.given.shape == sample.trained.shape == sample.whole.shape == (1, 3, 12, 12)
        assert sample.pixels.dtype == np.uint8
    noise = samples[5]  # of the input's size: nothing is scaled
    assert noise.given == pytest.approx(normalize(noise.pixels, CARD), abs=1e-6)
    assert noise.given == pytest.approx(noise.trained, abs=1e-6)
