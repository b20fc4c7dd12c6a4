"""Complex numbers, as pairs along a last axis, and Fourier transforms, against numpy."""

import numpy as np
import torch
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net


def of_complex(kind, of, expected, decomposition="sum", words="", image=(3, 4, 6)):
    return Case(
        kind, lambda: Net(of), decomposition, lambda x, _net, _y: paired(expected(x)), image, words
    )


def paired(numbers):
    """Complex numbers as pairs of real ones."""
    if not np.iscomplexobj(numbers):
        return numbers
    return np.stack([numbers.real, numbers.imag], -1)


def turned(x):
    """A complex image."""
    return torch.complex(x, x.abs() / 2)


def of_turned(kind, of, expected, decomposition="sum", words=""):
    return of_complex(
        kind,
        lambda x: of(turned(x)),
        lambda x: expected(x + 0.5j * np.abs(x)),
        decomposition,
        words,
    )


FILTERS = torch.complex(torch.arange(24.0) / 8, 1 - torch.arange(24.0) / 16).reshape(2, 3, 2, 2)
HANN = torch.hann_window(8).double().numpy()


def sliding(x):
    """The spectrum of each window of a row."""
    row = x.reshape(-1)
    windows = [row[start : start + 8] * HANN for start in range(0, len(row) - 7, 4)]
    return np.stack([np.fft.rfft(window) for window in windows], -1)


def of_windows(x):
    window = torch.hann_window(8).to(x)
    return torch.stft(x.flatten(), 8, 4, window=window, center=False, return_complex=True)


def of_frames(x):
    """A signal of the frames whose spectra are in the image."""
    spectra = torch.complex(x.reshape(5, 12), x.flip(3).reshape(5, 12))
    return torch.istft(spectra, 8, 2, window=torch.ones(8).to(x))


def overlapped(x):
    """Frames added where they overlap, divided by how many there are, without the ends."""
    frames = np.fft.irfft(x.reshape(5, 12) + 1j * x[..., ::-1].reshape(5, 12), axis=0)
    signal, count = np.zeros(30), np.zeros(30)
    for n, frame in enumerate(frames.T):
        signal[2 * n : 2 * n + 8] += frame
        count[2 * n : 2 * n + 8] += 1
    return (signal / count)[4:-4]


def correlated(x):
    filters = FILTERS.numpy().astype(complex)
    rows = [
        [(x[0, :, i : i + 2, j : j + 2] * filters[k]).sum() for i in range(3) for j in range(5)]
        for k in range(2)
    ]
    return np.array(rows).reshape(1, 2, 3, 5)


def joined(x):
    return np.concatenate([x, x[..., ::-1]], 1)


def moved(x):
    return x.transpose(0, 2, 3, 1)


def added(x):
    return (x.astype(np.float32) + np.float32(1)).astype(float)


TRANSFORMS = [
    of_complex("fft", torch.fft.fft, np.fft.fft),
    of_complex(
        "fft",
        lambda x: torch.fft.fft(x, dim=1, norm="ortho"),
        lambda x: np.fft.fft(x, axis=1, norm="ortho"),
        words="of channels",
    ),
    of_turned("ifft", torch.fft.ifft, np.fft.ifft),
    of_complex(
        "rfft", lambda x: torch.fft.rfft(x, n=9), lambda x: np.fft.rfft(x, 9), words="longer"
    ),
    of_turned("irfft", torch.fft.irfft, np.fft.irfft),
    of_turned("hfft", torch.fft.hfft, np.fft.hfft),
    of_complex("ihfft", torch.fft.ihfft, np.fft.ihfft),
    of_complex("fft2", torch.fft.fft2, np.fft.fft2),
    of_turned("ifft2", torch.fft.ifft2, np.fft.ifft2),
    of_complex("rfft2", torch.fft.rfft2, np.fft.rfft2),
    of_turned("irfft2", lambda x: torch.fft.irfft2(x, (4, 7)), lambda x: np.fft.irfft2(x, (4, 7))),
    of_complex("fftn", torch.fft.fftn, np.fft.fftn),
    of_turned("ifftn", torch.fft.ifftn, np.fft.ifftn),
    of_complex(
        "rfftn", lambda x: torch.fft.rfftn(x, dim=(1, 2)), lambda x: np.fft.rfftn(x, axes=(1, 2))
    ),
    of_turned("irfftn", torch.fft.irfftn, np.fft.irfftn),
    of_complex("stft", of_windows, sliding),
    of_complex("istft", of_frames, overlapped, image=(3, 4, 5)),
    of_complex("fftshift", torch.fft.fftshift, np.fft.fftshift, "identity"),
    of_turned(
        "ifftshift",
        lambda x: torch.fft.ifftshift(x, dim=3),
        lambda x: np.fft.ifftshift(x, 3),
        "identity",
    ),
]

