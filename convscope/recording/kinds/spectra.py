"""Kinds that make, take apart or transform complex numbers."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_LINE = ("input", "n", "dim", "norm")
_PLANE = ("input", "s", "dim", "norm")
_STFT = (
    *("input", "n_fft", "hop_length", "win_length", "window", "center", "pad_mode"),
    *("normalized", "onesided", "return_complex"),
)

_transform = partial(Kind, rule="fourier_transform", field="mixed_along", multiply_adds="unknown")
_part = partial(Kind, arguments=("input",), rule="joint_linear_map", field="elementwise")

TRANSFORMS = (
    *(
        _transform(name, name, arguments=_LINE, aliases=(f"fft_{name}",))
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    ),
    *(
        _transform(f"{name}{end}", f"{name}{end}", arguments=_PLANE, aliases=(f"fft_{name}{end}",))
        for name in ("fft", "ifft", "rfft", "irfft")
        for end in ("2", "n")
    ),
    Kind("stft", "stft", arguments=_STFT, rule="fourier_transform", multiply_adds="unknown"),
    Kind("istft", "istft", rule="fourier_transform", multiply_adds="unknown"),
    *(
        Kind(name, name, arguments=("input", "dim"), aliases=(f"fft_{name}",), rule="move")
        for name in ("fftshift", "ifftshift")
    ),
)

PARTS = (
    *(_part(name, name) for name in ("real", "imag", "conj", "conj_physical", "resolve_conj")),
    *(_part(n, n, arguments=(), field="permute") for n in ("adjoint", "H", "mH")),
    _part("complex", "complex", arguments=("real", "imag"), field="complex_parts"),
    _part("view_as_real", "view_as_real", field="complex_parts"),
    _part("view_as_complex", "view_as_complex", field="complex_parts"),
    Kind("polar", "polar", arguments=("abs", "angle"), rule="polar", field="elementwise"),
    Kind("angle", "angle", arguments=("input",), rule="function", field="elementwise"),
)

SPECTRA = (*TRANSFORMS, *PARTS)
