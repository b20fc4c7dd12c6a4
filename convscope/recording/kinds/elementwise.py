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
)
_function = partial(Kind, rule="curve", field="elementwise")
_plain = partial(Kind, field="elementwise")
_evaluated = partial(Kind, arguments=("input",), rule="function", field="elementwise")
_logic = partial(Kind, arguments=_PAIR, rule="function", field="elementwise")
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
    _activation("rrelu", "RReLU", arguments=("input", "lower", "upper", "training"), rule="rrelu"),
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
    _activation("sigmoid", "Sigmoid", aliases=("expit",)),
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
    _function("exp", "exp"),
    _function("log", "log"),
    _function("log1p", "log1p"),
    _function("sqrt", "sqrt"),
    _function("rsqrt", "rsqrt"),
    _function("reciprocal", "reciprocal"),
    _function("square", "square"),
    _function("abs", "abs", aliases=("absolute",)),
    _function("erf", "erf"),
    _function("sin", "sin"),
    _function("cos", "cos"),
)

EVALUATED = (
    *(_evaluated(name, name) for name in ("sign", "sgn", "signbit", "floor", "ceil", "frac")),
    _evaluated("trunc", "trunc", aliases=("fix",)),
    _evaluated("round", "round", arguments=("input", "decimals")),
    *(_evaluated(name, name) for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")),
    _evaluated("nan_to_num", "nan_to_num", arguments=("input", "nan", "posinf", "neginf")),
    _evaluated("clamp", "clamp", arguments=("input", "min", "max"), aliases=("clip",)),
    _evaluated("clamp_min", "clamp_min", arguments=("input", "min")),
    _evaluated("clamp_max", "clamp_max", arguments=("input", "max")),
    *(_evaluated(name, name) for name in ("exp2", "expm1", "log2", "log10", "tan")),
    *(_evaluated(n, n, aliases=(f"arc{n[1:]}",)) for n in ("asin", "acos", "atan")),
    *(_evaluated(name, name) for name in ("sinh", "cosh")),
    *(_evaluated(n, n, aliases=(f"arc{n[1:]}",)) for n in ("asinh", "acosh", "atanh")),
    *(_evaluated(name, name) for name in ("erfc", "erfinv", "sinc", "ndtr", "i0", "digamma")),
    _evaluated("lgamma", "lgamma", aliases=("gammaln",)),
    _evaluated("logit", "logit", arguments=("input", "eps")),
    *(_evaluated(name, name) for name in ("deg2rad", "rad2deg")),
    _evaluated("pow", "pow", arguments=("input", "exponent"), aliases=("ipow",)),
    _evaluated("float_power", "float_power", arguments=("input", "exponent")),
    _evaluated("rpow", "pow", arguments=_PAIR),
    _evaluated("atan2", "atan2", arguments=_PAIR, aliases=("arctan2",)),
    *(_evaluated(n, n, arguments=_PAIR) for n in ("hypot", "logaddexp", "logaddexp2", "xlogy")),
    *(_evaluated(n, n, arguments=_PAIR) for n in ("copysign", "fmax", "fmin")),
    _evaluated("heaviside", "heaviside", arguments=("input", "values")),
    _evaluated("floor_divide", "floor_divide", arguments=_PAIR, aliases=("floordiv", "ifloordiv")),
    _evaluated("rfloordiv", "floordiv", arguments=_PAIR),
    _evaluated("remainder", "remainder", arguments=_PAIR, aliases=("mod", "imod")),
    _evaluated("rmod", "mod", arguments=_PAIR),
    _evaluated("fmod", "fmod", arguments=_PAIR),
    _evaluated("logical_not", "logical_not"),
    _evaluated("bitwise_not", "bitwise_not", aliases=("invert",)),
    *(_logic(name, name) for name in ("logical_and", "logical_or", "logical_xor")),
    _logic("bitwise_and", "bitwise_and", aliases=("and", "iand")),
    _logic("bitwise_or", "bitwise_or", aliases=("or", "ior", "ror")),
    _logic("bitwise_xor", "bitwise_xor", aliases=("xor", "ixor", "rxor")),
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
        aliases=("truediv", "itruediv", "divide", "true_divide"),
        rule="divide",
    ),
    _plain("rdiv", "div", aliases=("rtruediv",), rule="divide"),
    _plain("neg", "neg", aliases=("negative", "neg_view"), rule="negate"),
    _plain("addcmul", "addcmul", arguments=("input", "tensor1", "tensor2"), rule="addcmul"),
    _plain("addcdiv", "addcdiv", arguments=("input", "tensor1", "tensor2"), rule="addcdiv"),
    _plain("lerp", "lerp", arguments=("input", "end", "weight"), rule="lerp"),
    _plain("maximum", "maximum", arguments=_PAIR, rule="maximum"),
    _plain("minimum", "minimum", arguments=_PAIR, rule="maximum"),
    Kind(
        "where",
        "where",
        arguments=("condition", "input", "other"),
        rule="where",
        field="choice",
    ),
    Kind(
        "masked_fill",
        "masked_fill",
        arguments=("input", "mask", "value"),
        rule="move",
        field="choice",
    ),
    Kind("FractalJoin", "FractalJoin", rule="fractal_join", field="elementwise", drawing="add"),
    _comparison("gt", "gt", aliases=("greater",)),
    _comparison("ge", "ge", aliases=("greater_equal",)),
    _comparison("lt", "lt", aliases=("less",)),
    _comparison("le", "le", aliases=("less_equal",)),
    _comparison("eq", "eq"),
    _comparison("ne", "ne", aliases=("not_equal",)),
    Kind("one_hot", "one_hot", arguments=("input", "num_classes"), rule="one_hot"),
)

DROPOUT = (
    _dropout("dropout"),
    _dropout("dropout1d"),
    _dropout("dropout2d"),
    _dropout("dropout3d"),
    _dropout("feature_dropout"),
    _dropout("alpha_dropout", label="AlphaDropout", rule="alpha_dropout"),
    _dropout("feature_alpha_dropout", label="FeatureAlphaDropout", rule="alpha_dropout"),
    Kind("DropPath", "DropPath", rule="drop_path", field="elementwise", in_summary="hidden"),
)

CASTS = (
    *(_cast(name, name) for name in ("to", "float", "double", "half", "bfloat16", "type")),
    *(_cast(name, name) for name in ("bool", "char", "byte", "short", "int", "long")),
    _cast("type_as", "type_as", field="first_operand"),
    *(_cast(name, name) for name in ("cpu", "cuda")),
)

ELEMENTWISE = (*ACTIVATIONS, *FUNCTIONS, *EVALUATED, *ARITHMETIC, *DROPOUT, *CASTS)