EITHER = "identity or sum"  # the imaginary part of a conjugate is the negative

PARTS = [
    of_turned("real", torch.real, np.real, "identity"),
    of_turned("imag", lambda x: x.imag, np.imag, "identity"),
    of_turned("imag", lambda x: x.conj().imag, lambda x: -x.imag, "identity", "of a conjugate"),
    of_turned("conj", torch.conj, np.conj, EITHER),
    of_turned("conj_physical", torch.conj_physical, np.conj, EITHER),
    of_turned("resolve_conj", lambda x: x.conj().resolve_conj(), np.conj, "identity"),
    of_turned("adjoint", lambda x: x.adjoint(), lambda x: x.conj().swapaxes(2, 3), EITHER),
    of_turned("mH", lambda x: x.mH, lambda x: x.conj().swapaxes(2, 3), EITHER),
    of_turned("H", lambda x: x[0, 0].H, lambda x: x[0, 0].conj().T, EITHER),
    of_complex("adjoint", lambda x: x.adjoint(), lambda x: x.swapaxes(2, 3), "identity", "real"),
    of_turned("view_as_real", torch.view_as_real, paired, "identity"),
    of_complex(
        "view_as_complex",
        lambda x: torch.view_as_complex(torch.stack([x, x.abs()], -1)),
        lambda x: x + 1j * np.abs(x),
        "identity",
    ),
    of_complex("complex", turned, lambda x: x + 0.5j * np.abs(x), EITHER),
    of_turned("angle", torch.angle, np.angle, "expression"),
    of_complex("angle", torch.angle, np.angle, "expression", "of real numbers"),
    of_complex(
        "polar", lambda x: torch.polar(x, x + 1), lambda x: x * np.exp(1j * added(x)), "expression"
    ),
    of_turned("abs", torch.abs, np.abs, "expression", "of complex numbers"),
]


ARITHMETIC = [
    of_turned("add", lambda x: x + x.real, lambda x: x + x.real, EITHER, "complex and real"),
    of_turned("add", lambda x: x + (2 - 1j), lambda x: x + (2 - 1j), words="a complex number"),
    of_turned("sub", lambda x: x - x.flip(3), lambda x: x - x[..., ::-1], words="complex"),
    of_turned("mul", lambda x: x * x.flip(3), lambda x: x * x[..., ::-1], words="complex"),
    of_turned("mul", lambda x: x * (2 - 1j), lambda x: x * (2 - 1j), words="a complex number"),
    of_turned("mul", lambda x: x.real * x, lambda x: x.real * x, words="real by complex"),
    of_turned("div", lambda x: x / x.flip(3), lambda x: x / x[..., ::-1], "expression", "complex"),
    of_turned("exp", torch.exp, np.exp, "expression", "complex"),
    of_turned("tanh", torch.tanh, np.tanh, "expression", "complex"),
    of_turned("pow", lambda x: x**2, lambda x: x**2, "expression", "complex"),
    of_turned("sum", lambda x: x.sum((1, 3)), lambda x: x.sum((1, 3)), words="complex"),
    of_turned("mean", lambda x: x.mean(1), lambda x: x.mean(1), words="complex"),
    of_turned(
        "matmul", lambda x: x @ x.mT, lambda x: x @ x.swapaxes(2, 3), words="complex, with itself"
    ),
    of_turned("conv2d", lambda x: F.conv2d(x, FILTERS.to(x.dtype)), correlated, words="complex"),
    of_turned("cat", lambda x: torch.cat([x, x.flip(3)], 1), joined, "identity", "complex"),
    of_turned("permute", lambda x: x.permute(0, 2, 3, 1), moved, "identity", "complex"),
    of_turned(
        "pad",
        lambda x: F.pad(x, (1, 1), value=2.0),
        lambda x: np.pad(x, [(0, 0)] * 3 + [(1, 1)], constant_values=2.0),
        "identity",
        "complex",
    ),
    of_turned(
        "where",
        lambda x: torch.where(x.real > 0, x, 0),
        lambda x: np.where(x.real > 0, x, 0),
        "expression",
        "complex",
    ),
    of_turned(
        "add",
        lambda x: x.conj().imag + 1,
        lambda x: 1 - x.imag,
        words="a conjugate's imaginary part",
    ),
    of_turned("neg", lambda x: -x, np.negative, words="complex"),
]

SPECTRA = [*TRANSFORMS, *PARTS, *ARITHMETIC]
