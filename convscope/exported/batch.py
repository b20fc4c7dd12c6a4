"""`batch_predict`: predictions for any number of images, into files, by any number of processes."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convscope.card import Card
from convscope.data.image_files import find_image_files
from convscope.data.walk import iterate_images
from convscope.errors import RequestError, shell_word
from convscope.exported.classifier import Classifier, open_classifier
from convscope.exported.folder import CARD, MANIFEST, ExportedModel, digest_of
from convscope.exported.of_run import export_of_run, named_export
from convscope.exported.part_files import PartFiles, open_part_files
from convscope.exported.part_tables import column_names, count_errors, part_content
from convscope.predictions.answering import answer_batches
from convscope.predictions.loading import ImageBatches
from convscope.predictions.object_options import ObjectOptions
from convscope.synonyms import takes_synonyms

PART_SIZE = 1024
"""Images of a part: what a process that is killed has to do again, at most."""

_PAUSE = 0.2  # seconds before it is seen again whether others have done their parts

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class BatchPredictions:
    """What `batch_predict` wrote.

    Attributes:
        path: the folder of the part files.
        num_images: how many there are: each has a row, or of a network that finds objects one for
            each of its objects.
        num_unreadable: how many of these could not be read; their column `error` says why.
        num_parts: how many files there are.
    """

    path: Path
    num_images: int
    num_unreadable: int
    num_parts: int

    def to_dict(self) -> dict[str, Any]:
        """The same as values of JSON."""
        return {**asdict(self), "path": str(self.path)}


@takes_synonyms
def batch_predict(
    run: str | Path,
    images: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    top: int = 5,
    batch_size: int | None = None,
    threads: int | None = None,
    part_size: int = PART_SIZE,
    min_score: float | None = None,
    max_overlap: float | None = None,
    on_progress: Progress = lambda done, total: None,
) -> BatchPredictions:
    """Classify any number of image files by an exported network, or find their objects, into files.

    `output` is a folder, whose name ends in `.parquet` or `.csv`; each of its parts has a row for
    each of `part_size` images. Of a network that finds objects, an image has a row for each of
    them, with path, label, score, left, top, right and bottom in its pixels; one in which nothing
    was found has a row with its path alone. Images are listed once, at the beginning. A process
    that is killed loses the part that it was at: the same call goes on with what is missing.
    Processes that are called alike, also on other machines that share the folder, share the parts;
    each returns when all are done. Memory does not grow with the number of images.

    Args:
        run: the folder of an exported network, or a run that was exported into its own folder.
        images: files, folders and glob patterns.
        top: classes per image.
        min_score, max_overlap: of objects, as for `predict`.

    Raises RequestError for what is no exported network, and for an `output` that holds something
    else.
    """
    if not all(isinstance(n, int) and n >= 1 for n in (top, batch_size or 1, threads or 1)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RequestError("`top`, `batch_size` and `threads` must be integers, at least 1.")
    model = _exported(run)
    objects = ObjectOptions(min_score=min_score, max_overlap=max_overlap)
    objects.check(model.card, str(run))
    names = [images] if isinstance(images, str | Path) else [*images]
    if not names:
        raise RequestError("Pass at least one image: a file, a folder or a glob pattern.")
    request = {
        "network": digest_of(model.path / MANIFEST) + digest_of(model.path / CARD),
        "images": [str(name) for name in names],
        "folder": str(Path.cwd()),
        **_asked(model.card, top, objects),
    }
    files = open_part_files(Path(output).expanduser(), request, _listed(names), part_size=part_size)
    worker = _Worker(files, model, top, objects, batch_size, threads, on_progress)
    worker.work()
    unreadable = sum(
        count_errors(files.file(number), files.form) for number in range(files.num_parts)
    )
    files.tidy_up()
    return BatchPredictions(
        path=files.path,
        num_images=files.num_images,
        num_unreadable=unreadable,
        num_parts=files.num_parts,
    )


@dataclass
class _Worker:
    """Works on parts until all are done, by itself or by others."""

    files: PartFiles
    model: ExportedModel
    top: int
    objects: ObjectOptions
    batch_size: int | None
    threads: int | None
    on_progress: Progress
    classifier: Classifier | None = None

    def work(self) -> None:
        missing = [*range(self.files.num_parts)]
        while missing := [number for number in missing if not self.files.file(number).exists()]:
            has_worked = False
            for number in missing:
                with self.files.claimed(number) as is_mine:
                    if is_mine:
                        self._predict(number)
                        has_worked = True
            if not has_worked:
                time.sleep(_PAUSE)
        self.on_progress(self.files.num_images, self.files.num_images)

    def _predict(self, number: int) -> None:
        size = self.batch_size or self.model.default_batch_size
        if self.classifier is None:
            self.classifier = open_classifier(
                self.model, threads=self.threads, batch_size=size, spin=False
            )
        card, before = self.model.card, self._num_done()

        def on_progress(done: int, _total: int) -> None:
            self.on_progress(min(before + done, self.files.num_images), self.files.num_images)

        batches = ImageBatches(
            self.files.images(number), card, size, only_pillow=True, thumbnails=0
        )
        with batches:
            answers = answer_batches(
                batches,
                self.classifier.answerer(self.objects),
                card,
                top=self.top,
                least_score=self.objects.least_score,
                on_progress=on_progress,
            )
        predictions = [one for batch in answers for one in batch.predictions]
        unreadable = [one for batch in answers for one in batch.unreadable]
        names = column_names(card, self.top)
        self.files.write(number, part_content(predictions, unreadable, names, self.files.form))

    def _num_done(self) -> int:
        """The images of the parts that are there."""
        files = self.files
        return sum(
            files.size(number) for number in range(files.num_parts) if files.file(number).exists()
        )


def _asked(card: Card, top: int, objects: ObjectOptions) -> dict[str, float]:
    """What the rows depend on."""
    if card.boxes is None:
        return {"top": top}
    return {"min_score": objects.least_score, "max_overlap": objects.most_overlap}


def _exported(run: str | Path) -> ExportedModel:
    model, note = named_export(run), ""
    if model is None:
        model, note = export_of_run(run)
    if model is None:
        raise RequestError(
            f"{run} is no exported network, and `output` needs one. {note or _advice(run)}"
        )
    return model


def _advice(run: str | Path) -> str:
    return f"`convscope export {shell_word(run)}` exports a run."


def _listed(names: Sequence[str | Path]) -> Iterator[str]:
    """The paths of all images, each once; those below folders in the order of the disk."""
    paths = [Path(name).expanduser() for name in names]
    folders = {path.resolve(): path for path in paths if path.is_dir()}
    outer = [
        path
        for folder, path in folders.items()
        if not any(folder != other and folder.is_relative_to(other) for other in folders)
    ]
    single: set[str] = set()
    for path in (path for path in paths if not path.is_dir()):
        for image in map(str, find_image_files(path).paths):
            is_below = any(parent in folders for parent in Path(image).resolve().parents)
            if not is_below and image not in single:
                single.add(image)
                yield image
    for folder in outer:
        for key in iterate_images(folder, Counter()):
            yield os.path.join(folder, key)  # noqa: PTH118 -- a Path for each takes longer
