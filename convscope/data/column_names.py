"""What people call the columns of a table of images."""

import re
from unicodedata import normalize

PATHS = frozenset({
    "path", "paths", "filepath", "filepaths", "imagepath", "imagepaths", "imgpath", "imgpaths",
    "picpath", "photopath", "fullpath", "relpath", "relativepath", "pathtoimage", "imagefilepath",
    "absolutepath", "abspath", "fpath", "location", "uri",
})  # fmt: skip
FILES = frozenset({
    "filename", "filenames", "file", "files", "imagefile", "imagefiles", "imgfile", "imagename",
    "imagenames", "imgname", "imagefilename", "imgfilename", "image", "images", "img", "imgs",
    "fname", "fn", "picture", "pictures", "photo", "photos", "pic", "imageindex",
})  # fmt: skip
IDS = frozenset(
    {"imageid", "imgid", "imageids", "photoid", "fileid", "idcode", "id", "name", "key"}
)
IMAGES = PATHS | FILES | IDS
"""Headers of the images, without case, spaces and underscores."""

LABELS = frozenset({
    "label", "labels", "class", "classes", "classname", "classnames", "classlabel", "category",
    "categories", "categoryname", "target", "targets", "y", "labelname", "diagnosis", "dx",
    "groundtruth", "gt", "ytrue", "truelabel", "finding", "findings", "findinglabels", "tag",
    "tags", "annotation", "outcome", "classid", "labelid", "categoryid", "targetid", "classindex",
    "labelindex", "level", "grade", "disease", "emotion",
})  # fmt: skip
THINGS = frozenset(
    {"cat", "cats", "breed", "species", "type", "variety", "answer", "kind", "result"}
)
"""Headers of classes that may be something else: a class of a one-hot table, for example."""

SPLITS = frozenset({
    "split", "splits", "subset", "set", "partition", "fold", "phase", "usage", "datasplit",
    "dataset", "part", "traintest", "trainortest", "mode", "purpose",
})  # fmt: skip
FLAGS = {
    "istest": "test", "isval": "val", "isvalid": "val", "isvalidation": "val", "istrain": "train",
    "istraining": "train", "istrainingimage": "train",
}  # fmt: skip
"""Headers of columns of yes and no, and the split of those with yes; what is not train is test."""

GROUPS = frozenset({"group", "groups", "groupid", "groupname"})
_MEMBERS = frozenset({
    "patient", "patients", "subject", "case", "study", "person", "participant", "individual",
    "donor", "animal", "mouse", "lesion", "specimen", "family", "pid", "mrn", "exam", "series",
    "client", "proband", "volunteer", "video", "clip", "session", "sequence", "slide", "wsi",
    "burst", "visit",
})  # fmt: skip
_ATTRIBUTES = frozenset({
    "age", "sex", "gender", "race", "weight", "height", "date", "time", "type", "status",
    "description", "position", "count", "year", "location", "ethnicity", "smoker", "side",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


def plain(header: str) -> str:
    """A header in lower case, without spaces, underscores and signs.

    >>> plain(" Image Path"), plain("image_id")
    ('imagepath', 'imageid')
    """
    return re.sub(r"[\W_]+", "", normalize("NFC", header).casefold())


def is_known(header: str) -> bool:
    """Whether it is a usual header of any of the columns, so that its line is no row."""
    name = plain(header)
    known = IMAGES | LABELS | THINGS | SPLITS | GROUPS | FLAGS.keys()
    return name in known or names_a_group(header) is not None


def names_a_group(header: str) -> str | None:
    """How a header speaks of images that belong together: "member", "id", or None.

    A member is a patient, a subject, a case; an id is any other column that ends so.

    >>> names_a_group("PatientID"), names_a_group("camera_id"), names_a_group("Patient Age")
    ('member', 'id', None)
    >>> names_a_group("image_id"), names_a_group("class_id"), names_a_group("covid")
    (None, None, None)
    """
    if plain(header) in (IMAGES - {"id"}) | LABELS:
        return None
    words = [word.casefold() for word in _WORD.findall(header)]
    if _ATTRIBUTES.intersection(words):
        return None
    if any(word in _MEMBERS or word.removesuffix("id") in _MEMBERS for word in words):
        return "member"
    is_id = (
        bool(words) and words[-1] in {"id", "ids", "uid"} and plain(header) not in IMAGES - {"id"}
    )
    return "id" if is_id and words[0] not in {"breed", "species", "split", "image"} else None
