"""What an answer rests on: a heat map and the largest terms, by PyTorch."""

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope.data.unreadable import limited_pixels
from convscope.errors import ConvscopeError, RequestError, shell_word
from convscope.exported.of_run import OF_RUN, WEIGHTS, export_of_run
from convscope.http_server.access import Refusal
from convscope.serving.models import ServedModel

if TYPE_CHECKING:
    from convscope.attribution.result import ExplainedImage
    from convscope.models import OpenedModel

_TERMS = 5
_WAITING = 4  # requests that wait for the one network at most


def run_to_explain(path: Path) -> Path:
    """The run whose network explains what an exported one answers.

    Raises RequestError where there is none, and where PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise RequestError(
            "--explain computes with PyTorch, which is not installed here: `pip install torch`. "
            "Without --explain the server needs none."
        )
    run = path.parent if path.name == OF_RUN else path
    if not (run / WEIGHTS).is_file():
        raise RequestError(
            f"--explain needs the run itself, with its weights; {shell_word(path)} is an exported "
            "network alone. Serve the run: convscope serve RUN --explain"
        )
    return run


class Explainer:
    """Explains one image after another, with the run's network as it was when it was last served.

    The network is opened for the first request, and again when another one is served.
    """

    def __init__(self, run: Path, *, max_pixels: int) -> None:
        self._run, self._max_pixels = run, max_pixels
        self._opened: tuple[str, OpenedModel] | None = None  # of which version, and the network
        self._lock, self._waiting = threading.Lock(), threading.Semaphore(_WAITING)

    def __call__(
        self, image: bytes, model: ServedModel, target: str | None, method: str
    ) -> dict[str, Any]:
        """The heat map, a PNG in base64, and the largest terms of the class's logit.

        Raises Refusal: 422 for a wrong image, class or method, 409 where the run has other weights
        than are served, 503 where too many wait.
        """
        if not self._waiting.acquire(blocking=False):
            raise Refusal(503, "Too many explanations wait; try again.", {"Retry-After": "1"})
        try:
            with self._lock, limited_pixels(self._max_pixels):
                return self._explain(image, model, target, method)
        except ConvscopeError as error:
            raise Refusal(422, str(error).replace("`", "")) from error
        finally:
            self._waiting.release()

    def _explain(
        self, image: bytes, model: ServedModel, target: str | None, method: str
    ) -> dict[str, Any]:
        # PyTorch, which the server itself does without.
        from convscope.attribution.api import attribute_opened, chosen_methods  # noqa: PLC0415
        from convscope.attribution.figure import panels  # noqa: PLC0415
        from convscope.attribution.page import png_base64  # noqa: PLC0415

        opened = self._open(model)
        (explained,) = attribute_opened(
            opened,
            image,
            methods=chosen_methods(method, is_contrast=False)[:1],
            target=target,
            random_orders=0,
            random_weights=False,
        )
        (found,) = explained.maps.values()
        _, drawn = panels(explained)
        return {
            "target": explained.target.name,
            "probability": explained.probabilities[explained.target.index],
            "score": explained.score,
            "method": found.method,
            "layer": found.layer,
            "problem": found.problem,
            "scale": {"maximum": found.maximum, "unit": drawn.scale and drawn.scale.unit},
            "heat_map": png_base64(drawn.pixels),
            "terms": _terms(opened, explained),
        }

    def _open(self, model: ServedModel) -> "OpenedModel":
        from convscope.models import open_model  # noqa: PLC0415 -- PyTorch

        if self._opened is None or self._opened[0] != model.version:
            _, why_not = export_of_run(self._run)
            if why_not:  # its weights are not those that answer
                raise Refusal(409, why_not)
            self._opened = model.version, open_model(self._run)
        return self._opened[1]


def _terms(opened: "OpenedModel", explained: "ExplainedImage") -> list[dict[str, Any]]:
    """The largest terms of the class's logit: what was added up in the network's last layer."""
    from convscope.explanation.api import explain  # noqa: PLC0415 -- PyTorch

    index = explained.target.index
    explanation = explain(opened.net, explained.photo.input, card=opened.card, at=index)
    terms = [explanation.terms[n] for n in explanation.top_terms[:_TERMS]]
    return [
        {
            "unit": str(term.location),
            "value": term.value,
            "weight": term.weight,
            "contribution": term.product,
        }
        for term in terms
    ]
