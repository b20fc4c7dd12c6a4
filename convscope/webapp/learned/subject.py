"""An open network with the images on which it is studied, and what is known of it so far."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from convscope.errors import RequestError, nearest
from convscope.features.patches.checkpoint import digest_of_weights
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.store import LoadedModel, ModelStore
from convscope.webapp.learned.cache import Cache
from convscope.webapp.learned.images import StudiedImages

_KEPT = 8

Report = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is done, and how much there is; raises to stop it."""


class Subject:
    """A network and a data set.

    Results lie in the folder `learned` of a run; of a network without a run, or of a run that
    cannot be written, in a folder that ends with the lab.

    Attributes:
        model: as it is open.
        data: the name of other data than the run's own; empty for these.
        path: of those data; None for the run's own.
    """

    def __init__(
        self, model: LoadedModel, data: str, path: str | None, spare: Callable[[], Path]
    ) -> None:
        self.model, self.data, self.path = model, data, path
        self.images = StudiedImages(model.opened, path)
        self._spare = spare

    @cached_property
    def cache(self) -> Cache:
        run = self.model.opened.run
        digest = digest_of_weights(self.model.net)
        if run is None or self.data:
            return Cache(self._spare() / digest[:16] / self.data, digest)
        folder = run.path if os.access(run.path, os.W_OK) else self._spare() / digest[:16]
        return Cache(folder / "learned", digest)

    def row_of(self, operation: str) -> GraphRow | None:
        """The row of the page whose volume an operation returns, else the one it belongs to."""
        rows = self.model.rows
        exact = next((row for row in rows if row.out == operation), None)
        return exact or next((row for row in rows if operation in row.operations), None)


class Subjects:
    """The networks of a store as subjects; `data` are paths of labeled images by their names."""

    def __init__(self, store: ModelStore, data: Mapping[str, str]) -> None:
        self._store, self._data = store, data
        self._open: dict[tuple[str, str], Subject] = {}
        self._opening = threading.Lock()
        self._spare: Path | None = None

    def close(self) -> None:
        """Remove the results that end with the lab."""
        with self._opening:
            if self._spare is not None:
                shutil.rmtree(self._spare, ignore_errors=True)
                self._spare = None

    def _spare_folder(self) -> Path:
        """The folder of these results, for this user alone; made when there is one to look for."""
        with self._opening:
            if self._spare is None:
                self._spare = Path(tempfile.mkdtemp(prefix="convscope-lab-"))
            return self._spare

    def choices(self, model: LoadedModel) -> list[str]:
        """The names of data to choose from; none for a run, which has its own."""
        return list(self._data) if model.opened.run is None else []

    def find(self, network: str, data: str = "") -> Subject:
        """A network by its id, with the data of a name; of one without a run, by default the first.

        Raises RequestError for unknown ones.
        """
        model = self._store.model(network)
        choices = self.choices(model)
        name = data or next(iter(choices), "")
        if name and name not in choices:
            known = nearest(name, choices)
            raise RequestError(f"This lab has no data {name!r} for {model.title}.{known}")
        with self._opening:
            subject = self._open.get((network, name))
            if subject is None or subject.model is not model:
                path = self._data[name] if name else None
                subject = Subject(model, name, path, self._spare_folder)
                self._open.pop((network, name), None)
                self._open[network, name] = subject
                while len(self._open) > _KEPT:
                    del self._open[next(iter(self._open))]
            return subject
