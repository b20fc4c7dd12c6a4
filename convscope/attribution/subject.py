"""A network, one image and what is asked of it: what every method of attribution works on."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from convscope.attribution.box_target import BoxTarget
from convscope.attribution.steps import Tape
from convscope.attribution.target import Target, plain_logits
from convscope.card import Card
from convscope.errors import RequestError
from convscope.forward import call_network, like_parameters
from convscope.gradients import contiguous_gradients
from convscope.inference import eval_mode, inference_mode
from convscope.recording import run_once
from convscope.recording.wrappers import eager, unwrapped

_PIXELS = 2**19  # numbers of a batch of images, at least one


class Subject:
    """A network in eval mode on one image.

    Attributes:
        net: the network, whose modes and gradients are left as they are.
        image: (1, c, h, w), what the network is fed.
        target: the score that is explained.
        on_batch: called before each batch of images; what it raises ends the work.
    """

    def __init__(
        self,
        net: nn.Module,
        image: Tensor,
        card: Card,
        target: Target | BoxTarget,
        *,
        on_batch: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_batch = on_batch
        self.net = unwrapped(net)
        self.image = like_parameters(self.net, image)
        self.card = card
        self.target = target

    @property
    def num_outputs(self) -> int:
        """Numbers that the network returns for an image."""
        return self.card.num_outputs

    @cached_property
    def tape(self) -> Tape:
        """The recorded pass on the image."""
        with inference_mode(self.net):
            done = run_once(
                self.net,
                self.image.clone(),
                should_keep=lambda _module, _kind: True,
                num_classes=self.num_outputs,
            )
        tape = Tape(done)
        if tape.values[tape.logits()].numel() != self.num_outputs:
            raise RequestError(
                f"The network's output has {tape.values[tape.output].numel()} numbers, and there "
                f"are {len(self.card.classes)} classes; attribution needs one for each."
            )
        return tape

    def logits(self, images: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, c, h, w), without gradients, in batches."""
        size = batch_size(images)
        with inference_mode(self.net), eager(self.net):
            parts = [self._call(part) for part in _parts(images, size)]
        return torch.cat(parts).clone()

    def probabilities(self, images: Tensor) -> Tensor:
        """The target's probability (n,), float64."""
        return self.target.probability(self.logits(images), self.card).cpu()

    def gradients(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (n,) of images (n, c, h, w), and the gradient of each by its own image."""
        scores, gradients = list[Tensor](), list[Tensor]()
        for part in _parts(images, batch_size(images)):
            with differentiable(self.net):
                leaf = part.detach().clone().requires_grad_()
                score = self.target.score(self._call(leaf))
                if not score.requires_grad:
                    raise RequestError(
                        "The network's output has no gradient: its forward runs without gradients, "
                        "or on values that it detaches. --method occlusion needs none."
                    )
                (found,) = torch.autograd.grad(contiguous_gradients(score.sum()), leaf)
            scores.append(score.detach())
            gradients.append(found)
        return torch.cat(scores), torch.cat(gradients)

    def _call(self, images: Tensor) -> Tensor:
        self.on_batch()
        output = call_network(self.net, images, self.num_outputs)
        return plain_logits(output, self.card)


def _parts(images: Tensor, size: int) -> list[Tensor]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def batch_size(images: Tensor) -> int:
    """How many images of this size run at once."""
    return max(1, _PIXELS // max(1, images[0].numel()))


@contextmanager
def differentiable(net: nn.Module) -> Generator[None]:
    """Run in eval mode with gradients; every module's mode is restored afterwards."""
    with eval_mode(net), torch.inference_mode(mode=False), torch.enable_grad(), eager(net):
        yield
