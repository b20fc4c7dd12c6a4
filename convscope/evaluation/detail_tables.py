"""The details of an evaluation as tables with a title each, for the terminal."""

from convscope.data.classes import quote_names
from convscope.evaluation.calibration import Reliability
from convscope.evaluation.details import Details
from convscope.evaluation.rates import Rate
from convscope.evaluation.selective import COVERAGES
from convscope.evaluation.tables import Rows

_NAMES: dict[Rate, str] = {
    "precision": "precision (PPV)",
    "recall": "sensitivity",
    "specificity": "specificity",
    "npv": "NPV",
    "f1": "F1",
}
_WHOLE = {
    "top1_error": "top-1 error",
    "top5_error": "top-5 error",
    "balanced_accuracy": "balanced accuracy",
    "quadratic_kappa": "kappa, quadratic",
    "kappa": "kappa",
    "mcc": "MCC",
}
_KINDS = {
    "confidence": "of the predicted class",
    "positive": "of the second class",
    "labels": "of all labels",
}
_COLUMNS: tuple[tuple[str, ...], ...] = (
    ("recall", "specificity", "auc"),
    ("precision", "npv", "f1"),
)
_HEADERS = {**_NAMES, "auc": "AUC"}


def detail_tables(details: Details) -> list[tuple[str, Rows]]:
    """A title and rows, the first of which is the header, for each table."""
    tables = [
        (f"Figures with 95% intervals{_of_groups(details)}", _whole(details)),
        ("Averages of the classes", _averages(details)),
    ]
    present = [row for row in details.per_class if row["images"]]
    titles = ("Each class against the rest", "How far an answer can be trusted")
    for title, columns in zip(titles, _COLUMNS, strict=True):
        header = ["class", "images", *(_HEADERS[column] for column in columns)]
        rows = [
            [row["name"], str(row["images"]), *(str(row[column]) for column in columns)]
            for row in present
        ]
        tables.append((title, [header, *rows]))
    if details.selective:
        tables.append(
            ("Accuracy where only the most certain images are answered", _selective(details))
        )
    for kind, found in details.calibration.items():
        tables.append((f"Reliability of the probability {_KINDS[kind]}", _reliability(found)))
    return tables


def undefined_notes(details: Details) -> list[str]:
    """A sentence for each reason why a figure of a class that has images is not defined."""
    names: dict[tuple[str, str], list[str]] = {}
    for row in details.per_class:
        if not row["images"]:
            continue
        for column in ("precision", "npv", "auc"):
            figure = row[column]
            if not figure.is_defined:
                reason = figure.reason if column != "auc" else "all images are of it"
                names.setdefault((_HEADERS[column], reason), []).append(row["name"])
    return [
        f"{what} of {quote_names(classes)} is not defined: {reason}."
        for (what, reason), classes in names.items()
    ]


def _of_groups(details: Details) -> str:
    return "" if details.num_groups is None else f", by {details.num_groups} groups"


def _whole(details: Details) -> Rows:
    rows = [["", "value"]]
    for name, figure in {**details.topk, **details.agreement}.items():
        rows.append([_WHOLE[name], str(figure)])
    return [
        *rows,
        ["mean AUC", str(details.auc[1])],
        ["mean average precision", str(details.average_precision[1])],
        ["loss", str(details.loss)],
        ["Brier score", str(details.brier)],
        *(
            [
                f"calibration error {_KINDS[kind]}",
                f"{found.error:.3f} (by chance up to {found.chance_error:.3f})",
            ]
            for kind, found in details.calibration.items()
        ),
    ]


def _averages(details: Details) -> Rows:
    header = ["", *details.averages]
    return [
        header,
        *(
            [name, *(str(rates[rate]) for rates in details.averages.values())]
            for rate, name in _NAMES.items()
        ),
    ]


def _selective(details: Details) -> Rows:
    header = ["answered", *(f"certain by {name}" for name in details.selective)]
    rows = [
        [f"{coverage:.0%}", *(str(found.at(coverage)[1]) for found in details.selective.values())]
        for coverage in COVERAGES
    ]
    areas = [f"{found.area:.4f}" for found in details.selective.values()]
    return [header, *rows, ["area (AURC)", *areas]]


def _reliability(found: Reliability) -> Rows:
    rows = found.to_dict()["reliability"]
    return [
        ["probability", "answers", "mean", "right", "95% interval"],
        *(
            [
                f"{row['above']:.3f} to {row['to']:.3f}",
                str(row["count"]),
                f"{row['confidence']:.1%}",
                f"{row['accuracy']:.1%}",
                f"{row['interval'][0]:.1%} to {row['interval'][1]:.1%}",
            ]
            for row in rows
        ),
    ]
