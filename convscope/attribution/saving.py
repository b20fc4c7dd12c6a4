"""Pictures and facts as files, each written whole or not at all."""

from io import BytesIO
from pathlib import Path

import numpy as np

from convscope.atomic import write_atomically
from convscope.attribution.figure import OneImage, Pictures
from convscope.attribution.page import page
from convscope.attribution.sheet import sheet
from convscope.attribution.vector import svg
from convscope.errors import RequestError
from convscope.words.json_text import to_json

ENDINGS = (".png", ".svg", ".html", ".json", ".npz")


def save(found: Pictures, path: Path) -> list[Path]:
    """Write one file by its ending, or a folder with a page, the facts and a PNG of each image."""
    if path.suffix.lower() in ENDINGS:
        write_atomically(path, _content(found, path.suffix.lower()))
        return [path]
    check_output(path)
    path.mkdir(parents=True, exist_ok=True)
    written = [path / "index.html", path / "attributions.json"]
    for file in written:
        write_atomically(file, _content(found, file.suffix))
    for number, image in enumerate(found.images, 1):
        one = OneImage(found.model, (image,), found.cautions, found.left_out)
        name = f"{number:02}_{Path(image.photo.name).stem}.png"
        write_atomically(path / name, sheet(one))
        written.append(path / name)
    return written


def check_output(path: Path) -> None:
    """Raise RequestError for an ending that is not written, before any work is done."""
    if path.suffix and path.suffix.lower() not in ENDINGS and not path.is_dir():
        raise RequestError(
            f"`output` {path} has the ending {path.suffix}; give {', '.join(ENDINGS)} or a folder."
        )


def _content(found: Pictures, suffix: str) -> bytes | str:
    match suffix:
        case ".png":
            return sheet(found)
        case ".svg":
            return svg(found)
        case ".html":
            return page(found)
        case ".npz":
            return arrays(found)
        case _:
            return to_json(found.to_dict(), indent=1) + "\n"


def arrays(found: Pictures) -> bytes:
    """The maps as NumPy's .npz: `1/grad-cam` is that of the first image, `1/grad-cam/cells` as it
    was computed.
    """
    named: dict[str, np.ndarray] = {}
    for number, image in enumerate(found.images, 1):
        for method, each in image.maps.items():
            named[f"{number}/{method}"] = each.map
            if each.layer is not None:
                named[f"{number}/{method}/cells"] = each.raw.values
    content = BytesIO()
    np.savez_compressed(content, **named)  # pyright: ignore[reportArgumentType]
    return content.getvalue()
