"""`synthesize`: the pictures that excite classes, channels or units of a network most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from convscope.card import Card
from convscope.data.loading import load_images
from convscope.data.source import DataLike
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.evaluation.selection import DataRequest, Selection, select_images, select_run_images
from convscope.inference import eval_with_gradients
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.runs.data import is_data_here
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.synthesis.ascent import Ascended, AscentSettings, OnStep, ascend, to_input
from convscope.synthesis.best_images import BestImage, find_best
from convscope.synthesis.layer_outputs import LayerOutputs, find_outputs
from convscope.synthesis.picture import high_frequency_share, to_bytes
from convscope.synthesis.result import SynthesisResult, SynthesizedPicture
from convscope.synthesis.targets import Target, channels_first, find_targets
from convscope.synthesis.views import Views

_TOGETHER = 16  # pictures that are optimized in one batch
_NOISY = 0.5  # of the variance at high frequencies, above which a picture counts as noise

OnProgress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is done, and how much there is."""


@takes_synonyms
def synthesize(
    model: ModelLike,
    at: str | int | Sequence[str | int],
    *,
    data: DataLike | None = None,
    max_images: int = 2000,
    pictures: int = 1,
    steps: int = 256,
    lr: float = 0.05,
    jitter: float = Views.jitter,
    scale: float = Views.scale,
    rotation: float = Views.rotation,
    diversity: float = 0.5,
    rms_contrast: float | None = None,
    seed: int = 0,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    trust: bool = False,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
) -> SynthesisResult:
    """Compute the pictures that excite classes, channels or units of a network most.

    `at` names them: `conv2[3]` is the channel 3 of the module `conv2`, whose value is the mean of
    its map; `conv2[3,4,5]` one unit of it; `fc3[cataract]`, `cataract` or 7 a class; `conv2` its
    channels, up to 64. Values are those of the module's own output, before an activation function
    that is another module.

    Each picture is found by gradient ascent on Fourier coefficients with decorrelated colors, under
    small shifts, scalings and rotations (Olah, Mordvintsev & Schubert, 2017). It has the network's
    input size and is shown as the network gets it, before the normalization of its card. With one
    seed the pictures are the same on one machine. `pictures` computes several for each, which are
    pushed apart by `diversity`. `rms_contrast`, in 0..0.5, fixes the length of the picture instead
    of bounding its pixels: for a linear network it is then its weight.

    Beside each value stands the best that images reach: of `data`, or else of the test images of a
    run whose data are here; at most `max_images`, evenly out of all.

    `model`, `weights`, `pretrained`, `card` and `trust` are as in `convscope.explain`.

    Raises RequestError for an unknown model, layer, class or unit.
    """
    settings = AscentSettings(
        steps=steps,
        lr=lr,
        diversity=diversity,
        rms_contrast=rms_contrast,
        seed=seed,
        views=Views(jitter, scale, rotation),
    )
    opened = open_model(
        model,
        weights=named_weights(model, weights, pretrained=pretrained),
        card=card,
        consent=Consent(trust=trust),
    )
    names = [str(one) for one in ([at] if isinstance(at, str | int) else at)]
    return synthesize_opened(
        opened,
        names,
        settings,
        data=data,
        data_dir=data_dir,
        max_images=max_images,
        pictures=pictures,
        device=device,
        threads=threads,
        on_progress=on_progress,
    )


def synthesize_opened(
    opened: OpenedModel,
    names: Sequence[str],
    settings: AscentSettings,
    *,
    data: DataLike | None = None,
    data_dir: str | Path | None = None,
    max_images: int = 2000,
    pictures: int = 1,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
    on_pixels: OnStep = lambda pixels: None,
) -> SynthesisResult:
    """The same for a network that is open. `on_pixels` gets the pictures as they are, each step."""
    for name, number in (("pictures", pictures), ("max_images", max_images)):
        if number < 1:
            raise RequestError(f"`{name}` must be at least 1, not {number}.")
    if not names:
        raise RequestError("Name what is to be excited: a class, LAYER[channel], or LAYER.")
    net = opened.net.to(choose_device(device))
    with threads_set(threads), eval_with_gradients(net, of_weights=False):
        outputs = _outputs_of_gray(opened)
        targets, notes = find_targets(names, outputs, opened.card.classes)
        chosen = _data_of(opened, data, data_dir)
        style = _style_layers(targets, outputs)
        made = _ascend_all(opened, targets, settings, pictures, style, on_progress, on_pixels)
        best: list[BestImage | None] = [None] * len(targets)
        if chosen is not None:
            best = [*_best_of(opened, targets, chosen, max_images, on_progress)]
        gray = [float(target.values(outputs[target.layer])[0]) for target in targets]
        rows = zip(targets, made, gray, best, strict=True)
        shown = [picture for row in rows for picture in _pictures(opened, *row)]
    cautions = [opened.warning, opened.origin, opened.note if opened.is_assumed else "", *notes]
    return SynthesisResult(
        opened.name,
        tuple(shown),
        settings,
        "" if chosen is None else chosen.description,
        tuple(filter(None, cautions)),
    )


def _outputs_of_gray(opened: OpenedModel) -> Mapping[str, Tensor]:
    """What every module returns for a picture of mid-gray, as far as it is a row for the image."""
    gray = torch.full((1, opened.card.in_channels, *opened.card.input_size), 0.5)
    with torch.no_grad():
        return find_outputs(opened.net, to_input(gray, opened.card))


