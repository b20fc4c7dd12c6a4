"""`prune`: remove filters from the network of a run, and fine-tune what is left."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w
from torch import nn

from convscope.card import Card, refuse_objects
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.pruning.accuracy import accuracy, compare, read_images, validation
from convscope.pruning.fine_tuning import tuning_settings
from convscope.pruning.latency import time_networks
from convscope.pruning.result import PruningResult, Size
from convscope.pruning.rounds import Wish, prune_network
from convscope.pruning.structure import Structure
from convscope.pruning.table import base_of, is_own, table_of
from convscope.recording.wrappers import modules_by_path
from convscope.runs.folder import Run
from convscope.runs.network import as_run, load_run
from convscope.runs.own_code import HANDED_OVER, NO_CONSENT, Consent
from convscope.synonyms import takes_synonyms
from convscope.training.api import train
from convscope.training.callbacks.base import Callback
from convscope.words.json_text import to_json
from convscope.zoo import Creation


@takes_synonyms
def prune(
    run: str | os.PathLike[str] | Run,
    data: DataLike | None = None,
    *,
    out: str | Path,
    multiply_adds: float | None = None,
    max_drop: float | None = None,
    similarity: float = 0.99,
    epochs: int | None = None,
    lr: float | None = None,
    max_images: int = 1000,
    model: str | nn.Module | None = None,
    trust: bool = False,
    threads: int | None = None,
    data_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> PruningResult:
    """Remove filters from a run's network, fine-tune it, and compare it with what it was.

    Filters go with all that belongs to them: batch norm, the slices of the filters that read their
    maps, and what a sum or a concatenation ties to them. First those go whose maps are dead, or
    have a cosine of `similarity` with those of another filter. With `multiply_adds`, the share of
    the network's multiply-adds that is to be left, the least important ones follow, see
    `convscope.pruning.measure`, in rounds. The layers that read removed maps take them over by
    least squares over `max_images` training images. `max_drop` ends that before the accuracy on the
    validation images, without fine-tuning, is so many points lower.

    Then the network is trained with the settings of the run for `epochs`, by default three tenths
    of the run's, at `lr`, by default a tenth of the run's, in the new run `out`, which loads,
    resumes, explains and exports as any other: its `network.toml` says what is left of each layer.

    `data` is where the run's images are now, if they were moved or handed over in Python. Of a run
    of a network of your own, `model` is its code, module:attr, or a network of the architecture,
    and `trust` allows the code that the run recorded, as in `convscope.load`. The new run records
    that code, which must build the network with other numbers of filters than its own: layers of
    torch.nn are made narrower after it has built them.

    Raises RequestError for a network of which no filter can be removed.
    """
    _check(multiply_adds, max_drop, similarity, epochs, max_images)
    old = as_run(run)
    config, target = old.read_config(), Path(out)
    source = str(config["model"])
    net, card, note = load_run(old, Consent(model, trust))
    refuse_objects(card)
    if net_is_fixed := _fixed(net, card):
        raise RequestError(f"{old.path}: {net_is_fixed}")
    opened = {**config, **({} if data is None else {"data": data})}
    read = partial(read_images, old, opened, card, data_dir=Path(data_dir) if data_dir else None)
    images = read("train", max_images)
    held_out, validate = validation(read, net, card, opened, max_drop)
    wish = Wish(multiply_adds, similarity)
    done = prune_network(net, card, images, wish, is_good=validate, on_progress=on_progress)
    if not done.redundant + done.others:
        raise RequestError(
            f"{old.path}: no filter is dead or the twin of another one"
            + (", and none may be removed for the budget" if multiply_adds else "")
            + ". Name a budget with `multiply_adds`, a lower `similarity`, or a larger `max_drop`."
        )
    without_training = None
    if held_out is not None:
        without_training = accuracy(net, card, held_out), accuracy(done.net, card, held_out)
    table = table_of(base_of(old, source), net, done.net)
    _write_table(target, table, done.net, card, source=source)
    settings = tuning_settings(config, epochs=epochs, lr=lr, threads=threads, data_dir=data_dir)
    result = train(
        opened["data"],
        out=target,
        callbacks=callbacks,
        progress=progress,
        model=done.net,
        **settings,
    )
    new = as_run(result.run)
    after, _, _ = load_run(new, Consent(done.net) if is_own(source) else NO_CONSENT)
    compared = compare(net, after, card, read("test", None))
    times, untimed = time_networks(net, after, card, threads=threads)
    pruned = PruningResult(
        run=new,
        accuracy=compared,
        without_training=without_training,
        sizes=(_size(net, card), _size(after, card)),
        times=times,
        filters=_filters(net, after),
        redundant=done.redundant,
        others=done.others,
        notes=tuple(filter(None, [note, *_notes(net, after, card, multiply_adds), *untimed])),
    )
    new.write("pruning.json", to_json(pruned.to_dict(), indent=1) + "\n")
    return pruned


def _check(
    multiply_adds: float | None,
    max_drop: float | None,
    similarity: float,
    epochs: int | None,
    max_images: int,
) -> None:
    if multiply_adds is not None and not 0 < multiply_adds < 1:
        raise RequestError(
            f"`multiply_adds` is the share that is left, above 0 and below 1, not {multiply_adds}."
        )
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise RequestError(f"`max_drop` is in points, 0 to 100, not {max_drop}.")
    if not 0.5 <= similarity <= 1:
        raise RequestError(f"`similarity` must be from 0.5 to 1, not {similarity}.")
    if epochs is not None and epochs < 1:
        raise RequestError(f"`epochs` must be at least 1, not {epochs}.")
    if max_images < 1:
        raise RequestError(f"`max_images` must be at least 1, not {max_images}.")


def _fixed(net: nn.Module, card: Card) -> str:
    """Why nothing can be removed from a network; empty where something can."""
    structure = Structure.of(net, (card.in_channels, *card.input_size))
    if structure.unseen:
        return (
            f"{structure.unseen[0]} has parameters and runs in training alone, where pruning "
            "cannot follow it. Train a network without it."
        )
    if not structure.groups:
        reasons = [*dict.fromkeys(structure.pinned.values())]
        return f"no filter can be removed: {'; '.join(reasons[:3])}."
    return ""


def _write_table(
    folder: Path, table: dict[str, Any], net: nn.Module, card: Card, *, source: str
) -> None:
    """Put the table where the new run has it, and say on the network that it is built from it."""
    run = Run.create(folder, name="pruned")
    run.write("network.toml", tomli_w.dumps(table, multiline_strings=True))
    vars(net)["card"] = replace(card, provenance={})
    if is_own(source):
        vars(net)["pruned"] = table["pruned"]
    else:
        source = str(run.path / "network.toml")
    vars(net).pop("creation", None)
    if not source.startswith(HANDED_OVER):
        size = len(card.classes), card.in_channels, card.input_size
        vars(net)["creation"] = Creation(source, *size)


def _size(net: nn.Module, card: Card) -> Size:
    structure = Structure.of(net, (card.in_channels, *card.input_size))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return Size(parameters, structure.multiply_adds())


def _filters(before: nn.Module, after: nn.Module) -> dict[str, tuple[int, int]]:
    """The filters of every convolution, before and after."""
    modules = modules_by_path(after)
    return {
        path: (layer.out_channels, modules[path].get_parameter("weight").shape[0])
        for path, layer in modules_by_path(before).items()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }


def _notes(before: nn.Module, after: nn.Module, card: Card, wished: float | None) -> list[str]:
    if wished is None:
        return []
    left = _size(after, card).multiply_adds / _size(before, card).multiply_adds
    if left <= wished * 1.01:
        return []
    why = "`max_drop` ended it, or every layer keeps a tenth of its filters"
    return [f"{left:.0%} of the multiply-adds are left, not {wished:.0%}: {why}."]
