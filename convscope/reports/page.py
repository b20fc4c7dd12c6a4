"""The report page: metrics, curves, confusion matrix, worst mistakes, first-layer filters."""

import base64
import io
import math
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
from convscope.evaluation.multi_label import AnyMetrics, MultiLabelMetrics, right_word
from convscope.reports.chart import curves
from convscope.words import escape_html
from convscope.words.html_page import html_page

_MAX_MISTAKES = 24
_MAX_FILTERS = 64
_MAX_MATRIX = 20  # classes; with more, the confusion matrix becomes a list


def report(
    *,
    title: str,
    description: str,
    note: str = "",
    metrics: Sequence[Mapping[str, Any]],
    test: EvaluationOutputs,
    indices: NDArray[np.int64],
    loaded: LoadedDataset,
    net: nn.Module,
) -> str:
    """The page as HTML.

    `description` says in a sentence what was trained, `note` how the result compares; `indices` are
    the images of `test`, in its order.
    """
    parts = {
        "Training": _training(metrics, right_word(test.metrics.task)),
        "Classes": _classes(test.metrics),
        "Confusion": _confusion(test.metrics) if isinstance(test.metrics, Metrics) else "",
        "Worst mistakes": _mistakes(test, indices, loaded),
        "First-layer filters": _filters(net),
    }
    body = "".join(
        f"<section><h2>{name}</h2>{part}</section>" for name, part in parts.items() if part
    )
    style = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    compared = f"<p>{escape_html(note)}</p>" if note else ""
    header = f"<p>{escape_html(description)}</p>{_headline(test.metrics)}{compared}"
    return html_page(title=title, style=style, header=header, main=body)


def lead(metrics: AnyMetrics) -> str:
    """The share of test images that were predicted right, as HTML."""
    low, high = metrics.interval
    what = "with every label right" if metrics.task == "multi-label" else "correct"
    return (
        f"<strong>{metrics.top1:.2%}</strong> of {metrics.num_images:,} test images {what} (95% "
        f"interval {low:.2%} to {high:.2%})"
    )


def _headline(metrics: AnyMetrics) -> str:
    others = {
        "mean F1": f"{metrics.value('f1'):.3f}",
        "micro F1": f"{metrics.value('micro_f1'):.3f}",
        "balanced accuracy": f"{metrics.value('balanced'):.2%}",
        "mean average precision": f"{metrics.value('map'):.2%}",
        "quadratic weighted kappa": f"{metrics.value('kappa'):.3f}",
        "mean absolute error": f"{metrics.value('mae'):.3f} grades",
    }
    known = [f"{name} {value}" for name, value in others.items() if "nan" not in value]
    undefined = metrics.undefined() if isinstance(metrics, MultiLabelMetrics) else []
    notes = [note for note in (imbalance_of_result(metrics), *undefined) if note]
    return (
        f'<p class="headline">{lead(metrics)}. Loss {metrics.loss:.4f}, {", ".join(known)}.</p>'
        f"{''.join(f'<p>{escape_html(note)}</p>' for note in notes)}"
    )


OF_TASKS = {
    "val_map": "Mean average precision",
    "val_kappa": "Quadratic weighted kappa",
    "val_mae": "Mean absolute error in grades",
}
"""Columns of a history that only some tasks have, and the titles of their charts."""


def _training(metrics: Sequence[Mapping[str, Any]], right: str) -> str:
    def column(name: str) -> list[float]:
        return [line[name] for line in metrics if name in line]

    loss = {"training": column("train_loss"), "validation": column("val_loss")}
    accuracy = {"training": column("train_top1"), "validation": column("val_top1")}
    best = next((line for line in reversed(metrics) if line["best"]), None)
    best_epoch = f"<p>The best weights are those of epoch {best['epoch']}.</p>" if best else ""
    charts = (
        curves("Loss", loss)
        + curves(right.capitalize(), accuracy, percent=True)
        + "".join(
            curves(title, {"validation": values})
            for name, title in OF_TASKS.items()
            if (values := column(name))
        )
        + curves("Learning rate", {"rate": column("lr")})
    )
    return f'{best_epoch}<div class="charts">{charts}</div>'


def _classes(metrics: AnyMetrics) -> str:
    header = ["Class", "Images", "Precision", "Recall", "F1"]
    columns = [metrics.support, metrics.precision, metrics.recall, metrics.f1]
    if isinstance(metrics, MultiLabelMetrics):
        header = ["Label", *header[1:], "Average precision", "AUC"]
        columns += [metrics.average_precision, metrics.auc]
    rows = "".join(
        f"<tr><th>{escape_html(name)}</th><td>{count}</td>"
        f"{''.join(f'<td>{_score(value)}</td>' for value in values)}</tr>"
        for name, count, *values in zip(metrics.classes, *columns, strict=True)
    )
    head = f"<th>{header[0]}</th>{''.join(f'<td>{name}</td>' for name in header[1:])}"
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _score(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


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
    wrong = np.flatnonzero(~test.is_correct)
    worst = wrong[np.argsort(-test.losses[wrong], kind="stable")][:_MAX_MISTAKES]
    if not len(worst):
        return "<p>None: every test image was classified correctly.</p>"
    pixels = next(iter(loaded.batch_source.batches([indices[worst]]))).numpy()
    cards = "".join(
        f'<figure class="mistake"><img src="{_png(image)}" alt="">'
        f"<figcaption><b>{escape_html(dataset.label_text(int(indices[index])))}</b> predicted as "
        f"<b>{escape_html(test.answer(int(index)))}</b>{_with(test, int(index))}"
        f"<small>{escape_html(dataset.images.key(int(indices[index])))}</small>"
        "</figcaption></figure>"
        for image, index in zip(pixels, worst, strict=True)
    )
    summary = f"<p>{len(wrong)} of {len(indices)} were wrong; largest loss first.</p>"
    return f'{summary}<div class="gallery">{cards}</div>'


def _with(test: EvaluationOutputs, index: int) -> str:
    """The probability of what was predicted; of several labels, which have one each, nothing."""
    return "" if test.predicted.ndim == 2 else f" with {test.confidence[index]:.0%}"


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
