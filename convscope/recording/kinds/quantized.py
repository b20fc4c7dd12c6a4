"""Kinds of quantized networks, and of networks that are trained to be quantized."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_AXES = (1, 2, 3)
_RELU = ("", "_relu")
_convolution = partial(
    Kind,
    rule="quantized_convolution",
    field="quantized_convolution",
    multiply_adds="packed",
)
_dense = partial(Kind, label="Linear", multiply_adds="packed")
_arithmetic = partial(Kind, rule="quantized_arithmetic", field="elementwise")
_fake = partial(Kind, rule="fake_quantize", field="elementwise", in_summary="hidden")
_quantize = partial(Kind, rule="quantize", field="elementwise", in_summary="hidden")

QUANTIZED = (
    _quantize("quantize_per_tensor", "quantize_per_tensor"),
    _quantize("quantize_per_channel", "quantize_per_channel"),
    _quantize("quantize_per_tensor_dynamic", "quantize_per_tensor_dynamic", field="full_field"),
    Kind("dequantize", "dequantize", rule="dequantize", field="elementwise", in_summary="hidden"),
    Kind("int_repr", "int_repr", rule="integers", field="elementwise", in_summary="hidden"),
    *(_convolution(f"quantized::conv{n}d{relu}", "Conv") for n in _AXES for relu in _RELU),
    *(_dense(f"quantized::linear{r}", rule="quantized_dense", field="dense") for r in _RELU),
    *(_dense(f"quantized::linear{relu}_dynamic", rule="dynamic_dense") for relu in _RELU),
    *(
        _arithmetic(f"quantized::{name}{relu}", f"quantized::{name}{relu}")
        for name in ("add", "mul", "add_scalar", "mul_scalar")
        for relu in _RELU
    ),
    *(
        Kind(f"quantized::{name}{relu}", "BatchNorm", rule="quantized_norm", field="elementwise")
        for name in ("batch_norm2d", "batch_norm3d")
        for relu in _RELU
    ),
    *(
        Kind(f"quantized::{name}", label, rule="quantized_curve", field="elementwise")
        for name, label in (
            ("relu6", "ReLU6"),
            ("hardswish", "Hardswish"),
            ("leaky_relu", "LeakyReLU"),
            ("sigmoid", "Sigmoid"),
        )
    ),
    *(
        Kind(
            f"quantized::cat{relu}",
            f"quantized::cat{relu}",
            arguments=("tensors", "dim", "scale", "zero_point"),
            rule="quantized_concatenation",
            field="concatenation",
            drawing="concat",
        )
        for relu in _RELU
    ),
    _fake(
        "fake_quantize_per_tensor_affine",
        "fake_quantize_per_tensor_affine",
        arguments=("input", "scale", "zero_point", "quant_min", "quant_max"),
    ),
    _fake(
        "fake_quantize_per_channel_affine",
        "fake_quantize_per_channel_affine",
        arguments=("input", "scale", "zero_point", "axis", "quant_min", "quant_max"),
    ),
    _fake(
        "fake_quantize_learnable_per_tensor_affine",
        "fake_quantize_learnable_per_tensor_affine",
        arguments=("input", "scale", "zero_point", "quant_min", "quant_max", "grad_factor"),
    ),
    _fake(
        "fake_quantize_learnable_per_channel_affine",
        "fake_quantize_learnable_per_channel_affine",
        arguments=("input", "scale", "zero_point", "axis", "quant_min", "quant_max", "grad_factor"),
    ),
    _fake(
        "fused_moving_avg_obs_fake_quant",
        "fused_moving_avg_obs_fake_quant",
        arguments=(
            *("input", "observer_on", "fake_quant_on", "running_min", "running_max"),
            *("scale", "zero_point", "averaging_const", "quant_min", "quant_max"),
            *("ch_axis", "per_row_fake_quant", "symmetric_quant"),
        ),
        field="full_field",  # while it observes, the scale depends on every unit
    ),
)
