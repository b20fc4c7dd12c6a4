"""A function of the user's own, or a transform of torchvision, as augmentation of each image."""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.data.augmentation.draws import OWN, Draws
from convscope.errors import RequestError

Transform = Callable[[Tensor], Tensor]
"""Takes an image as bytes (c, h, w) and returns one of the same shape, as torchvision's do."""


@dataclass(frozen=True)
class OwnFunction:
    """Calls a function with one image after the other, each time with random numbers of its own.

    Attributes:
        function: what is called; `name` is what errors call it.
    """

    function: Transform
    name: str

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """The images, bytes (n, h, w, c), after the function.

        Before each call torch, numpy and random are seeded from (seed, epoch, index); after the
        batch their state is as it was. Raises RequestError for what the function raises, and for a
        result that is no image of the same size.
        """
        changed = torch.empty_like(images)
        with _restored_random_state():
            for place, (image, seed) in enumerate(
                zip(images, draws.bits(OWN)[:, 0].tolist(), strict=True)
            ):
                _seed(seed)
                given = image.permute(2, 0, 1).contiguous()
                changed[place] = self._called(given).permute(1, 2, 0)
        return changed

    def _called(self, image: Tensor) -> Tensor:
        shape = tuple(image.shape)
        try:
            result: Any = self.function(image)
        except Exception as error:  # a user's function may raise anything
            raise RequestError(
                f"`augment`: {self.name} failed on an image, a uint8 tensor of shape {shape}: "
                f"{type(error).__name__}: {error}."
            ) from error
        if not isinstance(result, Tensor):
            raise RequestError(
                f"`augment`: {self.name} returned {type(result).__name__}, not a tensor. It is "
                f"called with each image, a uint8 tensor of shape {shape}, and returns another one."
            )
        if result.dtype != torch.uint8 or tuple(result.shape) != shape:
            kind = str(result.dtype).removeprefix("torch.")
            raise RequestError(
                f"`augment`: {self.name} returned {kind} of shape {tuple(result.shape)}. It must "
                f"return uint8 of shape {shape}, as it was given: convscope itself scales and "
                "normalizes the pixels afterwards."
            )
        return result.detach().as_subclass(Tensor)


def _seed(number: int) -> None:
    torch.default_generator.manual_seed(number & 0x7FFFFFFFFFFFFFFF)
    np.random.seed(number & 0xFFFFFFFF)  # noqa: NPY002 -- what the function may use
    random.seed(number)


@contextmanager
def _restored_random_state() -> Generator[None]:
    """Leave the global random numbers of torch, numpy and Python as they were."""
    of_torch, of_numpy, of_python = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(of_torch)
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
