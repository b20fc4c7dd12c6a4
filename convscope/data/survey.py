"""What the first reading of all images shows: the range of deep ones, and what to say of others."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from PIL import Image

from convscope.data.depth import DecodedImage, DeepImage, ValueRange, note_of, union_range

_SHOWN = 3  # windows
_DARK = 16  # times that most deep images are darker than their range, from which this is said


@dataclass(frozen=True)
class Depth:
    """The range of a deep image by itself, whether its file declares it, and its extremes."""

    value_range: ValueRange
    is_declared: bool
    extremes: ValueRange


@dataclass
class ImageSurvey:
    """Collects what images tell, by index, from any thread.

    What is collected is kept with decoded images on disk: see `cache.tables` for a new field.
    """

    depths: dict[int, Depth] = field(default_factory=dict[int, Depth])
    notes: dict[int, str] = field(default_factory=dict[int, str])
    windows: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, index: int, image: DecodedImage) -> None:
        if isinstance(image, DeepImage):
            is_declared = image.declared is not None
            self.depths[index] = Depth(image.value_range, is_declared, image.extremes)
        if isinstance(image, Image.Image) and (window := image.info.get("window")):
            self.windows[index] = window
        if note := note_of(image):
            self.notes[index] = note

    def drop(self, index: int) -> None:
        """Forget an image."""
        for found in (self.depths, self.notes, self.windows):
            found.pop(index, None)

    @property
    def value_range(self) -> ValueRange | None:
        """The range that all deep images share; None if there are none."""
        if not self.depths:
            return None
        return union_range(depth.value_range for depth in self.depths.values())

    def unlike(self, value_range: ValueRange) -> list[int]:
        """The deep images whose range by themselves is another one."""
        return [i for i, depth in self.depths.items() if depth.value_range != value_range]

    def describe_depth(self, key: Callable[[int], str]) -> Iterator[str]:
        """Sentences on the range that deep images are scaled by; `key` names an image."""
        if (value_range := self.value_range) is None:
            return
        low, high = value_range
        brightest = max(self.depths, key=lambda index: self.depths[index].extremes[1])
        count, largest = len(self.depths), self.depths[brightest].extremes[1]
        subject = "One image is" if count == 1 else f"{count:,} images are"
        yield (
            f"{subject} stored with more than 8 bits per channel. The range {low:,} to {high:,} "
            f"becomes black to white (the largest value is {largest:,}); the card keeps it."
        )
        other = [i for i in self.unlike(value_range) if self.depths[i].is_declared]
        if other:
            start, stop = self.depths[other[0]].value_range
            yield (
                f"{len(other):,} of them declare another range, as {key(other[0])} {start:,} to "
                f"{stop:,}: they become darker than they are meant. Save all with one range."
            )
        usual = median(depth.extremes[1] for depth in self.depths.values())
        if (usual - low) * _DARK < high - low:
            yield (
                f"They are almost black: half of them reach at most {usual:,.0f} of {high:,}; "
                f"{key(brightest)} reaches {largest:,}. If that comes from a few damaged pixels or "
                "images of another depth, mend or remove these."
            )

    def describe_windows(self) -> Iterator[str]:
        """A sentence on the windows that DICOM images have in their files."""
        if not self.windows:
            return
        windows = Counter(self.windows.values()).most_common()
        count = len(self.windows)
        if len(windows) == 1:
            files = f"{count:,} DICOM images" if count > 1 else "A DICOM image"
            yield f"Window (center/width) of {files}, by the file: {windows[0][0]}."
            return
        shown = ", ".join(f"{window} in {number:,}" for window, number in windows[:_SHOWN])
        others = f" and {len(windows) - _SHOWN:,} others" if len(windows) > _SHOWN else ""
        yield (
            f"{count:,} DICOM images are read by the windows (center/width) of their files: "
            f"{shown}{others}. So one value may be several grays; where values have a unit, as in "
            "CT, choose one `window` for all."
        )


def describe_notes(notes: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each kind of note, from the notes of images by their names."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, note in notes.items():
        names[note].append(name)
    for note, noted in names.items():
        if len(noted) == 1:
            yield f"{noted[0]} {note}."
        else:
            yield f"{len(noted):,} images are like {noted[0]}, which {note}."
