"""Kinds that combine whole dimensions: sums, statistics, extrema, ranks and running totals."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_DIM = ("input", "dim", "keepdim")
_SPREAD = ("input", "dim", "unbiased", "keepdim")

_reduction = partial(Kind, field="reduction", arguments=_DIM)
_extremum = partial(_reduction, rule="extremum")
_rank = partial(Kind, rule="order_statistic", field="mixed_along")
_running = partial(Kind, field="cumulative", arguments=("input", "dim"))

SUMS = (
    _reduction("mean", "mean", rule="reduction", drawing="mean"),
    _reduction("sum", "sum", rule="reduction"),
    _reduction("prod", "prod", rule="product"),
    _reduction("logsumexp", "logsumexp", rule="log_sum_exp"),
    *(
        _reduction(name, name, arguments=_SPREAD, rule="variance")
        for name in ("std", "var", "std_mean", "var_mean")
    ),
    _reduction("norm", "norm", arguments=("input", "p", "dim", "keepdim"), rule="norm"),
    _reduction(
        "vector_norm", "vector_norm", arguments=("input", "ord", "dim", "keepdim"), rule="norm"
    ),
    Kind("matrix_norm", "matrix_norm", arguments=("input", "ord", "dim", "keepdim"), rule="norm"),
    Kind(
        "diff",
        "diff",
        arguments=("input", "n", "dim", "prepend", "append"),
        rule="joint_linear_map",
    ),
    _running("cumsum", "cumsum", rule="running_sum"),
    _running("cumprod", "cumprod", rule="running_product"),
    _running("logcumsumexp", "logcumsumexp", rule="running_log_sum_exp"),
)

EXTREMA = (
    _reduction("any", "any", rule="truth"),
    _reduction("all", "all", rule="truth"),
    _reduction("count_nonzero", "count_nonzero", arguments=("input", "dim"), rule="count_nonzero"),
    *(_extremum(name, name) for name in ("max", "min", "amax", "amin", "argmax", "argmin")),
    _extremum("aminmax", "aminmax", arguments=("input",)),
    *(_running(name, name, rule="running_extremum") for name in ("cummax", "cummin")),
)

RANKS = (
    _rank("sort", "sort", arguments=("input", "dim", "descending")),
    _rank("argsort", "argsort", arguments=("input", "dim", "descending")),
    _rank("msort", "msort", arguments=("input",)),
    _rank("topk", "topk", arguments=("input", "k", "dim", "largest", "sorted")),
    _rank("kthvalue", "kthvalue", arguments=("input", "k", "dim", "keepdim"), field="reduction"),
    _rank("median", "median", arguments=_DIM, field="reduction"),
    _rank("nanmedian", "nanmedian", arguments=_DIM, field="reduction"),
)

REDUCTIONS = (*SUMS, *EXTREMA, *RANKS)
