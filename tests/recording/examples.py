"""At least one network for every kind of the table, whose last operation is of that kind.

A kind with a rule has its examples among the cases of `tests/explanation/cases`, each with an
independent definition of its values; a kind that draws or makes numbers has one in `DRAWS` of
`tests/explanation/test_operations.py`. For a new kind without a rule, add a line to `WITHOUT_RULE`
below. If `torch.export` cannot export it, add a line to `NOT_EXPORTABLE` with the reason.
`test_exported.py` runs every example as it is, exported, and decomposed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from convscope.recording.kinds.quantized import QUANTIZED
from tests.explanation.cases.case import Net, randomized
from tests.explanation.cases.quantized import ROUNDED
from tests.explanation.test_operations import CASES, DRAWS, Flat


@dataclass(frozen=True)
class Example:
    """A network, and the shape of its image."""

    kind: str
    build: Callable[[], nn.Module]
    image: tuple[int, ...] = (3, 5, 6)
    words: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.words)))

    def network(self) -> nn.Module:
        """The network in eval mode, with parameters that are not those of a fresh one."""
        net = randomized(self.build()).eval()
        return net if len(self.image) > 2 else Flat(net, self.image)


def _written_through_a_view(x: torch.Tensor) -> torch.Tensor:
    y = 2 * x
    y[:, 1:].relu_()
    return y


WITHOUT_RULE: dict[str, Callable[..., Any]] = {
    "lp_pool1d": lambda x: F.lp_pool1d(x[0], 2.0, 2),
    "lp_pool2d": lambda x: F.lp_pool2d(x, 2.0, 2),
    "lp_pool3d": lambda x: F.lp_pool3d(x, 2.0, 2),
    "prod": lambda x: x.prod(1),
    "logsumexp": lambda x: x.logsumexp(1),
    "argmax": lambda x: x.argmax(1),
    "argmin": lambda x: x.argmin(1),
    "std": lambda x: x.std((2, 3)),
    "var": lambda x: x.var((2, 3)),
    "rrelu": F.rrelu,
    "sign": torch.sign,
    "floor": torch.floor,
    "round": torch.round,
    "isnan": torch.isnan,
    "nan_to_num": torch.nan_to_num,
    "rpow": lambda x: 2.0**x,
    "lerp": lambda x: torch.lerp(x, 2 * x, 0.25),
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, training=False),
    "dot": lambda x: torch.dot(x[0, 0, 0], x[0, 1, 1]),
    "inner": lambda x: torch.inner(x[0, 0], x[0, 1]),
    "addmv": lambda x: torch.addmv(x[0, 0, :, 0], x[0, 0], x[0, 1, 0], beta=0.5, alpha=2),
    "addbmm": lambda x: torch.addbmm(x[0, 0], x[0], torch.ones(3, 6, 6), beta=0.5, alpha=2),
    "tensordot": lambda x: torch.tensordot(x[0], x[0], dims=([1, 2], [1, 2])),
    "bilinear": lambda x: F.bilinear(x, x, torch.ones(2, 6, 6)),
    "cdist": lambda x: torch.cdist(x, 2 * x),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(x, 0.5, training=False),
}
"""By the kind."""

EXAMPLES = [
    *(Example(c.kind, c.build, c.image, c.words) for c in CASES if c not in ROUNDED),
    *(Example(kind, lambda of=of: Net(of)) for kind, of in {**WITHOUT_RULE, **DRAWS}.items()),
    Example("inplace_update", lambda: Net(_written_through_a_view)),
]

NOT_EXPORTABLE = {
    "data": "torch.export refuses to set or read `data`",
    "cuda": "needs a GPU",
    **{
        kind.name: "torch.export does not trace it"
        for kind in QUANTIZED
        if kind.name.startswith("quantized::")
    },
    "quantize_per_channel": "there are no such tensors without values",
    "quantize_per_tensor_dynamic": "there are no such tensors without values",
    "int_repr": "torch.export does not trace it",
    "fused_moving_avg_obs_fake_quant": "an operator of the core returns the observer's state, too",
}
"""Kinds that no exported program has, by the reason."""
