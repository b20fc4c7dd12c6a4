"""Groups of DICOM images: those of one patient, by the headers of their files.

A group is called by the first of its images. Neither names nor numbers of patients are kept.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from convscope.data.dataset import Dataset, file_of
from convscope.data.dicom import is_dicom
from convscope.data.dicom_headers import open_file, read_header, text_of

_SAMPLED = 32  # images that decide whether all headers are read
_HEAD = 132  # bytes by which DICOM is recognized
_KEYWORDS = (
    "PatientID", "IssuerOfPatientID", "StudyInstanceUID", "Manufacturer", "ManufacturerModelName",
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a DICOM image comes from; "" for what its header does not say.

    Attributes:
        patient: the number of the patient, within who issued it.
        study: the UID of the examination.
        make, model: of the device.
    """

    patient: str
    study: str
    make: str
    model: str


def group_by_patient(dataset: Dataset) -> Dataset:
    """The data set with the patients of DICOM images as its groups, and a sentence that says so.

    If all are of one patient (as anonymized files may say), its examinations are the groups. The
    data set is returned as it is without DICOM images, and where no two of them belong together.
    """
    sampled = np.linspace(0, len(dataset) - 1, min(_SAMPLED, len(dataset))).astype(int)
    if not any(_is_dicom(dataset, int(index)) for index in sampled):
        return dataset
    with ThreadPoolExecutor(4, thread_name_prefix="convscope-headers") as pool:
        origins = list(pool.map(partial(_origin, dataset), range(len(dataset))))
    patients = ["" if origin is None else origin.patient for origin in origins]
    kind, plural, tag = "patient", "patients", "PatientID"
    if len({*patients} - {""}) < 2:
        patients = ["" if origin is None else origin.study for origin in origins]
        kind, plural, tag = "examination", "examinations", "StudyInstanceUID"
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, patient in enumerate(patients):
        if patient:
            members[patient].append(index)
    if len(members) < 2 or max(map(len, members.values())) < 2:
        return dataset
    groups = _named(dataset, members, kind)
    count = sum(map(len, members.values()))
    sentence = (
        f"{dataset.name}: {count:,} DICOM images are of {len(members):,} {plural} by their {tag}; "
        f"those of one {kind} are kept in one split. `group_column='none'` takes all images as "
        "independent."
    )
    return replace(dataset, groups=groups).with_warnings([sentence])


def _named(dataset: Dataset, members: dict[str, list[int]], kind: str) -> Sequence[str]:
    groups = [""] * len(dataset)
    for indices in members.values():
        name = f"{kind} of {min(dataset.images.key(index) for index in indices)}"
        for index in indices:
            groups[index] = name
    return tuple(groups)


def _is_dicom(dataset: Dataset, index: int) -> bool:
    file = file_of(dataset.images, index)
    try:
        if file is None:
            return False
        with open_file(file) as stream:
            return is_dicom(stream.read(_HEAD))
    except OSError:
        return False


def _origin(dataset: Dataset, index: int) -> Origin | None:
    file = file_of(dataset.images, index)
    return None if file is None else read_origin(file)


def read_origin(file: Path | bytes) -> Origin | None:
    """The origin of a DICOM image, by its path or content: some hundred bytes of it are read.

    None where `read_header` reads nothing.
    """
    header = read_header(file, _KEYWORDS)
    if header is None:
        return None
    patient, issuer, study, make, model = (text_of(header, keyword) for keyword in _KEYWORDS)
    return Origin(f"{patient} {issuer}".strip() if patient else "", study, make, model)
