"""How good an open network is on a data set, for the page: what `evaluate` and its report say."""

import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from convscope.card import refuse_objects
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.measure import compute_metrics, compute_outputs
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.result import EvaluationResult, groups_of
from convscope.reports.content import Report as Content
from convscope.webapp.learned.images import StudiedImages
from convscope.webapp.learned.subject import Report, Subject

_SIDE = 96  # pixels of a thumbnail, at most


def study_results(subject: Subject, report: Report) -> None:
    """Evaluate the network on all its images, and save what is found."""
    opened = subject.model.copy_opened()
    refuse_objects(opened.card)
    images = subject.images.load(lambda done, total: report("Reading images", done, total))
    indices, dataset, card = images.indices, images.loaded.dataset, opened.card
    device = torch.device("cpu")
    channels_last, batch_size = choose_feeding(opened.net, card, device)
    done = 0

    def on_batch(count: int) -> None:
        nonlocal done
        done += count
        report("Evaluating", done, len(indices))

    outputs = compute_outputs(
        opened.net,
        images.loaded.batch_source,
        indices,
        card,
        batch_size=batch_size,
        device=device,
        channels_last=channels_last,
        on_progress=on_batch,
    )
    truth = dataset.truth(indices)
    result = EvaluationResult(
        compute_metrics(outputs, truth, card),
        images.description,
        paths=tuple(dataset.images.key(int(index)) for index in indices),
        labels=truth,
        model=opened.name,
        groups=groups_of(dataset, indices),
        loaded=images.loaded,
        indices=indices,
        opened=opened,
    )
    report("Measuring", 0, 1)
    subject.cache.write(subject.cache.path("results"), _content(result))


def _content(result: EvaluationResult) -> dict[str, Any]:
    content, details = Content.of(result), result.details
    outputs, metrics, slices = result.outputs, result.metrics, result.slices
    per_class = [{name: _json(value) for name, value in row.items()} for row in details.per_class]
    return {
        "images": len(result.paths),
        "data": result.data,
        "classes": list(metrics.classes),
        "figures": [{"name": name, **figure.to_dict()} for name, figure in content.figures],
        "distrust": content.doubts,
        "notes": [],
        "per_class": per_class,
        "confusion": metrics.confusion.tolist() if isinstance(metrics, Metrics) else None,
        "calibration": {kind: found.to_dict() for kind, found in details.calibration.items()},
        "names": list(result.paths),
        "truths": [row["label"] for row in result.per_image],
        "answers": [outputs.answer(index) for index in range(len(result.paths))],
        "confidence": np.round(outputs.confidence, 5).tolist(),
        "correct": outputs.is_correct.tolist(),
        "confident": result.mistakes.confident.tolist(),
        "uncertain": result.mistakes.uncertain.tolist(),
        "slices": {
            "sentence": slices.describe(),
            "found": [
                {**found.to_dict(), "title": found.title, "indices": found.indices.tolist()}
                for found in slices.found
            ],
        },
    }


def _json(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value


def thumbnail(images: StudiedImages, key: str) -> bytes:
    """An image as the network gets it, as a PNG of 96 pixels at most."""
    pixels = images.pixels(key)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
