"""Normalizing and augmenting a batch of bytes on its way to float32.

    python benchmarks/normalizing.py

Times what convscope does and what it did before: a scale per channel by broadcasting, an index per
pixel. Both must have the same bits. Where there is a C compiler, one pass in C over the same bytes
is the yardstick.
"""

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from input_pipeline import card_of
from numpy.typing import NDArray
from rounds import machine, rotated, spread
from torch import Tensor

from convscope.card import Card
from convscope.data.augment import augment, crop_and_flip_params
from convscope.data.augment_kinds import Augment
from convscope.data.normalize import Normalizer, scale_and_shift
from convscope.device import keep_freed_memory

PADDING = 4

C_SOURCE = """
void normalize(const unsigned char *restrict in, float *restrict out, long pixels,
               const float *scale, const float *shift) {
    const float a = scale[0], b = scale[1], c = scale[2], x = shift[0], y = shift[1], z = shift[2];
    for (long i = 0; i < pixels; i++) {
        out[3 * i] = in[3 * i] * a + x;
        out[3 * i + 1] = in[3 * i + 1] * b + y;
        out[3 * i + 2] = in[3 * i + 2] * c + z;
    }
}
"""


def normalize_before(batch: Tensor, card: Card) -> Tensor:
    """convscope's `normalize` until November 2026."""
    scale, shift = scale_and_shift(card)
    return torch.addcmul(shift, batch.to(torch.float32), scale).permute(0, 3, 1, 2)


def augment_before(batch: Tensor, indices: NDArray[np.int64], kind: Augment, epoch: int) -> Tensor:
    """convscope's `augment` until November 2026."""
    corners, flip = crop_and_flip_params(indices, kind=kind, padding=PADDING, seed=0, epoch=epoch)
    n, height, width, channels = batch.shape
    padded_height, padded_width = height + 2 * PADDING, width + 2 * PADDING
    padded = batch.new_zeros(n, padded_height, padded_width, channels)
    padded[:, PADDING : PADDING + height, PADDING : PADDING + width] = batch
    rows = corners[:, :1] + np.arange(height)
    steps = np.where(flip[:, None], np.arange(width)[::-1], np.arange(width))
    columns = corners[:, 1:] + steps
    first_rows = np.arange(n)[:, None, None] * padded_height
    cells = (first_rows + rows[:, :, None]) * padded_width + columns[:, None, :]
    selected = torch.from_numpy(cells.reshape(-1))
    return padded.view(-1, channels).index_select(0, selected).view(n, height, width, channels)


def c_pass(folder: Path, card: Card, batch: Tensor) -> Callable[[], Tensor] | None:
    """One pass in C over a batch, into memory that is used again; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "normalize.c", folder / "normalize.so"
    source.write_text(C_SOURCE, encoding="utf-8")
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", library, source], check=True)
    function = ctypes.CDLL(str(library)).normalize
    scale, shift = scale_and_shift(card)
    out = torch.empty(batch.shape)

    def run() -> Tensor:
        tensors = [ctypes.c_void_p(one.data_ptr()) for one in (batch, out, scale, shift)]
        function(*tensors[:2], ctypes.c_long(batch.numel() // 3), *tensors[2:])
        return out.permute(0, 3, 1, 2)

    return run


def best_of(job: Callable[[], object], times: int) -> float:
    """The least milliseconds of this process's time that the job took."""
    taken: list[float] = []
    for _ in range(times):
        start = time.process_time()
        job()
        taken.append(1000 * (time.process_time() - start))
    return min(taken)


def time_batches(size: int, rounds: int, batch_size: int, folder: Path) -> None:
    card = card_of(size)
    random = np.random.default_rng(0)
    batch = torch.from_numpy(random.integers(0, 256, (batch_size, size, size, 3), dtype=np.uint8))
    indices, normalizer = np.arange(batch_size), Normalizer(card)
    words: dict[str, Any] = {"kind": "crop-flip", "padding": PADDING, "seed": 0, "epoch": 1}
    jobs: dict[str, Callable[[], Tensor]] = {
        "normalize before": lambda: normalize_before(batch, card),
        "normalize": lambda: normalizer(batch),
        "both before": lambda: normalize_before(
            augment_before(batch, indices, "crop-flip", 1), card
        ),
        "both": lambda: normalizer(augment(batch, indices, **words)),
    }
    for name in ("normalize", "both"):
        assert torch.equal(jobs[name](), jobs[f"{name} before"]()), name
    if in_c := c_pass(folder, card, batch):
        assert torch.allclose(in_c(), jobs["normalize before"](), atol=1e-5)
        jobs["normalize in C"] = in_c
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds):
        for name in rotated([*jobs], turn):
            taken[name].append(best_of(jobs[name], 5 if size > 100 else 20))
    print(f"\n{size}x{size}, batches of {batch_size}, ms of CPU time")
    for name, values in taken.items():
        print(f"  {name:18} {spread(values, '.3f')}")
    pairs = [("normalize before", "normalize"), ("both before", "both")]
    pairs += [("normalize", "normalize in C")] * (in_c is not None)
    for slow, fast in pairs:
        ratios = [one / other for one, other in zip(taken[slow], taken[fast], strict=True)]
        print(f"  {slow} / {fast}: {spread(ratios)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 96, 224])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as `convscope train` does
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            time_batches(size, args.rounds, args.batch, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
