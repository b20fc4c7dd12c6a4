"""A page that classifies images in the browser, by ONNX Runtime Web; no image leaves the device."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from convscope.card import Card
from convscope.conversion.draft import IMAGES_FILE
from convscope.conversion.web_runtime import copy_runtime
from convscope.words import escape_html, visible
from convscope.words.json_text import to_json

PAGE = "web"
"""The folder of the page, in that of the exported network."""

_TITLE = "NAME"  # in index.html


def write_page(folder: Path, name: str, card: Card, runtime: Path) -> None:
    """Write the page of an exported network: all that a server of static files needs.

    Args:
        folder: of the exported network, with its `images.onnx`.
        name: of the network, the page's title.
        runtime: the folder with the files of ONNX Runtime Web.
    """
    page = folder / PAGE
    with as_file(files("convscope.conversion") / "page") as source:
        shutil.copytree(source, page, ignore=shutil.ignore_patterns("*.mts"))
    index = page / "index.html"
    text = index.read_text("utf-8").replace(_TITLE, escape_html(visible(name)))
    index.write_text(text, "utf-8")
    network = {
        "classes": card.classes,
        "task": card.task,
        "input_size": card.input_size,
    }
    (page / "network.json").write_text(to_json(network) + "\n", "utf-8")
    shutil.copyfile(folder / IMAGES_FILE, page / IMAGES_FILE)
    copy_runtime(runtime, page)
