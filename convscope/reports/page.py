"""The report page: metrics, curves, confusion matrix, worst mistakes, first-layer filters."""

import base64
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from convscope.data.loading import LoadedDataset
from convscope.evaluation.imbalance import imbalance_of_result
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.metrics import Metrics
from convscope.reports.chart import curves
from convscope.words import escape_html

_MAX_MISTAKES = 24
_MAX_FILTERS = 64
_MAX_MATRIX = 20  # classes; with more, the confusion matrix becomes a list


def report(
    *,
    title: str,
    description: str,
    metrics: Sequence[Mapping[str, Any]],
    test: EvaluationOutputs,
    indices: NDArray[np.int64],
    loaded: LoadedDataset,
    net: nn.Module,
) -> str:
    """The page as HTML.

    `description` says in a sentence what was trained; `indices` are the images of `test`, in its
    order.
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
        f"<title>{escape_html(title)}</title><style>{style}</style></head>"
        f"<body><header><h1>{escape_html(title)}</h1><p>{escape_html(description)}</p>{_headline(test.metrics)}</header>"
        f"<main>{body}</main></body></html>\n"
    )


def _headline(metrics: Metrics) -> str:
    low, high = metrics.interval
    imbalance = imbalance_of_result(metrics)
    note = f"<p>{escape_html(imbalance)}</p>" if imbalance else ""
    return (
        f'<p class="headline"><strong>{metrics.top1:.2%}</strong> of {metrics.num_images:,} test '
        f"images correct; 95% interval {low:.2%} to {high:.2%}. Loss {metrics.loss:.4f}, mean F1 "
        f"{metrics.value('f1'):.3f}, balanced accuracy {metrics.value('balanced'):.2%}.</p>{note}"
    )


def _training(metrics: Sequence[Mapping[str, Any]]) -> str:
    def column(name: str) -> list[float]:
        return [line[name] for line in metrics if name in line]

    loss = {"training": column("train_loss"), "validation": column("val_loss")}
    accuracy = {"training": column("train_top1"), "validation": column("val_top1")}
    best = next((line for line in reversed(metrics) if line["best"]), None)
    best_epoch = f"<p>The best weights are those of epoch {best['epoch']}.</p>" if best else ""
    charts = (
        curves("Loss", loss)
        + curves("Accuracy", accuracy, percent=True)
        + curves("Learning rate", {"learning rate": column("lr")})
    )
    return f'{best_epoch}<div class="charts">{charts}</div>'


def _classes(metrics: Metrics) -> str:
    rows = "".join(
        f"<tr><th>{escape_html(name)}</th><td>{n}</td><td>{p:.3f}</td><td>{r:.3f}</td><td>{f:.3f}</td></tr>"
        for name, n, p, r, f in zip(
            metrics.classes,
            metrics.support,
            metrics.precision,
            metrics.recall,
            metrics.f1,
            strict=True,
        )
    )
    return (
        '<div class="wide"><table><thead><tr><th>Class</th><td>Images</td><td>Precision</td>'
        f"<td>Recall</td><td>F1</td></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _confusion(metrics: Metrics) -> str:
    counts = metrics.confusion
    if len(metrics.classes) > _MAX_MATRIX:
        wrong = counts - np.diag(np.diag(counts))
        cells = [divmod(int(cell), len(counts)) for cell in np.argsort(-wrong, axis=None)[:30]]
        rows = "".join(
            f"<tr><th>{escape_html(metrics.classes[true])}</th><td>{escape_html(metrics.classes[predicted])}</td>"
            f"<td>{wrong[true, predicted]}</td></tr>"
            for true, predicted in cells
            if wrong[true, predicted]
        )
        return (
            '<div class="wide"><table><thead><tr><th>True class</th><td>Predicted</td>'
            f"<td>Images</td></tr></thead><tbody>{rows}</tbody></table></div>"
        )
    head = "".join(
        f'<td class="predicted"><span>{escape_html(name)}</span></td>' for name in metrics.classes
    )
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows = "".join(
        f"<tr><th>{escape_html(name)}</th>"
        + "".join(
            f'<td class="{"correct" if true == predicted else "wrong"}" '
            f'style="--share:{share[true, predicted]:.3f}">{counts[true, predicted] or "·"}</td>'
            for predicted in range(len(counts))
        )
        + "</tr>"
        for true, name in enumerate(metrics.classes)
    )
    return (
        "<p>Rows are true classes, columns predicted ones.</p>"
        f'<div class="wide"><table class="confusion"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _mistakes(test: EvaluationOutputs, indices: NDArray[np.int64], loaded: LoadedDataset) -> str:
    dataset = loaded.dataset
    labels = dataset.labels[indices]
    wrong = np.flatnonzero(test.predicted != labels)
    worst = wrong[np.argsort(-test.losses[wrong], kind="stable")][:_MAX_MISTAKES]
    if not len(worst):
        return "<p>None: every test image was classified correctly.</p>"
    pixels = next(iter(loaded.batch_source.batches([indices[worst]]))).numpy()
    cards = "".join(
        f'<figure class="mistake"><img src="{_png(image)}" alt="">'
        f"<figcaption><b>{escape_html(dataset.classes[labels[index]])}</b> predicted as "
        f"<b>{escape_html(dataset.classes[test.predicted[index]])}</b> with "
        f"{test.confidence[index]:.0%}<small>{escape_html(dataset.images.key(int(indices[index])))}"
        "</small></figcaption></figure>"
        for image, index in zip(pixels, worst, strict=True)
    )
    summary = f"<p>{len(wrong)} of {len(labels)} were wrong; largest loss first.</p>"
    return f'{summary}<div class="gallery">{cards}</div>'


def _filters(net: nn.Module) -> str:
    """The filters of the first convolution, in color if it has three input channels."""
    layers = dict[str, nn.Module](net.named_modules())
    convs = [(name, layer) for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    if not convs or min(convs[0][1].kernel_size) < 2:
        return ""
    name, layer = convs[0]
    weights = layer.weight.detach().float().cpu().numpy()[:_MAX_FILTERS]
    if weights.shape[1] != 3:
        weights = weights[:, :1]
    largest = np.abs(weights).max() or 1.0
    images = np.round(127.5 + 127.5 * weights / largest).astype(np.uint8).transpose(0, 2, 3, 1)
    gallery = "".join(
        f'<img src="{_png(image)}" alt="filter {k}">' for k, image in enumerate(images)
    )
    size = "x".join(map(str, layer.kernel_size))
    return (
        f"<p>{escape_html(name)}: {layer.out_channels} filters of {size}. Mid-gray is zero, white "
        f'{largest:.3g}, black {-largest:.3g}.</p><div class="filters">{gallery}</div>'
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
