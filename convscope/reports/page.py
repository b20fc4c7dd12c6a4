"""What a person wants to see when a training has ended, in the order in which they ask."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from convscope.data.loading import LoadedDataset
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.metrics import Metrics
from convscope.reports.chart import curves

_WORST = 24  # mistakes that are shown
_FILTERS = 64  # filters that are shown
_WIDE = 20  # classes above which the confusion matrix becomes a list


def report(
    *,
    title: str,
    told: str,
    metrics: Sequence[Mapping[str, Any]],
    test: EvaluationOutputs,
    indices: NDArray[np.int64],
    loaded: LoadedDataset,
    net: nn.Module,
) -> str:
    """The page as text. `told` says in a sentence what was trained; `indices` are the images that
    `test` measured, in its order.
    """
    parts = {
        "Training": _training(metrics),
        "Classes": _classes(test.metrics),
        "Confusion": _confusion(test.metrics),
        "Worst mistakes": _mistakes(test, indices, loaded),
        "First-layer filters": _filters(net),
    }
    body = "".join(
        f"<section><h2>{name}</h2>{part}</section>" for name, part in parts.items() if part
    )
    style = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><header><h1>{escape(title)}</h1><p>{escape(told)}</p>{_headline(test.metrics)}</header>"
        f"<main>{body}</main></body></html>\n"
    )


def _headline(scores: Metrics) -> str:
    low, high = scores.interval
    return (
        f'<p class="headline"><strong>{scores.top1:.2%}</strong> of {scores.num_images:,} test '
        f"images right; 95% interval {low:.2%} to {high:.2%}. Loss {scores.loss:.4f}, mean F1 "
        f"{scores.value('f1'):.3f}.</p>"
    )


def _training(metrics: Sequence[Mapping[str, Any]]) -> str:
    def column(name: str) -> list[float]:
        return [line[name] for line in metrics if name in line]

    loss = {"training": column("train_loss"), "validation": column("val_loss")}
    accuracy = {"training": column("train_top1"), "validation": column("val_top1")}
    best = next((line for line in reversed(metrics) if line["best"]), None)
    told = f"<p>The best weights are those of epoch {best['epoch']}.</p>" if best else ""
    charts = (
        curves("Loss", loss)
        + curves("Accuracy", accuracy, percent=True)
        + curves("Learning rate", {"rate": column("lr")})
    )
    return f'{told}<div class="charts">{charts}</div>'


def _classes(scores: Metrics) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{n}</td><td>{p:.3f}</td><td>{r:.3f}</td><td>{f:.3f}</td></tr>"
        for name, n, p, r, f in zip(
            scores.classes, scores.support, scores.precision, scores.recall, scores.f1, strict=True
        )
    )
    return (
        '<div class="wide"><table><thead><tr><th>Class</th><td>Images</td><td>Precision</td>'
        f"<td>Recall</td><td>F1</td></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _confusion(scores: Metrics) -> str:
    counts = scores.confusion
    if len(scores.classes) > _WIDE:
        wrong = counts - np.diag(np.diag(counts))
        places = [divmod(int(place), len(counts)) for place in np.argsort(-wrong, axis=None)[:30]]
        rows = "".join(
            f"<tr><th>{escape(scores.classes[true])}</th><td>{escape(scores.classes[said])}</td>"
            f"<td>{wrong[true, said]}</td></tr>"
            for true, said in places
            if wrong[true, said]
        )
        return (
            '<div class="wide"><table><thead><tr><th>True class</th><td>Called</td><td>Images</td>'
            f"</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    head = "".join(f'<td class="said"><span>{escape(name)}</span></td>' for name in scores.classes)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f'<td class="{"hit" if true == said else "miss"}" '
            f'style="--share:{share[true, said]:.3f}">{counts[true, said] or "·"}</td>'
            for said in range(len(counts))
        )
        + "</tr>"
        for true, name in enumerate(scores.classes)
    )
    return (
        "<p>Rows are the true class, columns what the network called it.</p>"
        f'<div class="wide"><table class="confusion"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _mistakes(test: EvaluationOutputs, indices: NDArray[np.int64], loaded: LoadedDataset) -> str:
    dataset = loaded.dataset
    labels = dataset.labels[indices]
    wrong = np.flatnonzero(test.predicted != labels)
    worst = wrong[np.argsort(-test.losses[wrong], kind="stable")][:_WORST]
    if not len(worst):
        return "<p>None: every test image was right.</p>"
    pixels = next(iter(loaded.batch_source.batches([indices[worst]]))).numpy()
    cards = "".join(
        f'<figure class="mistake"><img src="{_png(image)}" alt="">'
        f"<figcaption><b>{escape(dataset.classes[labels[place]])}</b> called "
        f"<b>{escape(dataset.classes[test.predicted[place]])}</b> with {test.confidence[place]:.0%}"
        f"<small>{escape(_printable(dataset.images.key(int(indices[place]))))}</small></figcaption></figure>"
        for image, place in zip(pixels, worst, strict=True)
    )
    told = f"<p>{len(wrong)} of {len(labels)} were wrong; the most wrong first.</p>"
    return f'{told}<div class="gallery">{cards}</div>'


def _filters(net: nn.Module) -> str:
    """The first convolution's filters: color where it sees three channels, else gray by sign."""
    layers = dict[str, nn.Module](net.named_modules())
    found = [(name, layer) for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    if not found or min(found[0][1].kernel_size) < 2:
        return ""
    name, layer = found[0]
    weights = layer.weight.detach().float().cpu().numpy()[:_FILTERS]
    if weights.shape[1] != 3:
        weights = weights[:, :1]
    largest = np.abs(weights).max() or 1.0
    images = np.round(127.5 + 127.5 * weights / largest).astype(np.uint8).transpose(0, 2, 3, 1)
    shown = "".join(f'<img src="{_png(image)}" alt="filter {k}">' for k, image in enumerate(images))
    size = "x".join(map(str, layer.kernel_size))
    return (
        f"<p>{escape(name)}: {layer.out_channels} filters of {size}. Mid-gray is zero, white "
        f'{largest:.3g}, black {-largest:.3g}.</p><div class="filters">{shown}</div>'
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode()
