"""What an exported network gets for the Hugging Face hub: a model card, weights, and no path of
this machine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

from convscope.data.download import cache_dir
from convscope.errors import RequestError
from convscope.exported.of_run import WEIGHTS
from convscope.hub import Repository, card_header, check_upload, upload
from convscope.models import OpenedModel
from convscope.runs.bound_card import bound_to
from convscope.runs.tensor_file import save_tensors
from convscope.words import visible

_MESSAGE = "Export by convscope"
_SCORES = {"top1": ("Accuracy", "accuracy"), "f1": ("Macro F1", "f1")}
_BOX_SCORES = {"ap50": ("AP50", "map_50"), "ap": ("AP", "map")}
"""Keys of test.json, each with what it is called, and what the hub calls it."""


@dataclass(frozen=True)
class Publication:
    """Where an exported network goes, under which license, and whether others see it."""

    repository: Repository
    license: str
    private: bool

    @classmethod
    def asked(cls, output: str, license: str | None, *, private: bool) -> "Publication":  # noqa: A002
        """Raises RequestError without a license, or a token, and for what is no license."""
        repository = Repository.parse(output)
        if license is None:
            raise RequestError(
                f"Say under which license {repository} may be used, by `license`: apache-2.0, mit, "
                "cc-by-4.0 or another that the hub lists; other for one of your own."
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", license, re.ASCII):
            raise RequestError(f"The hub writes licenses like apache-2.0, not {license!r}.")
        check_upload(repository)
        return cls(repository, license, private)

    @property
    def folder(self) -> Path:
        """Where the exported network lies on this machine."""
        return cache_dir() / "exported" / self.repository.id.replace("/", "--")

    def prepared(self, opened: OpenedModel) -> OpenedModel:
        """The network under its name on the hub; of a path in its card the last part is left."""
        provenance = {key: _without_path(text) for key, text in opened.card.provenance.items()}
        card = replace(opened.card, provenance=provenance)
        return replace(opened, name=self.repository.id.partition("/")[2], card=card)

    def write_weights(self, folder: Path, opened: OpenedModel) -> None:
        """The weights by our names, for `weights=hf://...`."""
        state = {name: tensor.cpu() for name, tensor in opened.net.state_dict().items()}
        metadata = bound_to(opened.card, {"classes": [*opened.card.classes]})
        save_tensors(folder / WEIGHTS, state, metadata)

    def model_card(self, readme: str, opened: OpenedModel) -> str:
        """The README with what the hub wants to know first, and the test results of a run."""
        run = opened.run
        has_scores = run is not None and (run.path / "test.json").is_file()
        scores = run.read_scores("test.json") if run is not None and has_scores else {}
        data = visible(opened.card.provenance.get("data", "unknown"))
        finds = opened.card.boxes is not None
        named = _BOX_SCORES if finds else _SCORES
        known = {key: both for key, both in named.items() if scores.get(key) is not None}
        header = card_header(
            self.repository.id,
            license=self.license,
            tags=["convscope", "onnx", *_network_tags(opened)],
            data=data,
            metrics={hub: scores[key] for key, (_, hub) in known.items()},
            finds_objects=finds,
        )
        title, _, rest = readme.partition("\n")
        return f"{header}\n{title}\n\n{_results(scores, known, data)}{self._use()}{rest}"

    def upload(self) -> str:
        """Send `folder`, all of it; returns the address of the repository."""
        return upload(self.folder, self.repository, private=self.private, message=_MESSAGE)

    def _use(self) -> str:
        return f"""```sh
convscope predict {self.repository} photo.jpg
convscope train PATH/TO/IMAGES --weights {self.repository}
```
"""


def _network_tags(opened: OpenedModel) -> list[str]:
    network = opened.card.provenance.get("network", "")
    return [network] if re.fullmatch(r"[\w.-]+", network) else []


def _results(scores: Mapping[str, Any], known: Mapping[str, tuple[str, str]], data: str) -> str:
    parts = [
        f"{title} {100 * scores[key]:.1f}%{_interval(scores.get(f'{key}_interval'))}"
        for key, (title, _) in known.items()
    ]
    if not parts:
        return ""
    return f"On {scores['images']:,} test images of {data}: {'; '.join(parts)}.\n\n"


def _interval(bounds: tuple[float, float] | None) -> str:
    return f" (95% interval {100 * bounds[0]:.1f}% to {100 * bounds[1]:.1f}%)" if bounds else ""


def _without_path(text: str) -> str:
    """A text as it is, or the last part of a path: `PureWindowsPath` splits at / and \\."""
    is_path = bool(re.match(r"[/~.\\]|[A-Za-z]:[/\\]", text)) or "\\" in text or "/" in text
    is_address = re.match(r"[a-z]+:[^\\]", text) is not None
    return PureWindowsPath(text).name if is_path and not is_address else text
