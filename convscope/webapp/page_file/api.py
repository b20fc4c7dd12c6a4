"""`convscope.save_lab`: the lab's screens of a network on some images, as one file."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.runs.own_code import Consent
from convscope.webapp.inspect.open_run import first_images
from convscope.webapp.inspect.store import LoadedModel, ModelStore, RecordedImage
from convscope.webapp.page_file.content import arithmetic, first_screen, index_of, volumes
from convscope.webapp.page_file.page import page_html
from convscope.webapp.page_file.units import fill_ledgers
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel

MAX_SIZE = 25
"""Megabytes of a file, unless more are allowed."""

_MB = 1_000_000
_LEAST = 1_000_000  # bytes of a file for each image, if what fits is explained
_TIMES = 2  # what a file of larger volumes is filled up to, in sizes of its volumes
_BASE64 = 4 / 3

Report = Callable[[str, int, int], None]


def save_lab(
    network: str | Path | nn.Module,
    output: str | Path,
    *,
    image: str | Path | Sequence[str | Path] = (),
    max_size: float = MAX_SIZE,
    weights: str | None = None,
    pretrained: bool = False,
    in_channels: int | None = None,
    input_size: int | None = None,
    class_names: ClassNamesLike | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    trust: bool = False,
    on_progress: Report | None = None,
) -> Path:
    """Write the lab's screens Network, Maps and Unit to one HTML file that needs no server.

    It opens from disk in any browser, requests nothing, and computes nothing: every number is
    Python's. It has all maps of all layers, and the arithmetic of as many units as fit, those first
    that are opened first; of another unit it says that its arithmetic is not there.

    Args:
        network: a run folder, a name, a layer table, `module:attr`, or any `nn.Module`.
        output: the file, which must not exist.
        image: image files; by default a few of the run's own, or samples.
        max_size: the largest size of the file in MB; small networks and few images take less.
        weights, pretrained, in_channels, input_size, class_names, mean, std, trust: as in `lab`.
        on_progress: called with what is done, how much of it, and of how much.

    Returns the file. Raises RequestError for a network or an image that cannot be read, for a file
    that exists, and where the maps alone are larger than `max_size`.
    """
    target = check_output(output)
    store = ModelStore()
    model = store.open(
        str(network) if isinstance(network, Path) else network,
        weights=weights,
        pretrained=pretrained,
        in_channels=in_channels,
        input_size=input_size,
        class_names=class_names,
        settings=InputSettings(mean=mean, std=std),
        consent=Consent(trust=trust),
    )
    paths = [image] if isinstance(image, str | Path) else image
    if paths:
        images = [store.add(model, Path(path).name, Path(path)) for path in paths]
    else:
        images = [store.add(model, title, pixels) for title, pixels in first_images(model)]
    different = {image.id: image for image in images}
    write_atomically(
        target, page_of(model, [*different.values()], max_size=max_size, report=on_progress)
    )
    return target


def page_of(
    model: LoadedModel,
    images: Sequence[RecordedImage],
    *,
    max_size: float = MAX_SIZE,
    report: Report | None = None,
) -> str:
    """The page of an open network and some of its images; see `save_lab`."""
    say = report or _say_nothing
    first, rest = first_screen(images), volumes(model, images, say)
    images_word = f"{len(images)} image{'' if len(images) == 1 else 's'}"
    bare = page_html("", index_of(model, images, []), first, rest)
    if len(bare) > max_size * _MB:
        raise RequestError(
            f"The maps of {model.title} for {images_word} take {len(bare) / _MB:,.0f} MB, and the "
            f"file may have {max_size:g}. Allow more with `max_size`, for example "
            f"{2 * len(bare) / _MB:.0f}, or take fewer images or a smaller network."
        )
    wanted = max(_LEAST * len(images), _TIMES * len(bare))
    room = (min(wanted, int(max_size * _MB)) - len(bare)) / _BASE64
    several = fill_ledgers(
        model, images, int(room), lambda done, total: say("Units", done * 100 // total, 100)
    )
    index = index_of(model, images, several)
    return page_html(f"{model.title} · convscope", index, first, {**rest, **arithmetic(several)})


def _say_nothing(_activity: str, _done: int, _total: int) -> None:
    pass


def check_output(path: str | Path) -> Path:
    """The file to write. Raises RequestError if it exists, or is no HTML file by its name."""
    target = Path(path).expanduser()
    if target.suffix.lower() not in (".html", ".htm"):
        raise RequestError(f"{target} must end in .html: the file is a page.")
    if target.exists():
        raise RequestError(f"{target} exists. Choose another name, or remove it first.")
    return target
