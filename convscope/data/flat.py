"""What to say of images that lie in no class folders: their labels must be somewhere."""

import re
from collections import Counter
from collections.abc import Sequence

from convscope.data.archive_folder import ArchiveFolder
from convscope.data.classes import quote_names
from convscope.data.walk import Folder, ending, is_image, list_folder

_PREFIX = re.compile(r"^([^\W\d_]{2,}(?:[ _-][^\W\d_]{2,})*)[\s._-]*\(?\d")


def hint_for_flat_images(root: Folder, folders: Sequence[Folder]) -> str:
    """What to do about images without class folders; "" if neither files nor names say it.

    A table in `root` or beside is named; else names that begin with a class, as `cat.0.jpg`.
    """
    entries = [entry for folder in {root, *folders} for entry in list_folder(folder)]
    tables = sorted(e.path for e in entries if ending(e.name) in {".csv", ".tsv"})
    if tables:
        shown = ", ".join(tables[:3])
        if isinstance(root, ArchiveFolder):
            return f"Are their labels in {shown}? Then unpack the archive, and pass that file."
        return f"Are their labels in {shown}? Then pass that file instead of the folder."
    names = [entry.name for entry in entries if is_image(entry)]
    classes = Counter(match[1] for name in names if (match := _PREFIX.match(name)))
    common = sorted(name for name, count in classes.items() if count > 1)
    if len(common) >= 2 and sum(classes[name] for name in common) >= 0.9 * len(names):
        return (
            f"Their names seem to begin with the class ({quote_names(common, max_shown=3)}); names "
            "are not read for it: move each class into a folder of its own, or list the images in "
            "a CSV file with the columns path and label."
        )
    return ""
