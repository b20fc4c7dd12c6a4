"""Batches in parts: a small part's maps stay in the caches, and threads that compute a part each
need not wait for one another in every layer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from convscope.engines import Batch, Engine, EngineName, open_engine, open_workers
from convscope.strict import Between

SPLITTABLE: tuple[EngineName, ...] = ("onnxruntime", "openvino")
"""Engines that compute several images at once; ncnn takes one after the other."""

_SIZES = 1, 4, 16
"""Images of a part that are tried: few stay in the caches, many share the reading of weights."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """How an engine divides a batch.

    Attributes:
        images: of a part, at most.
        in_parallel: whether parts are computed side by side, each by one thread; else one after
            the other, each by all threads.
    """

    images: Annotated[int, Between(1, 1 << 20)]
    in_parallel: bool

    def __str__(self) -> str:
        return f"{self.images} per thread" if self.in_parallel else f"{self.images} at a time"


def possible_splits(name: EngineName, *, batch_size: int, threads: int) -> tuple[Split, ...]:
    """The splits of a batch that are worth timing."""
    if name not in SPLITTABLE or batch_size == 1:
        return ()
    share = math.ceil(batch_size / threads)
    if threads == 1:
        return tuple(Split(images=size, in_parallel=False) for size in _SIZES if size < share)
    sizes = sorted({min(size, share) for size in (*_SIZES, share)})
    return tuple(Split(images=size, in_parallel=True) for size in sizes)


def open_split(
    name: EngineName,
    model: Path,
    *,
    threads: int,
    batch_size: int,
    split: Split | None,
    precision: str = "float32",
    spin: bool = True,
) -> Engine:
    """Load a network into an engine that divides batches by `split`, or takes them whole.

    Engines that are not in SPLITTABLE take batches whole. For `batch_size`, `precision` and `spin`,
    and for what is raised, see `open_engine`.
    """
    if name not in SPLITTABLE:
        split = None
    if split is not None and split.in_parallel and threads > 1:
        workers = open_workers(
            name, model, count=threads, batch_size=split.images, precision=precision
        )
        return in_parts(workers, split)
    engine = open_engine(
        name,
        model,
        threads=threads,
        batch_size=batch_size if split is None else split.images,
        precision=precision,
        spin=spin,
    )
    return engine if split is None else in_parts([engine], split)


def in_parts(workers: Sequence[Engine], split: Split) -> Engine:
    """An engine that has each part of a batch computed by whichever worker is free.

    Answers come in the order of the images. An error of a worker is raised.
    """
    if len(workers) == 1:
        (worker,) = workers

        def run(images: Batch, /) -> Batch:
            return np.concatenate([worker(part) for part in _parts(images, split.images)])

        return run
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- takes time at a cold start
    from queue import SimpleQueue  # noqa: PLC0415

    pool = ThreadPoolExecutor(len(workers), "convscope-engine")
    free: SimpleQueue[Engine] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def compute(part: Batch) -> Batch:
        worker = free.get()
        try:
            return worker(part)
        finally:
            free.put(worker)

    def run_in_parallel(images: Batch, /) -> Batch:
        size = min(split.images, math.ceil(len(images) / len(workers)))
        return np.concatenate([*pool.map(compute, _parts(images, size))])

    return run_in_parallel


def _parts(images: Batch, size: int) -> Sequence[Batch]:
    return [images[start : start + size] for start in range(0, len(images), size)]
