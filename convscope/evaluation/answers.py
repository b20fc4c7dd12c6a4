"""What networks say of the images of an evaluation: one or several, by any protocol."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.classes import quote_names
from convscope.data.loading import BatchSource, LoadedDataset, ProgressCallback
from convscope.data.streaming import StreamingBatchSource
from convscope.device import threads_set
from convscope.distributed.group import Group
from convscope.distributed.joining import own_device
from convscope.errors import RequestError
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.kept_outputs import FEWEST, KeptOutputs, keeping, kept_outputs
from convscope.evaluation.measure import compute_outputs
from convscope.evaluation.protocol import Protocol
from convscope.evaluation.views import (
    ViewAnswers,
    compute_view_probabilities,
    dense_network,
    takes_size,
)
from convscope.inference import probabilities
from convscope.models import OpenedModel


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How the images of an evaluation are answered.

    Attributes:
        batch_size: images, or views of them, that are computed at a time; None: by the network.
        on_progress: called with the number of images that are answered, and of all answers.
    """

    protocol: Protocol
    batch_size: int | None
    device: str
    threads: int | None
    group: Group
    on_progress: ProgressCallback

    def answer(
        self, members: Sequence[OpenedModel], loaded: LoadedDataset, indices: NDArray[np.int64]
    ) -> tuple[Tensor, Card, list[str]]:
        """The outputs (n, classes) for the images at `indices`, the card by which they are to be
        understood, and sentences for the user.

        One network that sees each image once gives its own outputs. In all other cases they are
        probabilities: the mean over views and then over networks.
        """
        first, notes = members[0], list[str]()
        card = self.protocol.card(first.card)
        total = len(indices) * len(members)
        if len(members) == 1 and self.protocol.is_plain:
            return (
                self._of(first, loaded, indices, loaded.batch_source, 0, total, notes),
                card,
                notes,
            )
        if card.task == "detection":
            raise RequestError(
                f"{first.name} finds boxes, and boxes of several views or networks have no mean. "
                "Leave out `crops`, `scales` and all networks but one."
            )
        mean = torch.zeros(len(indices), len(card.classes), dtype=torch.float64)
        for number, member in enumerate(members):
            source = loaded.batch_source if number == 0 else None
            done = number * len(indices)
            outputs = self._of(member, loaded, indices, source, done, total, notes)
            shares = probabilities(outputs, member.card) if self.protocol.is_plain else outputs
            order = [member.card.classes.index(name) for name in card.classes]
            mean += shares.double()[:, order] / len(members)
        if card.task != "multi-label" and card != card.without_rules:
            card = card.without_rules
            notes.append(
                "A threshold, or what else was chosen for one network that sees an image once, "
                "does not apply to means: the most probable class is predicted."
            )
        return mean, replace(card, output="probabilities", temperature=1.0), notes

    def _of(
        self,
        member: OpenedModel,
        loaded: LoadedDataset,
        indices: NDArray[np.int64],
        source: BatchSource | None,
        done: int,
        total: int,
        notes: list[str],
    ) -> Tensor:
        """The outputs of one network; its mean probabilities if it sees an image several times."""
        own, images = self.protocol.card(member.card), loaded.dataset.images
        card = replace(own, value_range=own.value_range or loaded.value_range)
        device = own_device(self.device, self.group)
        workers = os.cpu_count() or 1
        answered = done

        def progress(images: int) -> None:
            nonlocal answered
            answered += images
            self.on_progress(answered, total)

        with threads_set(self.threads):
            net = member.net.to(device)
            if own is not member.card and not takes_size(net, own, own.input_size):
                raise RequestError(
                    f"{member.name} does not take images of {'x'.join(map(str, own.input_size))}: "
                    f"its dense layers are made for {'x'.join(map(str, member.card.input_size))}. "
                    "Leave out `test_size`, or let it slide over larger images: `crops='dense'`."
                )
            channels_last, usual = choose_feeding(net, card, device)
            size = self.batch_size or usual
            kept = self._kept(member, loaded, indices, card, size)
            with keeping(kept, notes) if kept else nullcontext():
                if self.protocol.is_plain:
                    return compute_outputs(
                        net,
                        source or StreamingBatchSource(images, card, workers),
                        indices,
                        card,
                        batch_size=size,
                        device=device,
                        channels_last=channels_last,
                        on_progress=progress,
                        group=self.group,
                        kept=kept,
                    )
                if self.protocol.crops == "dense":
                    net, note = dense_network(net, card)
                    notes += [note] if note else []
                answers = ViewAnswers(net, card, self.protocol, size, device, channels_last)
                return compute_view_probabilities(
                    answers,
                    images,
                    indices,
                    workers=workers,
                    group=self.group,
                    kept=kept,
                    on_progress=progress,
                )

    def _kept(
        self,
        member: OpenedModel,
        loaded: LoadedDataset,
        indices: NDArray[np.int64],
        card: Card,
        size: int,
    ) -> KeptOutputs | None:
        """Where outputs are kept, of evaluations that may be long."""
        if len(indices) * self.protocol.num_views(card) < FEWEST:
            return None
        device = own_device(self.device, self.group)
        facts = (card, self.protocol, size, device)
        return kept_outputs(member.net, loaded.dataset.images, indices, *facts)


def check_same_classes(members: Sequence[OpenedModel]) -> None:
    """Raise RequestError for networks whose answers cannot be averaged."""
    first = members[0]
    for other in members[1:]:
        if other.card.task != first.card.task:
            raise RequestError(
                f"{other.name} is of the task {other.card.task}, and {first.name} of "
                f"{first.card.task}: their answers cannot be averaged."
            )
        if {*other.card.classes} != {*first.card.classes}:
            different = sorted({*other.card.classes} ^ {*first.card.classes})
            raise RequestError(
                f"{other.name} and {first.name} have different classes: only one of them has "
                f"{quote_names(different)}. An `ensemble` averages networks of the same classes."
            )
