"""Relevance propagation of single layers, term by term, as the papers write it."""

import torch


def relevance_of_dense(x, weight, bias, relevance, rule):
    """R_i = Σ_j share(w_ji · x_i) · R_j."""
    found = torch.zeros_like(x)
    for j, each in enumerate(relevance.tolist()):
        found += _divided([w * v for w, v in zip(weight[j].tolist(), x.tolist(), strict=True)],
                          float(bias[j]), each, rule)  # fmt: skip
    return found


def relevance_of_convolution(image, layer, relevance, rule):
    """The same for one convolution without groups, (c, h, w)."""
    found = torch.zeros_like(image)
    channels, height, width = image.shape
    (stride, _), (padding, _) = layer.stride, layer.padding
    for k, row, column in torch.cartesian_prod(*map(torch.arange, relevance.shape)).tolist():
        at, terms = [], []
        for c, dy, dx in torch.cartesian_prod(
            torch.arange(channels), *map(torch.arange, layer.kernel_size)
        ).tolist():
            y, x = row * stride - padding + dy, column * stride - padding + dx
            if 0 <= y < height and 0 <= x < width:
                at.append((c, y, x))
                terms.append(float(layer.weight[k, c, dy, dx] * image[c, y, x]))
        shares = _divided(terms, float(layer.bias[k]), float(relevance[k, row, column]), rule)
        for place, share in zip(at, shares.tolist(), strict=True):
            found[place] += share
    return found


def _divided(terms, bias, relevance, rule):
    if rule == "z-plus":
        terms, bias = [max(term, 0.0) for term in terms], 0.0
    total = sum(terms) + bias
    return torch.tensor(
        [term / total * relevance if total else 0.0 for term in terms], dtype=torch.float64
    )
