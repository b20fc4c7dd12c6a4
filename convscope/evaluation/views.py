"""Probabilities of images by the mean over their views."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.dataset import ImageSource
from convscope.data.normalize import normalize
from convscope.data.pool import AHEAD, PREFETCH
from convscope.data.streaming import load_ahead
from convscope.data.unreadable import UnreadableImage
from convscope.data.views import Pixels, read_scaled, views_of
from convscope.distributed.group import Group
from convscope.errors import RequestError, WorkError
from convscope.evaluation.kept_outputs import KeptOutputs
from convscope.evaluation.measure import compute_logits, in_batches
from convscope.evaluation.protocol import Protocol
from convscope.forward import like_parameters, main_output
from convscope.inference import inference_mode, probabilities
from convscope.zoo.fully_convolutional import fully_convolutional

Scaled = list[Pixels]
"""One image at several scales."""


class MeanOfPlaces(nn.Module):
    """A network that slides over images (n, c, h, w): the mean of its logits over all places."""

    def __init__(self, slides: nn.Module) -> None:
        super().__init__()
        self.slides = slides

    def forward(self, images: Tensor) -> Tensor:
        return self.slides(images).mean((2, 3))


def dense_network(net: nn.Module, card: Card) -> tuple[nn.Module, str]:
    """The network for images larger than its input, and a sentence on it, or "".

    It is made fully convolutional. One that cannot be, but takes images of any size and averages
    its maps over all of them, as torchvision's ResNets, is used as it is.

    Raises RequestError for one that can do neither.
    """
    try:
        return MeanOfPlaces(fully_convolutional(net, input_size=card.input_size)), ""
    except RequestError as error:
        if not _takes_any_size(net, card):
            raise RequestError(f"`crops='dense'`: {error} Or choose `crops='144'`.") from error
    return net, (
        "The network averages its maps over the whole of each larger image, which it takes as it "
        "is; it was not made fully convolutional."
    )


def _takes_any_size(net: nn.Module, card: Card) -> bool:
    """Whether a network gives one answer for images of any size, by pooling to one place."""
    pools = (one for one in net.modules() if isinstance(one, nn.AdaptiveAvgPool2d))
    if any(pool.output_size not in (1, (1, 1)) for pool in pools):
        return False
    height, width = card.input_size
    return takes_size(net, card, (height + height // 2, width + width // 2))


def takes_size(net: nn.Module, card: Card, size: tuple[int, int]) -> bool:
    """Whether a network answers for an image of this (height, width)."""
    images = torch.zeros(1, card.in_channels, *size)
    try:
        with torch.random.fork_rng(devices=()), inference_mode(net):
            output = main_output(net(like_parameters(net, images)), len(card.classes))
    except Exception:  # noqa: BLE001 -- somebody's network may raise anything
        return False
    return output is not None and output.shape == (1, len(card.classes))


@dataclass(frozen=True)
class ViewAnswers:
    """The mean probabilities of images over the views of a protocol.

    Attributes:
        batch_size: views that are computed at a time; of dense ones, fewer as they are larger.
    """

    net: nn.Module
    card: Card
    protocol: Protocol
    batch_size: int
    device: torch.device
    channels_last: bool = True

    def __call__(self, images: Sequence[Scaled]) -> Tensor:
        """(n, classes), float64: of each image the mean over its views."""
        sums = torch.zeros(len(images), len(self.card.classes), dtype=torch.float64)
        counts = torch.zeros(len(images), 1, dtype=torch.float64)
        for places, views in self._of_one_shape(images):
            pixels = torch.from_numpy(np.stack(views)).to(self.device)
            fed = normalize(pixels, self.card, channels_last=self.channels_last)
            logits = compute_logits(self.net, fed, len(self.card.classes))
            sums.index_add_(0, torch.tensor(places), probabilities(logits, self.card).cpu())
            counts.index_add_(0, torch.tensor(places), torch.ones(len(places), 1).double())
        return sums / counts

    def _of_one_shape(self, images: Sequence[Scaled]) -> Iterator[tuple[list[int], list[Pixels]]]:
        """Views of one shape, as many as are computed at a time, with the image of each."""
        waiting: dict[tuple[int, ...], tuple[list[int], list[Pixels]]] = {}
        protocol, native = self.protocol, int(np.prod(self.card.input_size))
        for place, scaled in enumerate(images):
            for whole in scaled:
                for view in views_of(whole, self.card, protocol.crops, flip=protocol.flip):
                    places, views = waiting.setdefault(view.shape, ([], []))
                    places.append(place)
                    views.append(view)
                    if len(views) >= max(self.batch_size * native // view[..., 0].size, 1):
                        yield waiting.pop(view.shape)
        yield from waiting.values()


def compute_view_probabilities(
    answers: ViewAnswers,
    images: ImageSource,
    indices: NDArray[np.int64],
    *,
    workers: int,
    group: Group,
    kept: KeptOutputs | None,
    on_progress: Callable[[int], None],
) -> Tensor:
    """The mean probabilities of the images at `indices`: float32 (n, classes), on the CPU.

    Images are decoded as they are needed, a few ahead: memory does not grow with their number.
    """
    card, protocol = answers.card, answers.protocol
    scales = protocol.scales_for(card)

    def load(index: int) -> Scaled:
        try:
            return read_scaled(images, index, card, scales)
        except UnreadableImage as error:
            raise WorkError(
                f"{images.key(index)} could be read before, but now {error}. Restore it, then "
                "evaluate again: what is done is kept."
            ) from error

    def load_batches(batches: Sequence[NDArray[np.int64]]) -> Iterator[list[Scaled]]:
        bytes_each = sum(scale * scale * 3 // 2 for scale in scales) * card.in_channels
        ahead = max(workers, min(AHEAD // bytes_each, sum(map(len, batches[:PREFETCH]))))
        return load_ahead(load, batches, images, workers=workers, ahead=ahead)

    with inference_mode(answers.net):
        return in_batches(
            load_batches,
            answers,
            indices,
            len(card.classes),
            batch_size=max(answers.batch_size // protocol.num_views(card), 1),
            on_progress=on_progress,
            group=group,
            kept=kept,
        )
