"""Logistic regression of probes: how far it is, and that it can be ended."""

import numpy as np
import pytest

from convscope.features.linear import STEPS, fit_linear


def test_steps_are_told_and_what_this_raises_ends_the_fit():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 20)
    vectors = (rng.normal(size=(60, 4)) + truth[:, None]).astype(np.float32)
    told = []
    score = fit_linear(vectors, truth, 3, told.append)
    assert told == [min(n, STEPS) for n in range(len(told))]
    assert len(told) > 5
    assert np.array_equal(score(vectors), fit_linear(vectors, truth, 3)(vectors))

    def cancel(done):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_linear(vectors, truth, 3, cancel)
