"""Repositories of models on the Hugging Face hub, as hf://USER/NAME or hf://USER/NAME@REVISION.

By its library, which keeps what it downloads in its own cache, and finds the user's token where its
own programs do: $HF_TOKEN, or what `hf auth login` stored.
"""

import re
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeGuard

from convscope.errors import RequestError, WorkError

SCHEME = "hf://"
_TASK, _DETECTION = "image-classification", "object-detection"
_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<id>{_PART}/{_PART})(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_CONNECT, _ANSWER = 5.0, 15.0  # seconds to wait; the library tries for much longer


@dataclass(frozen=True)
class Repository:
    """A repository: `id` is USER/NAME; `revision` a branch, tag or commit, None for the default."""

    id: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """Read hf://USER/NAME. Raises RequestError for what is none."""
        match = _NAME.fullmatch(text.removeprefix(SCHEME))
        if match is None:
            raise RequestError(
                f"{text!r} names no repository of the Hugging Face hub. One looks like "
                "hf://user/name, or hf://user/name@revision."
            )
        return cls(match["id"], match["revision"])

    def __str__(self) -> str:
        return f"{SCHEME}{self.id}{f'@{self.revision}' if self.revision else ''}"


def is_hub(value: object) -> TypeGuard[str]:
    """Whether a name is one of a repository."""
    return isinstance(value, str) and value.startswith(SCHEME)


def download(
    repository: Repository, choose: Callable[[Collection[str]], Iterable[str]]
) -> Path | None:
    """A folder with the files of a repository that `choose` picks from all names; None for none.

    Where the hub does not answer, what the library's cache has of the repository is taken.

    Raises RequestError where there is no such repository or it is closed to the user, WorkError
    where the hub cannot be reached and nothing of it is in the cache.
    """
    library = _library()
    where = {"repo_id": repository.id, "revision": repository.revision}
    reason = _unreachable(library)
    if reason:
        folder = _cached(library, repository)
        if folder is None:
            raise WorkError(
                f"{repository} is not in the cache, and the hub cannot be reached: {reason}."
            )
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
        return folder if [*choose(names)] else None
    with _plain_errors(library, repository):
        names = library.HfApi().list_repo_files(**where)
        chosen = [*choose(names)]
        if not chosen:
            return None
        return Path(library.snapshot_download(**where, allow_patterns=chosen))


def check_upload(repository: Repository) -> None:
    """Raise RequestError, before any work, where nothing could be sent to a repository."""
    if repository.revision:
        raise RequestError(f"{repository}: leave out the revision; a commit is made to main.")
    if _library().get_token() is None:
        raise RequestError(f"Sending to {repository} needs a token of the hub: `hf auth login`.")


def upload(folder: Path, repository: Repository, *, private: bool, message: str) -> str:
    """Make a repository what a folder is, in one commit, and create it if needed; returns its URL.

    Raises RequestError where the user may not write there, WorkError where the hub cannot be
    reached.
    """
    library = _library()
    if reason := _unreachable(library):
        raise WorkError(f"Nothing was sent to {repository}: {reason}.")
    with _plain_errors(library, repository):
        api = library.HfApi()
        url = api.create_repo(repository.id, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository.id,
            folder_path=folder,
            commit_message=message,
            delete_patterns="*",  # what an earlier export had and this one has not
        )
        return str(url)


def card_header(
    name: str,
    *,
    license: str | None,  # noqa: A002 -- the hub's word
    tags: Sequence[str],
    data: str,
    metrics: Mapping[str, float],
    finds_objects: bool = False,
) -> str:
    """The YAML at the beginning of a model card of the network `name`; `metrics`, by the hub's
    names, are those of the test images of `data`. Raises RequestError without the hub's library.
    """
    library, task = _library(), _DETECTION if finds_objects else _TASK
    results = [
        library.EvalResult(
            task_type=task,
            dataset_type=data,
            dataset_name=data,
            dataset_split="test",
            metric_type=name,
            metric_value=value,
        )
        for name, value in metrics.items()
    ]
    about = library.ModelCardData(
        license=license,
        library_name="convscope",
        pipeline_tag=task,
        tags=[task, *tags],
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{about.to_yaml()}\n---\n"


def _library() -> Any:
    try:
        for part in ("constants", "errors"):
            import_module(f"huggingface_hub.{part}")
        return import_module("huggingface_hub")
    except ImportError as error:
        raise RequestError(
            "hf:// needs the library of the Hugging Face hub: `pip install 'convscope[hub]'`."
        ) from error


def _cached(library: Any, repository: Repository) -> Path | None:
    """The folder of a repository in the library's cache; it may have a part of the files only."""
    try:
        repositories = library.scan_cache_dir().repos
    except library.CacheNotFound:
        return None
    wanted = repository.revision or "main"
    for one in repositories:
        if one.repo_type == "model" and one.repo_id == repository.id:
            for revision in one.revisions:
                if wanted in (*revision.refs, revision.commit_hash):
                    return Path(revision.snapshot_path)
    return None


def _unreachable(library: Any) -> str:
    """Why the hub does not answer; empty if it does."""
    import requests  # noqa: PLC0415  takes 0.3 s

    endpoint: str = library.constants.ENDPOINT
    if library.constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        requests.head(endpoint, timeout=(_CONNECT, _ANSWER), allow_redirects=False)
    except requests.Timeout:
        return f"{endpoint} does not answer"
    except requests.RequestException:
        return f"there is no connection to {endpoint}"
    return ""


@contextmanager
def _plain_errors(library: Any, repository: Repository) -> Generator[None]:
    """Turn the library's errors into sentences."""
    import httpx  # noqa: PLC0415 -- with the library

    errors = library.errors
    try:
        with _bars_on_terminals_alone():
            yield
    except errors.GatedRepoError as error:
        raise RequestError(
            f"{repository} is gated: ask its owner for access on its page, then `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise RequestError(f"{repository.id} has no revision {repository.revision!r}.") from error
    except errors.RepositoryNotFoundError as error:
        raise RequestError(
            f"{repository} does not exist, or is private: `hf auth login` shows it to its owner."
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise RequestError(
                f"The hub does not let you write to {repository}. `hf auth login` with a token "
                "that may write."
            ) from error
        raise WorkError(
            f"The hub refused {repository}: {error.server_message or status}."
        ) from error
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise WorkError(f"{repository}: {error}") from error


@contextmanager
def _bars_on_terminals_alone() -> Generator[None]:
    """Leave out the library's progress bars where standard error is a file or a pipe."""
    bars = import_module("huggingface_hub.utils")
    if sys.stderr.isatty() or bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()
