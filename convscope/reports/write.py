"""`convscope.report`: write what an evaluation found for people, programs and the hub."""

from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError, WorkError
from convscope.evaluation.result import EvaluationResult
from convscope.reports.content import Report
from convscope.reports.model_card import model_card
from convscope.reports.page import report_page
from convscope.words.json_text import to_json


def report(
    result: EvaluationResult,
    out: str | Path,
    *,
    license: str | None = None,  # noqa: A002 -- the hub's word
) -> tuple[Path, ...]:
    """Write the report of what `evaluate` returned to a folder; returns the files.

    - `report.html`: one page for people, with figures, curves, mistakes, slices and what to
      distrust;
    - `report.json`: the same as values;
    - `images.csv`: a row for each image;
    - `README.md`: a Hugging Face model card, under `license` if one is named. It needs the library
      of the hub (the extra `hub`), and is left out without it.

    Of a network that finds objects the page has its figures, curves and worst images.

    Raises WorkError if a file cannot be written.
    """
    content, folder = Report.of(result), Path(out).expanduser()
    files = {
        "report.html": report_page(content),
        "report.json": to_json(content.to_dict(), indent=1) + "\n",
    }
    try:
        files["README.md"] = model_card(content, license=license)
    except RequestError:
        if license is not None:
            raise
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(folder / name, text)
    except OSError as error:
        raise WorkError(f"{folder} cannot be written: {error.strerror or error}.") from error
    result.write_csv(folder / "images.csv")
    return (*(folder / name for name in files), folder / "images.csv")
