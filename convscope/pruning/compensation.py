"""What the remaining maps take over of those that are removed, in the layers that read them."""

from collections.abc import Collection

import numpy as np
import torch
from torch import nn

from convscope.pruning.channels import Numbers
from convscope.pruning.measure import Matrix, Measured, Reader

_EXACT = 1e-10
"""Share of a map's mean square that another one must leave for both to count as the same."""

_RIDGE = 1e-6
"""Of the mean square of a map, added to the diagonal, so that near twins share the work."""


def compensate(net: nn.Module, measured: Measured, removed: Collection[int]) -> None:
    """Add the weights of removed maps to those of the remaining ones, in place.

    Each removed map r is approximated by Σ a_rk · k over the maps k that remain, with the least
    squares over all units of all images, and the weights of a layer that reads them become
    w_k + Σ w_r · a_rk. A map that equals another one up to a factor is replaced by that one alone,
    so the function stays to rounding; so it does for a map of zeros. A layer with a bias and
    without padding has a constant among the maps.

    References: Srinivas & Babu, 2015, https://arxiv.org/abs/1507.06149, section 3, for equal
    filters; He, Zhang & Sun, 2017, https://arxiv.org/abs/1707.06168, equation 1, for least squares.
    """
    for path, reader in measured.readers.items():
        gone = np.isin(reader.channels, [*removed])
        if gone.any() and not gone.all():
            _take_over(net.get_submodule(path), reader, np.flatnonzero(gone))


def _take_over(layer: nn.Module, reader: Reader, gone: Numbers) -> None:
    kept = np.setdiff1d(np.arange(len(reader.channels)), gone)
    products, has_constant = reader.products, _takes_constant(layer)
    if has_constant:
        border = np.append(reader.sums, reader.count)[:, None]
        products = np.block([[products, border[:-1]], [border[:-1].T, border[-1:]]])
        kept = np.append(kept, len(reader.channels))
    factors = torch.from_numpy(solve(products, kept, gone))
    weight = layer.get_parameter("weight")
    with torch.no_grad():
        double = weight.detach().double().cpu()
        maps = double
        if reader.units > 1:
            maps = double.reshape(len(double), -1, reader.units)
        added = torch.einsum("or...,rk->ok...", maps[:, gone], factors)
        if has_constant:
            bias = layer.get_parameter("bias")
            constant = added[:, -1].flatten(1).sum(1) if added.ndim > 2 else added[:, -1]
            bias.add_(constant.to(bias))
            added, kept = added[:, :-1], kept[:-1]
        maps[:, kept] += added
        weight.copy_(maps.reshape(weight.shape).to(weight))


def _takes_constant(layer: nn.Module) -> bool:
    """Whether a constant before a layer is one behind it, which its bias can hold."""
    if getattr(layer, "bias", None) is None:
        return False
    padding = getattr(layer, "padding", 0)
    return padding in (0, (0,), (0, 0), (0, 0, 0), "valid")


def solve(products: Matrix, kept: Numbers, gone: Numbers) -> Matrix:
    """(r, k): the factors of the kept maps that give each removed one, from sums of products."""
    squares = np.diag(products)
    factors = np.zeros((len(gone), len(kept)))
    hard: list[int] = []
    for row, index in enumerate(gone):
        if squares[index] <= 0:
            continue
        usable = squares[kept] > 0
        shares = np.where(usable, products[index, kept], 0) ** 2
        shares /= np.where(usable, squares[kept], 1) * squares[index]
        best = int(shares.argmax())
        if shares[best] >= 1 - _EXACT:
            factors[row, best] = products[index, kept[best]] / squares[kept[best]]
        else:
            hard.append(row)
    if hard:
        among = products[np.ix_(kept, kept)]
        ridge = _RIDGE * max(float(np.diag(among).mean()), 1e-300)
        wanted = products[np.ix_(kept, gone[hard])]
        factors[hard] = np.linalg.solve(among + ridge * np.eye(len(kept)), wanted).T
    return factors
