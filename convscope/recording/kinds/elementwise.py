"""Kinds that compute each unit from the units at its own index: activations and arithmetic."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_PAIR = ("input", "other")

_activation = partial(
    Kind,
    rule="curve",
    field="elementwise",
    drawing="activation",
    in_summary="activation",
    on_page="merged",
)
_softmax = partial(
    Kind,
    arguments=("input", "dim"),
    rule="softmax",
    field="normalized_along",
    drawing="softmax",
    in_summary="activation",
    on_page="merged",
)
_function = partial(Kind, rule="curve", field="elementwise")
_plain = partial(Kind, field="elementwise")
_comparison = partial(Kind, arguments=_PAIR, rule="comparison", field="elementwise")
_dropout = partial(
    Kind,
    label="Dropout",
    arguments=("input", "p", "training"),
    rule="dropout",
    field="elementwise",
    in_summary="hidden",
    on_page="merged",
)
_cast = partial(Kind, rule="cast", field="elementwise", in_summary="hidden", on_page="hidden")

ACTIVATIONS = (
    _activation("relu", "ReLU"),
    _activation("relu6", "ReLU6"),
    _activation("leaky_relu", "LeakyReLU", arguments=("input", "negative_slope")),
    _activation("prelu", "PReLU", arguments=("input", "weight"), rule="prelu"),
    _activation("rrelu", "RReLU", rule=None),
    _activation("elu", "ELU"),
    _activation("selu", "SELU"),
    _activation("celu", "CELU"),
    _activation("gelu", "GELU"),
    _activation("silu", "SiLU"),
    _activation("mish", "Mish"),
    _activation("hardtanh", "Hardtanh"),
    _activation("hardswish", "Hardswish"),
    _activation("hardsigmoid", "Hardsigmoid"),
    _activation("tanh", "Tanh"),
    _activation("sigmoid", "Sigmoid"),
    _activation("logsigmoid", "LogSigmoid"),
    _activation("softplus", "Softplus"),
    _activation("softsign", "Softsign"),
    _activation("threshold", "Threshold"),
    _activation("tanhshrink", "Tanhshrink"),
    _activation("hardshrink", "Hardshrink"),
    _activation("softshrink", "Softshrink"),
    _activation("ScaledTanh", "ScaledTanh", rule="scaled_tanh"),
    _softmax("softmax", "Softmax"),
    _softmax("log_softmax", "LogSoftmax"),
)

FUNCTIONS = (
    _function("clamp", "clamp", arguments=("input", "min", "max"), aliases=("clip",)),
    _function("exp", "exp"),
    _function("log", "log"),
    _function("log1p", "log1p"),
    _function("sqrt", "sqrt"),
    _function("rsqrt", "rsqrt"),
    _function("reciprocal", "reciprocal"),
    _function("square", "square"),
    _function("abs", "abs"),
    _function("erf", "erf"),
    _function("sin", "sin"),
    _function("cos", "cos"),
    _plain("sign", "sign"),
    _plain("floor", "floor"),
    _plain("round", "round"),
    _plain("isnan", "isnan"),
    _plain("nan_to_num", "nan_to_num"),
    _plain("pow", "pow", arguments=("input", "exponent"), aliases=("ipow",), rule="power"),
    _plain("rpow", "pow"),
)

ARITHMETIC = (
    _plain("add", "add", arguments=_PAIR, aliases=("iadd", "radd"), rule="add", drawing="add"),
    _plain("sub", "sub", arguments=_PAIR, aliases=("isub", "subtract"), rule="add"),
    _plain("rsub", "sub", rule="add"),
    _plain(
        "mul",
        "mul",
        arguments=_PAIR,
        aliases=("imul", "rmul", "multiply"),
        rule="multiply",
        drawing="mul",
    ),
    _plain(
        "div",
        "div",
        arguments=_PAIR,
        aliases=("truediv", "itruediv", "divide"),
        rule="divide",
    ),
    _plain("rdiv", "div", aliases=("rtruediv",), rule="divide"),
    _plain("neg", "neg", aliases=("negative",), rule="negate"),
    _plain("addcmul", "addcmul", arguments=("input", "tensor1", "tensor2"), rule="addcmul"),
    _plain("lerp", "lerp"),
    _plain("maximum", "maximum", arguments=_PAIR, rule="maximum"),
    _plain("minimum", "minimum", arguments=_PAIR, rule="maximum"),
    _plain("where", "where", arguments=("condition", "input", "other"), rule="where"),
    _plain("masked_fill", "masked_fill", arguments=("input", "mask", "value"), rule="move"),
    Kind("FractalJoin", "FractalJoin", rule="fractal_join", field="elementwise", drawing="add"),
    *(_comparison(name, name) for name in ("gt", "ge", "lt", "le", "eq", "ne")),
)

DROPOUT = (
    _dropout("dropout"),
    _dropout("dropout1d"),
    _dropout("dropout2d"),
    _dropout("dropout3d"),
    _dropout("feature_dropout"),
    _dropout("alpha_dropout", label="AlphaDropout", rule=None),
    _dropout("feature_alpha_dropout", label="FeatureAlphaDropout", rule=None),
    Kind("DropPath", "DropPath", rule="drop_path", field="elementwise", in_summary="hidden"),
)

CASTS = (
    *(_cast(name, name) for name in ("to", "float", "double", "half", "bfloat16", "type")),
    _cast("type_as", "type_as", field="first_operand"),
    *(_cast(name, name) for name in ("cpu", "cuda")),
)

ELEMENTWISE = (*ACTIVATIONS, *FUNCTIONS, *ARITHMETIC, *DROPOUT, *CASTS)
