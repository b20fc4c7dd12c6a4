"""Layer inversion: an image whose outputs at a layer are those of a given image.

Mahendran & Vedaldi, "Understanding Deep Image Representations by Inverting Them", CVPR 2015: the
squared relative error at the layer, plus an alpha-norm that keeps pixels in their range, plus total
variation. What comes back is what the layer still knows of the image.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.images import ImageLike, open_image
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError, WorkError
from convscope.gradients import contiguous_gradients
from convscope.inference import eval_with_gradients
from convscope.models import ModelLike, OpenedModel, named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.synthesis.ascent import OnStep, to_input
from convscope.synthesis.layer_outputs import LayerOutputs, find_outputs
from convscope.synthesis.output_files import save_pictures
from convscope.synthesis.panels import Caption, Panel
from convscope.synthesis.picture import start_coefficients, to_bytes, to_plane
from convscope.synthesis.targets import check_layer
from convscope.words import visible

_ALPHA = 6  # the exponent of the alpha-norm, as in the paper

_DOING = "steps of pictures"

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class InversionSettings:
    """How images are found that a layer answers alike.

    Attributes:
        steps: of Adam, whose rate `lr` falls along a half cosine to 0.
        tv: weight of the total variation, the mean of dx² + dy² over all pixels, with exponent
            beta = 2 as in the paper; dx and dy are differences of neighbors, pixels 0..1.
        alpha_norm: weight of the mean of (2 (pixel - 0.5))^6.
        seed: of the start.
    """

    steps: int = 400
    lr: float = 0.05
    tv: float = 0.02
    alpha_norm: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RequestError(f"`steps` must be at least 1, not {self.steps}.")
        for name in ("tv", "alpha_norm"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RequestError(f"`{name}` must be at least 0, not {getattr(self, name):g}.")
        if not 0 < self.lr < math.inf:
            raise RequestError(f"`lr` must be above 0, not {self.lr:g}.")


@dataclass(frozen=True)
class InvertedLayer:
    """An image that was found from the outputs of a layer alone.

    Attributes:
        layer: the path of the module.
        pixels: bytes (h, w, c).
        relative_error: |f(x) - f(x0)| / |f(x0)| at the layer, for exactly these bytes.
        gray_error: the same of a mid-gray picture.
        pixel_error: the root mean square difference from the image, pixels 0..1.
        num_values: how many numbers the layer returns.
    """

    layer: str
    pixels: NDArray[np.uint8]
    relative_error: float
    gray_error: float
    pixel_error: float
    num_values: int


@dataclass(frozen=True)
class InversionResult:
    """An image, and what layer after layer still knows of it.

    Attributes:
        name: of the network.
        image: bytes (h, w, c), as the network gets it.
    """

    name: str
    image: NDArray[np.uint8]
    layers: tuple[InvertedLayer, ...]
    settings: InversionSettings
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Figures and settings as values of JSON, without pixels."""
        figures = [{**vars(layer)} for layer in self.layers]
        for each in figures:
            del each["pixels"]
        return {
            "network": self.name,
            "settings": asdict(self.settings),
            "layers": figures,
            "notes": list(self.notes),
        }

    @property
    def lines(self) -> list[str]:
        """A line for each layer, with names as they are."""
        return [
            f"{each.layer}: relative error {each.relative_error:.2%} (mid-gray "
            f"{each.gray_error:.2%}), pixels {each.pixel_error:.3f} from the image, from "
            f"{each.num_values:,} numbers"
            for each in self.layers
        ]

    def __str__(self) -> str:
        return "".join(f"{visible(line)}\n" for line in self.lines)

    def save(self, path: str | Path) -> Path:
        """Write the image and those that were found as a page (.html) or one picture (.png)."""
        panels = [
            Panel(
                each.pixels,
                Caption(
                    each.layer,
                    [
                        f"relative error {each.relative_error:.2%}",
                        f"mid-gray {each.gray_error:.2%}",
                        f"pixels off by {each.pixel_error:.3f}",
                    ],
                ),
            )
            for each in self.layers
        ]
        count = f"{self.image.size:,} numbers"
        rows = [[Panel(self.image, Caption("The image", [count]))], *([panel] for panel in panels)]
        return save_pictures(
            path, f"What layers of {self.name} know of an image", self._about(), rows
        )

    def _about(self) -> list[str]:
        settings = self.settings
        how = (
            f"Found from the outputs of each layer alone: {settings.steps} steps of Adam (learning "
            f"rate {settings.lr:g}, falling to 0) on Fourier coefficients, total variation "
            f"{settings.tv:g} (beta 2), alpha-norm {settings.alpha_norm:g} (alpha {_ALPHA}), seed "
            f"{settings.seed} (Mahendran & Vedaldi, 2015). The relative error is |f(x) - f(image)| "
            "/ |f(image)| at the layer, of the picture as shown, in 8 bits."
        )
        return [*self.notes, how]


