"""Images for tests of augmentation, and how far two of them are apart."""

import numpy as np
import torch


def picture(height=29, width=40, channels=3, seed=0):
    """Smooth, with noise: a tensor of bytes (height, width, channels)."""
    random = np.random.default_rng([seed, height, width])
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(y / 5 + k + seed) * np.cos(x / 7) for k in range(channels)]
    noisy = np.stack(waves, -1) + random.normal(0, 15, (height, width, channels))
    return torch.from_numpy(noisy.clip(0, 255).astype(np.uint8))


def batch(n=12, **shape):
    return torch.stack([picture(seed=seed, **shape) for seed in range(n)])


def apart(one, other):
    """The largest and the mean difference of two images, in 0..255."""
    difference = np.abs(np.asarray(one, float) - np.asarray(other, float))
    return difference.max(), difference.mean()
