"""Which loggers `log` names, and whether the libraries behind them are installed."""

import importlib.util
import re

from convscope.errors import RequestError, nearest

CSV = "csv"

PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""The package behind each logger, which an extra of the same name installs."""

NAMES = (CSV, *PACKAGES)


def parse_loggers(text: str | None) -> tuple[str, ...]:
    """The names in a text such as "csv,tensorboard", each once; none for None and "none".

    >>> parse_loggers("tensorboard, csv"), parse_loggers("none")
    (('tensorboard', 'csv'), ())

    Raises RequestError for another name.
    """
    names = dict.fromkeys(re.findall(r"[^\s,]+", text or ""))
    if names.keys() == {"none"}:
        return ()
    for name in names:
        if name not in NAMES:
            raise RequestError(
                f"`log` takes {', '.join(NAMES)}, several with commas, not {name!r}."
                f"{nearest(name, NAMES)}"
            )
    return tuple(names)


def check_installed(text: str | None) -> None:
    """Raise RequestError, with the extra, for a logger whose library is not installed."""
    for name in parse_loggers(text):
        if name != CSV and not _is_installed(PACKAGES[name]):
            raise RequestError(
                f"`log={name}` needs a package that is not installed: "
                f'`pip install "convscope[{name}]"`.'
            )


def _is_installed(package: str) -> bool:
    found = importlib.util.find_spec(package)
    return found is not None and found.origin is not None  # a mere folder of that name has none
