"""`load_recording`: recordings from the files that `Recording.save` writes."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from convscope.card import Card
from convscope.errors import RequestError
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.recording import Recording
from convscope.explanation.saved.file import MissingDeviceError, is_recording, read_pass


def load_recording(path: str | PathLike[str], *, device: str | None = None) -> Recording:
    """A recording from a file of `recording.save`; the network is not needed.

    Every number, explanation, trace, replay and gradient is what it was, to the bit, by the same
    PyTorch on a machine of the same kind; elsewhere a replay refuses operations that give other
    last bits. `device`, as "cpu", is where its tensors go; by default each goes where it was.

    Only functions of torch that compute are called, and nothing in the file is executed. What the
    file could not hold, as functions of other libraries, is shown but not computed again.

    Raises RequestError for a file of something else, of a later version, or recorded on a device
    that is not there; CorruptFileError for a damaged one.
    """
    saved = read_pass(Path(path), device=device)
    return Recording(saved.done, saved.note, saved.settings)


def as_recorded(subject: object) -> RecordedImage | None:
    """A recording, or the path of a saved one, with its card; None for anything else.

    Without a card, classes are called by their numbers. A recording of a device that is not here is
    put on the CPU, with a note. Raises RequestError as `load_recording`.
    """
    if isinstance(subject, Recording):
        return RecordedImage(subject, _numbered(subject), "", subject.note)
    if not isinstance(subject, str | PathLike):
        return None
    path = Path(subject)
    if not path.is_file() or not is_recording(path):
        return None
    note = ""
    try:
        saved = read_pass(path)
    except MissingDeviceError:
        saved = read_pass(path, device="cpu")
        note = "It was recorded on a device that is not here, and is on the CPU."
    recording = Recording(saved.done, saved.note, saved.settings)
    note = " ".join(filter(None, (saved.note, note)))
    return RecordedImage(recording, saved.card or _numbered(recording), saved.warning, note)


def check_nothing_else(subject: object, stated: Sequence[str], *, has_image: bool) -> None:
    """Raise RequestError for what says how a network runs, where a recording is given."""
    unused = ["the image"] if has_image else []
    unused += [f"`{name}`" for name in stated]
    if unused:
        raise RequestError(f"{subject} is a recording; leave out {', '.join(unused)}.")


def _numbered(recording: Recording) -> Card:
    shape = recording[recording.output].shape
    channels = 3 if recording["image"].shape[:1] == (3,) else 1
    size = recording["image"].shape[-2:]
    return Card(
        classes=tuple(map(str, range(max(2, shape[-1] if shape else 0)))),
        input_size=(size[0], size[1]) if len(size) == 2 else (1, 1),
        in_channels=channels,
        resize_mode="crop",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )
