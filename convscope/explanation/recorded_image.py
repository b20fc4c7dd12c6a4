"""A network's recorded pass on an image, with the network's card."""

import re
from dataclasses import dataclass
from pathlib import Path

from convscope.card import Card
from convscope.explanation.recording import Recording


@dataclass(frozen=True)
class RecordedImage:
    """A network's recorded pass on an image.

    Attributes:
        card: how the image was preprocessed, and the names of the classes.
        warning: a caveat for the reader; empty if there is none.
        note: what was assumed of the image; empty if nothing was.
        image_size: width and height of the image in pixels, where boxes are found in it; None where
            it is not known.
    """

    recording: Recording
    card: Card
    warning: str
    note: str = ""
    image_size: tuple[int, int] | None = None

    @property
    def cautions(self) -> list[str]:
        """What the reader is told before anything else."""
        return [text for text in (self.warning, self.note) if text]

    @property
    def names(self) -> frozenset[str]:
        """The names of the recorded results, "" for the network's output."""
        return frozenset((*self.recording.names, "image", ""))

    def class_index(self, name: str, text: str) -> int | None:
        """The index of the class that a text names, if the result `name` has one unit a class.

        The name may stand in quotes, and has to where it is a number.
        """
        classes = self.card.classes
        if self.recording[name].value.shape != (len(classes),):
            return None
        quoted = re.fullmatch("'(.*)'|\"(.*)\"", text.strip(), re.DOTALL)
        names = [text, text.strip()] if not text.strip().isdecimal() else []
        names += [quoted[1] or quoted[2] or ""] if quoted else []
        return next((classes.index(each) for each in names if each in classes), None)

    def save(self, path: str | Path) -> None:
        """Write the recording with card and warning to a file; see `Recording.save`."""
        self.recording.save(path, card=self.card, warning=self.warning)
