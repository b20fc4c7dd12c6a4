"""Steps of a detector's training by convscope and by a plain PyTorch loop, side by side.

    python benchmarks/detection.py

Both train yolo_small on scenes, 64 images a step, by AdamW with the same loss, on one thread and
without augmentation; rounds alternate. Processor time is compared, which other programs on the
machine disturb little. Above 1, convscope takes less.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import convscope
from convscope.boxes.loss import box_losses
from convscope.data import scenes
from convscope.data.fit_objects import fitted
from convscope.training.callbacks.base import Callback
from convscope.zoo.yolo import yolo_small

STEPS, FIRST, BATCH, ROUNDS = 24, 4, 64, 3


class Clock(Callback):
    """Processor time from the end of step FIRST to the end of the last."""

    def on_step_end(self, _state, event):
        if event.step == FIRST:
            self.began = time.process_time()
        if event.step == STEPS:
            self.seconds = time.process_time() - self.began


def by_convscope(folder):
    clock = Clock()
    convscope.train(
        "scenes", model="yolo_small", steps=STEPS, batch_size=BATCH, augment="none", threads=1,
        optimizer="adamw", val=0.1, out=folder, callbacks=[clock], progress=False,
    )  # fmt: skip
    return clock.seconds, convscope.load(folder)[1]


def by_pytorch(card):
    dataset = fitted(scenes.read_scenes(), card)
    torch.set_num_threads(1)
    net = yolo_small().train()
    optimizer = torch.optim.AdamW(net.parameters(), 0.001, weight_decay=0.0005)
    images = np.stack([np.asarray(dataset.images.image(i)) for i in dataset.indices("train")])
    mean, std = card.mean[0], card.std[0]
    order = np.random.default_rng(0).permutation(len(images))
    began = 0.0
    for step in range(1, STEPS + 1):
        chosen = order[(step - 1) * BATCH : step * BATCH]
        pixels = (torch.from_numpy(images[chosen])[:, None].float() / 255 - mean) / std
        loss = box_losses(net(pixels), torch.from_numpy(dataset.truth(chosen)), net.box_coding)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        loss.mean().item()
        if step == FIRST:
            began = time.process_time()
    return time.process_time() - began


def main():
    scenes.COUNTS = {"train": STEPS * BATCH, "val": 8, "test": 8}
    ratios = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            ours, card = by_convscope(Path(folder) / "run")
        theirs = by_pytorch(card)
        images = (STEPS - FIRST) * BATCH
        ratios.append(theirs / ours)
        print(
            f"round {number + 1}: convscope {images / ours:.0f} images per second of a processor, "
            f"plain PyTorch {images / theirs:.0f}, ratio {theirs / ours:.2f}"
        )
    print(f"median ratio {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()
