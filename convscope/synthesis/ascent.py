"""Gradient ascent on pictures: each towards the largest value of its own target."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.gradients import contiguous_gradients
from convscope.synthesis.layer_outputs import LayerOutputs
from convscope.synthesis.picture import start_coefficients, to_pixels, to_plane
from convscope.synthesis.targets import Target, channels_first
from convscope.synthesis.views import Views

OnStep = Callable[[Tensor], None]
"""Gets the pixels (n, c, h, w) that a step began with."""


@dataclass(frozen=True, kw_only=True)
class AscentSettings:
    """How pictures are optimized: by default as Olah et al. (2017), but for the falling rate.

    Attributes:
        steps: of Adam.
        lr: of the first step; it falls along a half cosine to 0.
        diversity: how much of its value a picture gives up at most to be unlike the others of its
            target; see `_likeness`.
        rms_contrast: see `to_pixels`.
        seed: of the start and of the views.
        views: in which positions a picture is shown.
    """

    steps: int = 256
    lr: float = 0.05
    diversity: float = 0.5
    rms_contrast: float | None = None
    seed: int = 0
    views: Views = field(default_factory=Views)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RequestError(f"`steps` must be at least 1, not {self.steps}.")
        if not 0 < self.lr < math.inf:
            raise RequestError(f"`lr` must be above 0, not {self.lr:g}.")
        if self.diversity < 0:
            raise RequestError(f"`diversity` must be at least 0, not {self.diversity:g}.")
        if self.rms_contrast is not None and not 0 < self.rms_contrast <= 0.5:
            raise RequestError(
                f"`rms_contrast` must be above 0 and at most 0.5, not {self.rms_contrast:g}."
            )

    def to_dict(self) -> dict[str, Any]:
        """The settings as values of JSON."""
        values = asdict(self)
        return {**values, **values.pop("views")}


@dataclass(frozen=True)
class Ascended:
    """Pictures of one batch.

    Attributes:
        pixels: (n, c, h, w); values outside 0..1 are possible with `rms_contrast` only.
        has_moved: (n,) whether the target's gradient was ever other than 0.
    """

    pixels: Tensor
    has_moved: Tensor


def ascend(
    net: nn.Module,
    card: Card,
    targets: Sequence[Target],
    settings: AscentSettings,
    *,
    pictures: int = 1,
    style: str | None = None,
    on_step: OnStep = lambda pixels: None,
) -> Ascended:
    """Optimize `pictures` pictures of each target together; the first ones are those of the first.

    The network is in eval mode, so that no picture changes another; with several of one target,
    these are pushed apart by what the layer `style` returns. Raises WorkError where a value is not
    finite.
    """
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    shape = (card.in_channels, *card.input_size)
    seeds = [settings.seed + number for _ in targets for number in range(pictures)]
    coefficients = start_coefficients(shape, seeds).to(device).requires_grad_()
    optimizer = torch.optim.Adam([coefficients], lr=settings.lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    chance = torch.Generator().manual_seed(settings.seed)
    layers = [*(target.layer for target in targets), *([] if style is None else [style])]
    watched = LayerOutputs(net, set(layers))
    has_moved = torch.zeros(len(seeds), dtype=torch.bool, device=device)
    for _ in range(settings.steps):
        pixels = to_pixels(to_plane(coefficients, card.input_size), settings.rms_contrast)
        outputs = watched.run(to_input(settings.views(pixels, chance), card))
        values = _values(outputs, targets, pictures)
        if not bool(values.isfinite().all()):
            wrong = targets[int((~values.isfinite()).nonzero()[0]) // pictures]
            raise WorkError(
                f"{wrong.label} is not finite for a picture of bytes: the network's weights are "
                "bad."
            )
        objective = values.sum()
        if style is not None and pictures > 1 and settings.diversity:
            likeness = _likeness(channels_first(outputs[style]), pictures)
            objective = objective - settings.diversity * (values.abs().detach() * likeness).sum()
        (gradient,) = torch.autograd.grad(contiguous_gradients(-objective), coefficients)
        has_moved |= gradient.flatten(1).abs().amax(1) > 0
        coefficients.grad = gradient
        optimizer.step()
        falling.step()
        on_step(pixels.detach())
    with torch.no_grad():
        pixels = to_pixels(to_plane(coefficients, card.input_size), settings.rms_contrast)
    return Ascended(pixels.detach(), has_moved.cpu())


def to_input(pixels: Tensor, card: Card) -> Tensor:
    """What the network is fed for pixels (n, c, h, w) in 0..1: (pixels - mean) / std."""
    mean, std = (pixels.new_tensor(values)[:, None, None] for values in (card.mean, card.std))
    return (pixels - mean) / std


def _values(outputs: Mapping[str, Tensor], targets: Sequence[Target], pictures: int) -> Tensor:
    """What is to rise, (n,), of each picture by its own target, in float32."""
    values = [
        target.ascending(outputs[target.layer][n * pictures : (n + 1) * pictures])
        for n, target in enumerate(targets)
    ]
    return torch.cat(values).float()


def _likeness(maps: Tensor, pictures: int) -> Tensor:
    """How like each picture is to the others of its target, (n,) in -1..1.

    The mean cosine of the Gram matrices of the layer's maps, as in Olah et al.: of which channels
    are active together, wherever in the picture. Of a layer without maps, the cosine of its values.
    """
    units = maps.flatten(2).float() if maps.ndim > 2 else maps[..., None].float()
    grams = units @ units.mT if maps.ndim > 2 else units
    directions = nn.functional.normalize(grams.flatten(1), dim=1)
    grouped: Tensor = directions.reshape(-1, pictures, directions.shape[1])
    cosines = grouped @ grouped.mT
    others = cosines.sum(2) - cosines.diagonal(dim1=1, dim2=2)
    return (others / (pictures - 1)).flatten()
