"""The settings that say which images are trained on, and how they are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from convscope.card import ResizeMode, TaskName
from convscope.data.options import DataOptions
from convscope.training.setting import setting

DATA = "Data"

LARGEST_SEED = 2**63 - 1

# fmt: off


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where the images are, how they are split and read; a part of `TrainConfig`."""

    data_dir: Path | None = setting(None, DATA,
        help="Folder that is searched for named data sets before they are downloaded.")
    val: float | None = setting(None, DATA, low=0, high=0.9,
        help="Fraction of the training images held out for validation, if the data has no "
        "validation split; by default 0.1, or 0 with weights and fewer than 1,000 images, unless "
        "validation is to choose something.")
    test: float = setting(0.2, DATA, low=0.001, high=0.9,
        help="Fraction of the images held out for testing, if the data has no test split.")
    split_seed: int = setting(0, DATA, low=0, high=LARGEST_SEED,
        help="Random seed of these splits.")
    image_column: str | None = setting(None, DATA,
        help="Column of a CSV file that names the images; by default the one whose header says so.")
    label_column: str | None = setting(None, DATA,
        help="Column of a CSV file with the classes; by default the one whose header says so. "
        "Several columns of 0 and 1, with commas, are labels of which an image may have any "
        "number.")
    task: Literal["auto"] | TaskName = setting("auto", DATA,
        help="What an image has: one class (single-label), any number of labels (multi-label, from "
        "a column for each or from lists such as a;b), a grade (ordinal: the classes have an "
        "order), or objects in boxes (detection). With auto, several columns of labels are "
        "multi-label, all else single-label.")
    grades: str | None = setting(None, DATA, only_if={"task": ("auto", "ordinal")},
        help="The classes from the lowest grade to the highest, with commas; by default in the "
        "order of the numbers in their names. Makes the task ordinal.")
    group_column: str | None = setting(None, DATA,
        help="Column of a CSV file that says which images belong together, of one patient for "
        "example, and are never divided over splits; none if all are independent.")
    group_pattern: str | None = setting(None, DATA,
        help="Regular expression that finds an image's group in its file name, or, with a /, in "
        r"its path: (\d+)_(left|right) keeps both eyes of a patient in one split.")
    resize_mode: Literal["auto"] | ResizeMode = setting("auto", DATA,
        help="How images are brought to the network's input size; auto decides by their sizes.")
    window: str | None = setting(None, DATA,
        help="Window of all grayscale DICOM images, as center/width in the unit of their values, "
        "which become black to white: 40/400 for soft tissue in CT; by default each file's own.")
    max_corrupt_fraction: float = setting(0.05, DATA, low=0, high=1,
        help="Largest fraction of unreadable images with which training still starts.")
    duplicates: Literal["error", "drop", "allow"] = setting("error", DATA,
        help="Images with equal pixels in two of the data's own splits: stop; drop them from the "
        "split that is trained on, or validated on if the other is the test; or allow them. Splits "
        "that convscope makes keep them together.")

    # fmt: on

    def data_options(self) -> DataOptions:
        """The settings that say how a folder or a table is read."""
        return {
            "image_column": self.image_column,
            "label_column": self.label_column,
            "group_column": self.group_column,
            "group_pattern": self.group_pattern,
            "task": "ordinal" if self.grades and self.task == "auto" else self.task,
        }
