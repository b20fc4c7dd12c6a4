"""The parts of the report's page as HTML."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from convscope.card import TaskName
from convscope.evaluation.figures import Figure
from convscope.evaluation.gallery import figures, mistakes_sections
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import AnyMetrics, MultiLabelMetrics, right_word, trained_word
from convscope.evaluation.slices import Slices
from convscope.reports.chart import Chart, Drawing, figure
from convscope.reports.content import SHARES, Report
from convscope.reports.plots import (
    accuracy_by_coverage,
    is_shortened,
    precision_recall,
    reliability_chart,
    roc,
)
from convscope.words import escape_html

_MAX_FILTERS = 64
_MAX_MATRIX = 20  # classes; with more, the confusion matrix becomes a list
_MAX_CURVES = 100  # classes up to which curves are drawn
_OF_SLICE = 6  # images of a slice
_LATE = {"last half": 0.5, "last tenth": 0.9}
_LEAST_EPOCHS = 3  # of a part of the training that is drawn by itself

OF_TASKS = {
    "val_map": "Mean average precision",
    "val_kappa": "Quadratic weighted kappa",
    "val_mae": "Mean absolute error in grades",
    "val_ap50": "Average precision at IoU 0.5",
    "val_ap": "Average precision at IoU 0.5 to 0.95",
}
"""Columns of a history that only some tasks have, and the titles of their charts."""


def about_section(report: Report) -> str:
    return named_values(report.about)


def named_values(values: Iterable[tuple[str, str]]) -> str:
    """A table of names and texts."""
    rows = "".join(
        f"<tr><th>{escape_html(name)}</th><td>{escape_html(value)}</td></tr>"
        for name, value in values
    )
    return f'<table class="about"><tbody>{rows}</tbody></table>'


def figures_section(report: Report) -> str:
    rows = "".join(
        f"<tr><th>{escape_html(name)}</th><td>{_value(name, found)}</td>"
        f"<td>{_bounds(name, found)}</td></tr>"
        for name, found in report.figures
    )
    groups = report.result.details.num_groups
    how = "" if groups is None else f" Images of one of the {groups:,} groups count as dependent."
    return (
        "<p>Of 100 such intervals, each from other images of the same kind, about 95 contain the "
        f"figure of all images of that kind.{how}</p>"
        '<div class="wide"><table><thead><tr><th></th><td>Value</td><td>95% interval</td></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def doubts_section(report: Report) -> str:
    items = "".join(f"<li>{escape_html(text.replace('`', ''))}</li>" for text in report.doubts)
    return f'<ul class="doubts">{items}</ul>' if items else ""


def training_section(report: Report) -> str:
    """Curves of training and validation, of the whole training and of its end."""
    metrics = report.metrics
    if not metrics:
        return ""
    parts = {"all epochs": 0} | {
        name: int(len(metrics) * share)
        for name, share in _LATE.items()
        if len(metrics) * (1 - share) >= _LEAST_EPOCHS
    }
    task = report.result.metrics.task
    charts = [
        f'<div class="charts part{number}">{_curves(metrics, first, task)}</div>'
        for number, first in enumerate(parts.values())
    ]
    choices = "".join(
        f'<label><input type="radio" name="part" value="{number}"{" checked" * (not number)}>'
        f" {name}</label>"
        for number, name in enumerate(parts)
    )
    chosen = f'<form class="parts">{choices}</form>' if len(parts) > 1 else ""
    return f'<div class="zoom">{chosen}{"".join(charts)}</div>'


def _curves(metrics: Sequence[Mapping[str, Any]], first: int, task: TaskName) -> str:
    right, trained = right_word(task), trained_word(task)

    def column(name: str) -> list[float]:
        return [line[name] for line in metrics[first:] if name in line]

    def chart(title: str, series: dict[str, list[float]], *, percent: bool = False) -> str:
        return figure(Chart(title, series, percent, first=first + 1))

    loss = {"training": column("train_loss"), "validation": column("val_loss")}
    of_training = "training" if trained == right else f"training, {trained}"
    accuracy = {of_training: column("train_top1"), "validation": column("val_top1")}
    return (
        chart("Loss", loss)
        + chart(right.capitalize(), accuracy, percent=True)
        + "".join(
            chart(title, {"validation": values}, percent=name.startswith("val_ap"))
            for name, title in OF_TASKS.items()
            if (values := column(name))
        )
        + chart("Learning rate", {"rate": column("lr")})
    )


def classes_section(metrics: AnyMetrics) -> str:
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
        "<p>Precision: of the images predicted as a class, the share that is of it. Recall: of the "
        "images of a class, the share predicted as it.</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def curves_section(report: Report) -> str:
    """ROC and precision-recall curves."""
    details = report.result.details
    if len(details.classes) > _MAX_CURVES:
        return ""
    charts = _charts([roc(details), precision_recall(details)])
    few = "The classes with the smallest areas are drawn. " if is_shortened(details) else ""
    return charts and (
        f"<p>{few}Each threshold on the probability of a class is a point; the number is the area "
        f"below the curve, 1 where the class is told perfectly.</p>{charts}"
    )


_KINDS = {
    "confidence": "Of the predicted class",
    "positive": "Of the second class",
    "labels": "Of all labels",
}


def calibration_section(report: Report) -> str:
    """Whether probabilities are what they say."""
    found = report.result.details.calibration
    said = "; ".join(
        f"{_KINDS[kind].lower()} {each.error:.3f} (by chance up to {each.chance_error:.3f})"
        for kind, each in found.items()
    )
    charts = [reliability_chart(each, _KINDS[kind]) for kind, each in found.items()]
    if report.result.details.selective:
        charts.append(accuracy_by_coverage(report.result.details))
    return (
        "<p>On the diagonal, answers of a probability of 80% are right for 80%. Below it the "
        f"network is too sure. Expected calibration error: {said}.</p>{_charts(charts)}"
    )


def slices_section(report: Report) -> str:
    if not report.thorough:
        return ""
    found = report.result.slices
    return f"<p>{escape_html(found.describe())}</p>{_slice_rows(report, found)}"


def _slice_rows(report: Report, slices: Slices) -> str:
    if not slices.found:
        return ""
    header, *rows = slices.rows()
    head = f"<th>{header[0]}</th>{''.join(f'<td>{name}</td>' for name in header[1:])}"
    body = "".join(
        f"<tr><th>{escape_html(row[0])}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    wrong = ~report.result.outputs.is_correct
    worst = slices.found[0].indices[wrong[slices.found[0].indices]][:_OF_SLICE]
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f"<h3>Mistakes of {escape_html(slices.found[0].title)}</h3>{figures(report.result, worst)}"
    )


def mistakes_section(report: Report) -> str:
    found, total = report.result.mistakes, report.result.metrics.num_images
    return f"<p>{found.wrong:,} of {total:,} are wrong.</p>" + mistakes_sections(
        report.result, heading="h3"
    )


def confusion_section(metrics: AnyMetrics) -> str:
    if not isinstance(metrics, Metrics):
        return ""
    return _matrix(metrics) if len(metrics.classes) <= _MAX_MATRIX else _confused(metrics)


def _confused(metrics: Metrics) -> str:
    counts = metrics.confusion
    wrong = counts - np.diag(np.diag(counts))
    cells = [divmod(int(cell), len(counts)) for cell in np.argsort(-wrong, axis=None)[:30]]
    rows = "".join(
        f"<tr><th>{escape_html(metrics.classes[true])}</th>"
        f"<td>{escape_html(metrics.classes[predicted])}</td><td>{wrong[true, predicted]}</td></tr>"
        for true, predicted in cells
        if wrong[true, predicted]
    )
    return (
        '<div class="wide"><table><thead><tr><th>True class</th><td>Predicted</td>'
        f"<td>Images</td></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _matrix(metrics: Metrics) -> str:
    counts = metrics.confusion
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


def filters_section(net: nn.Module) -> str:
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


def _charts(charts: Sequence[Drawing]) -> str:
    drawn = "".join(map(figure, charts))
    return f'<div class="charts">{drawn}</div>' if drawn else ""


def _value(name: str, found: Figure) -> str:
    return f"{found.value:{_form(name)}}" if found.is_defined else "not defined"


def _form(name: str) -> str:
    return ".2%" if name in SHARES else ".4f"


def _bounds(name: str, found: Figure) -> str:
    if found.interval is None:
        return (
            f'<span class="none-known">{escape_html(found.reason)}</span>' if found.reason else "–"
        )
    low, high = found.interval
    return f"{low:{_form(name)}} to {high:{_form(name)}}"


def _score(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _png(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
