"""What is explained: the score of a class, or of one class against another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.inference import probabilities, to_logits

_SHOWN = 10  # classes in a message


@dataclass(frozen=True)
class Target:
    """The logit of a class, or the difference of the logits of two classes.

    Attributes:
        index: of the class.
        other: of the class that it is compared with; None for the class alone.
        names: of all classes, in the order of the network's outputs.
    """

    index: int
    other: int | None
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[self.index]

    @property
    def other_name(self) -> str | None:
        return None if self.other is None else self.names[self.other]

    def __str__(self) -> str:
        if self.other is None:
            return f"logit({self.name})"
        return f"logit({self.name}) - logit({self.other_name})"

    @property
    def probability_name(self) -> str:
        """What `probability` is."""
        if self.other is None:
            return f"P({self.name})"
        return f"P({self.name}) of the two"

    def score(self, logits: Tensor) -> Tensor:
        """The score of each image (n,), given logits (n, classes)."""
        score = logits[:, self.index]
        return score if self.other is None else score - logits[:, self.other]

    def probability(self, logits: Tensor, card: Card) -> Tensor:
        """From 0 to 1 for each image: the probability of the class, or between the two classes."""
        logits = logits.double() / card.temperature
        if self.other is not None:
            return self.score(logits).sigmoid()
        chances = logits.sigmoid() if card.task == "multi-label" else logits.softmax(1)
        return chances[:, self.index]

    is_share = True

    def probabilities(self, logits: Tensor, card: Card) -> Tensor:
        """Of all classes (n, classes)."""
        return probabilities(logits, replace(card, output="logits"))

    def constant(self, like: Tensor) -> float:  # noqa: ARG002 -- a box has one
        """What the score is beside gradient times logits `like`: nothing."""
        return 0.0

    def seed(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """The gradient of the score by logits of this shape."""
        seed = torch.zeros(*shape, dtype=like.dtype, device=like.device)
        seed.view(-1)[self.index] = 1
        if self.other is not None:
            seed.view(-1)[self.other] = -1
        return seed


def plain_logits(output: Tensor, card: Card) -> Tensor:
    """Logits as the network has them; of probabilities, those whose softmax or sigmoid they are."""
    return output if card.output == "logits" else to_logits(output, card)


def find_class(value: str | int, names: Sequence[str], argument: str) -> int:
    """The index of a class by its name, or by its index where no class is called so.

    Raises RequestError for anything else.
    """
    if isinstance(value, str) and value in names:
        return names.index(value)
    if (isinstance(value, int) and not isinstance(value, bool)) or str(value).isdecimal():
        if int(value) < len(names):
            return int(value)
        raise RequestError(
            f"`{argument}` is {value}, and the network has {len(names)} classes, 0 to "
            f"{len(names) - 1}."
        )
    known = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    raise RequestError(
        f"There is no class {value!r}.{nearest(str(value), names)} The classes are {known}."
    )