def _style_layers(targets: Sequence[Target], outputs: Mapping[str, Tensor]) -> list[str]:
    """For each target the layer by which its pictures are pushed apart.

    Its own where that has maps, else the last one before it that has.
    """
    names = list(outputs)
    with_maps = [
        number for number, name in enumerate(names) if _num_positions(outputs[name]) > 1 and name
    ]
    found: list[str] = []
    for target in targets:
        own = names.index(target.layer)
        before = [number for number in with_maps if number <= own]
        found.append(names[before[-1]] if before else target.layer)
    return found


def _num_positions(output: Tensor) -> int:
    return channels_first(output)[0, 0].numel() if 3 <= output.ndim <= 4 else 1


def _ascend_all(
    opened: OpenedModel,
    targets: Sequence[Target],
    settings: AscentSettings,
    pictures: int,
    styles: Sequence[str],
    on_progress: OnProgress,
    on_pixels: OnStep,
) -> list[Ascended]:
    """The pictures of every target: as many targets at a time as there is room for."""
    together = max(1, _TOGETHER // pictures)
    total = len(targets) * pictures * settings.steps
    done = 0
    found: dict[Target, Ascended] = {}
    for style in dict.fromkeys(styles) if pictures > 1 else [None]:
        mine = [t for t, own in zip(targets, styles, strict=True) if style in (None, own)]
        for start in range(0, len(mine), together):
            some = mine[start : start + together]

            def step(pixels: Tensor, count: int = len(some)) -> None:
                nonlocal done
                on_pixels(pixels)
                done += count * pictures
                on_progress("steps of pictures", done, total)

            made = ascend(
                opened.net, opened.card, some, settings,
                pictures=pictures, style=style, on_step=step,
            )  # fmt: skip
            for number, target in enumerate(some):
                own = slice(number * pictures, (number + 1) * pictures)
                found[target] = Ascended(made.pixels[own], made.has_moved[own])
    return [found[target] for target in targets]


def _pictures(
    opened: OpenedModel, target: Target, made: Ascended, gray: float, best: BestImage | None
) -> list[SynthesizedPicture]:
    """The pictures of a target in 8 bits, with the values that those reach."""
    shown = to_bytes(made.pixels)
    watched = LayerOutputs(opened.net, {target.layer})
    fed = to_input(shown.permute(0, 3, 1, 2).to(made.pixels) / 255, opened.card)
    with torch.no_grad():
        values = [float(value) for value in target.values(watched.run(fed)[target.layer])]
    moved = map(bool, made.has_moved)
    found: list[SynthesizedPicture] = []
    for pixels, value, has_moved in zip(shown, values, moved, strict=True):
        noise = high_frequency_share(pixels)
        if not has_moved:
            found.append(
                SynthesizedPicture(
                    target.label, target.kind, None, value, gray, 0.0, _dead(target, gray), best
                )
            )
            continue
        reason = _caution(value, gray, noise, best)
        found.append(
            SynthesizedPicture(
                target.label, target.kind, pixels.numpy(), value, gray, noise, reason, best
            )
        )
    return found


def _dead(target: Target, gray: float) -> str:
    return (
        f"{target.label} is {gray:.3g} whatever was tried, and its gradient is 0, as of a dead "
        "filter or behind a ReLU that passes nothing. Name the layer before the activation."
    )


def _caution(value: float, gray: float, noise: float, best: BestImage | None) -> str:
    """What a reader must know of a picture; empty if nothing."""
    said: list[str] = []
    if value <= gray:
        said.append("No better than mid-gray: nothing was found; try more steps.")
    elif best is not None and value < best.value:
        said.append("An image of the data excites it more: try more steps, or less rotation.")
    if noise > _NOISY:
        said.append(
            f"{noise:.0%} of it is finer than 4 pixels: it is this pattern of single pixels that "
            "the network answers to, which no photograph has."
        )
    return " ".join(said)


def _data_of(
    opened: OpenedModel, data: DataLike | None, data_dir: str | Path | None
) -> Selection | None:
    request = DataRequest(
        split=None, data_dir=Path(data_dir) if data_dir else None, image_column=None,
        label_column=None,
    )  # fmt: skip
    if data is not None:
        return select_images(request, opened, data)
    if opened.run is None:
        return None
    config = opened.run.read_config()
    try:
        return select_run_images(opened.run, config, request) if is_data_here(config) else None
    except RequestError:  # they were moved, or changed: then the pictures stand alone
        return None


def _best_of(
    opened: OpenedModel,
    targets: Sequence[Target],
    chosen: Selection,
    max_images: int,
    on_progress: OnProgress,
) -> list[BestImage]:
    loaded = load_images(chosen.dataset, opened.card)
    dataset, indices = loaded.dataset, loaded.dataset.indices("test")
    if not len(indices):
        raise RequestError(f"There is no readable image in {chosen.description}.")
    count = min(max_images, len(indices))
    spread = indices[np.linspace(0, len(indices) - 1, count).astype(np.int64)]
    found = find_best(
        opened.net, opened.card, targets, loaded.batch_source, spread,
        on_progress=lambda done, total: on_progress("images", done, total),
    )  # fmt: skip
    named: list[BestImage] = []
    for best in found:
        [pixels] = loaded.batch_source.batches([np.array([best.index])])
        named.append(
            replace(
                best,
                name=dataset.images.key(best.index),
                label=dataset.label_text(best.index),
                pixels=pixels[0].numpy(),
            )
        )
    return named