@takes_synonyms
def invert(
    model: ModelLike,
    image: ImageLike,
    layers: str | Sequence[str],
    *,
    steps: int = 400,
    lr: float = 0.05,
    tv: float = 0.02,
    alpha_norm: float = 0.01,
    seed: int = 0,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    trust: bool = False,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
) -> InversionResult:
    """Find, for each of `layers`, an image that the layer cannot tell from `image`.

    The squared relative error at the layer, plus total variation and an alpha-norm, is minimized
    (Mahendran & Vedaldi, 2015); see `InversionSettings`. What has vanished from the
    picture, the layer does not know.

    `model`, `weights`, `pretrained`, `card` and `trust` are as in `convscope.explain`; `layers` are
    paths of modules. Raises RequestError for an unknown model, image or layer.
    """
    settings = InversionSettings(steps=steps, lr=lr, tv=tv, alpha_norm=alpha_norm, seed=seed)
    opened = open_model(
        model,
        weights=named_weights(model, weights, pretrained=pretrained),
        card=card,
        consent=Consent(trust=trust),
    )
    named = [layers] if isinstance(layers, str) else layers
    return invert_opened(
        opened, image, named, settings, device=device, threads=threads, on_progress=on_progress
    )


def invert_opened(
    opened: OpenedModel,
    image: ImageLike,
    layers: Sequence[str],
    settings: InversionSettings,
    *,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
    on_pixels: OnStep = lambda pixels: None,
) -> InversionResult:
    """The same for a network that is open. `on_pixels` gets the picture as it is, each step."""
    card, net = opened.card, opened.net.to(choose_device(device))
    pixels = _pixels(image, card)
    if not layers:
        raise RequestError("Name the layers with `layers`: paths of modules, as in `summary`.")
    device_ = next((p.device for p in net.parameters()), torch.device("cpu"))
    shown = torch.tensor(pixels)[None].permute(0, 3, 1, 2).to(device_) / 255
    with threads_set(threads), eval_with_gradients(net, of_weights=False):
        with torch.no_grad():
            outputs = find_outputs(net, to_input(shown, card))
            gray = find_outputs(net, to_input(torch.full_like(shown, 0.5), card))
        names = list(dict.fromkeys(check_layer(layer, outputs, ()) for layer in layers))
        steps = settings.steps
        total = len(names) * steps
        found = [
            _invert(
                net, card, layer, outputs[layer], settings,
                lambda step, done=number * steps: on_progress(_DOING, done + step, total),
                on_pixels,
            )
            for number, layer in enumerate(names)
        ]  # fmt: skip
        inverted = [
            _measured(net, card, layer, bytes_, outputs, gray, shown)
            for layer, bytes_ in zip(names, found, strict=True)
        ]
    cautions = [opened.warning, opened.origin, opened.note if opened.is_assumed else ""]
    return InversionResult(
        opened.name, pixels, tuple(inverted), settings, tuple(filter(None, cautions))
    )


def _pixels(image: ImageLike, card: Card) -> NDArray[np.uint8]:
    try:
        return resize_image(open_image(image, card), card)
    except UnreadableImage as error:
        named = str(image) if isinstance(image, str | Path) else "The image"
        raise RequestError(f"{named} {str(error).rstrip('.')}.") from error


def total_variation(pixels: Tensor) -> Tensor:
    """The mean of dx² + dy² over the pixels (n, c, h, w), with dx, dy to the next neighbor."""
    across, down = pixels.diff(dim=3).square(), pixels.diff(dim=2).square()
    return (across.sum() + down.sum()) / pixels.numel()


def _invert(
    net: nn.Module,
    card: Card,
    layer: str,
    wanted: Tensor,
    settings: InversionSettings,
    on_step: Callable[[int], None],
    on_pixels: OnStep,
) -> Tensor:
    """The bytes (1, h, w, c) of the image that was found."""
    size = float(wanted.double().square().sum())
    if not 0 < size < math.inf:
        raise WorkError(
            f"{layer} returns {'0 everywhere' if size == 0 else 'numbers that are not finite'} "
            "for the image: there is nothing to invert."
        )
    shape = (card.in_channels, *card.input_size)
    coefficients = start_coefficients(shape, [settings.seed]).to(wanted.device).requires_grad_()
    optimizer = torch.optim.Adam([coefficients], lr=settings.lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    watched = LayerOutputs(net, {layer})
    for step in range(settings.steps):
        pixels = 0.5 + to_plane(coefficients, card.input_size)
        difference = watched.run(to_input(pixels, card))[layer] - wanted
        loss = difference.float().square().sum() / size
        loss = loss + settings.tv * total_variation(pixels)
        loss = loss + settings.alpha_norm * (2 * pixels - 1).pow(_ALPHA).mean()
        (coefficients.grad,) = torch.autograd.grad(contiguous_gradients(loss), coefficients)
        optimizer.step()
        falling.step()
        on_pixels(pixels.detach())
        on_step(step + 1)
    with torch.no_grad():
        return to_bytes(0.5 + to_plane(coefficients, card.input_size))


def _measured(
    net: nn.Module,
    card: Card,
    layer: str,
    found: Tensor,
    outputs: Mapping[str, Tensor],
    gray: Mapping[str, Tensor],
    image: Tensor,
) -> InvertedLayer:
    pixels = found.permute(0, 3, 1, 2).to(image) / 255
    wanted = outputs[layer]
    with torch.no_grad():
        reached = LayerOutputs(net, {layer}).run(to_input(pixels, card))[layer]
    return InvertedLayer(
        layer,
        found[0].numpy(),
        _relative(reached, wanted),
        _relative(gray[layer], wanted),
        float((pixels - image).square().mean().sqrt()),
        wanted.numel(),
    )


def _relative(output: Tensor, wanted: Tensor) -> float:
    return float((output - wanted).double().norm() / wanted.double().norm())
