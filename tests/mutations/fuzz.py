"""Mutations of every file that we read, through everything that reads it."""

import random
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import ConvscopeError
from tests.mutations import mutate, verbs

Mutator = Callable[[bytes, random.Random], bytes]
Verb = Callable[[Path], None]

_READERS: tuple[Verb, ...] = (verbs.statuses, verbs.listed, verbs.compared, verbs.streamed)


@dataclass(frozen=True)
class Target:
    """A file, by its path in the base; how it is changed, and what then reads it."""

    path: str
    mutator: Mutator
    verbs: Sequence[Verb]
    weight: int = 1


_LIVE: tuple[Verb, ...] = (verbs.listed, verbs.streamed, verbs.resume_stopped)
_BOUND = ("card.json", "splits.csv", "network.toml", "config.toml")

TARGETS = (
    Target("done/config.toml", mutate.toml_text, verbs.RUN, 5),
    Target("stopped/config.toml", mutate.toml_text, (verbs.resume_stopped, *_READERS), 5),
    Target("done/card.json", mutate.json_text, verbs.RUN, 5),
    Target("stopped/card.json", mutate.json_text, (verbs.resume_stopped, *_READERS), 2),
    Target(
        "done/splits.csv",
        mutate.csv_rows,
        (verbs.evaluate, verbs.resume_finished, verbs.compared, verbs.opened),
        4,
    ),
    Target("stopped/splits.csv", mutate.csv_rows, (verbs.resume_stopped,), 2),
    Target("done/network.toml", mutate.layer_table, verbs.RUN, 5),
    Target("stopped/network.toml", mutate.layer_table, (verbs.resume_stopped,), 2),
    Target("done/metrics.jsonl", mutate.json_lines, (verbs.resume_finished, *_READERS), 3),
    Target("done/test.json", mutate.json_text, (verbs.resume_finished, *_READERS), 3),
    Target("done/validation.json", mutate.json_text, (verbs.resume_finished,), 2),
    Target("done/problems.csv", mutate.csv_rows, (verbs.listed, verbs.resume_finished)),
    Target("done/images.safetensors", mutate.safetensors_header, (verbs.evaluate,), 2),
    Target(
        "done/model.safetensors",
        mutate.safetensors_header,
        (verbs.load, verbs.predict, verbs.opened, verbs.resume_finished, verbs.hub),
        2,
    ),
    Target("done/live/now.json", mutate.json_text, (*_READERS, verbs.resume_finished), 3),
    Target("stopped/live/now.json", mutate.json_text, (*_READERS, verbs.resume_stopped), 3),
    Target("done/card.json", mutate.json_text, (verbs.card,), 2),
    Target("net.toml", mutate.layer_table, (verbs.table,), 3),
    Target("done/live/look.safetensors", mutate.stored_tensors, _LIVE),
    Target("done/live/wrong.safetensors", mutate.stored_tensors, _LIVE),
    Target("stopped/live/filters.safetensors", mutate.stored_tensors, _LIVE),
    *(
        Target(f"done/live/{name}.safetensors", mutate.stored_tensors, (verbs.viewed,))
        for name in ("examples", "confusion", "weights-0")
    ),
    Target("stopped/last/newest", mutate.stored_tensors, (verbs.resume_stopped,), 2),
    Target("done/last/newest", mutate.stored_tensors, (verbs.resume_finished,)),
    Target("done/images.safetensors", mutate.stored_tensors, (verbs.evaluate,)),
    Target("done/live/steps.npy", mutate.damaged_bytes, _READERS),
    Target("data/labels.csv", mutate.csv_rows, (verbs.images, verbs.evaluate), 3),
    Target("hub/config.json", mutate.json_text, (verbs.hub,), 2),
    Target("hub/shards.json", mutate.json_text, (verbs.shards,)),
    Target("hub/names.json", mutate.json_text, (verbs.names,)),
    Target("hub/names.txt", mutate.damaged_bytes, (verbs.names,)),
)


@dataclass(frozen=True)
class Fault:
    """What a verb did that it must not: the kind of it, and how to see it again."""

    kind: str
    seed: int
    target: str
    verb: str
    trace: str


def mutated(target: Target, data: bytes, rng: random.Random) -> bytes:
    """The content of a file, changed in its tree or in its bytes."""
    change = mutate.damaged_bytes if rng.random() < 0.2 else target.mutator
    return change(data, rng)


def run(
    base: Path, scratch: Path, seed: int, *, most_verbs: int = 3
) -> tuple[Counter, list[Fault]]:
    """Make the mutation of a seed, and give it to some of its verbs, each on a copy of its own."""
    rng = random.Random(seed)
    target = rng.choices(TARGETS, [one.weight for one in TARGETS])[0]
    data = mutated(target, _file(base, target).read_bytes(), rng)
    is_bound = target.path.endswith(_BOUND) and rng.random() < 0.6
    outcomes: Counter = Counter()
    faults: list[Fault] = []
    count = min(len(target.verbs), most_verbs)
    for verb in rng.sample(list(target.verbs), count):
        folder = scratch / f"{seed}-{verb.__name__}"
        copied(base, folder)
        _file(folder, target).write_bytes(data)
        if is_bound:
            with suppress(ValueError, RecursionError, TypeError):
                verbs.bind(_file(folder, target).parent)
        outcome, trace = judged(verb, folder, target)
        outcomes[outcome.split(":")[0]] += 1
        if outcome not in ("done", "refused"):
            faults.append(Fault(outcome, seed, target.path, verb.__name__, trace))
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes, faults


def copied(base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(base, folder, ignore=shutil.ignore_patterns("report.html", ".lab")))


def _file(base: Path, target: Target) -> Path:
    path = base / target.path
    return max(path.parent.glob("step-*")) if path.name == "newest" else path


def judged(verb: Verb, folder: Path, target: Target) -> tuple[str, str]:
    """What came of a verb, and a traceback where it is a fault.

    "done"; "refused" with the name of the file, of the run, or of the data with which it does not
    go together; or the kind of the fault.
    """
    try:
        with verbs.bounded():
            verb(folder)
    except ConvscopeError as error:
        if "\x1b" in str(error) or "\x00" in str(error) or len(str(error)) > 20_000:
            return f"unprintable: {type(error).__name__}", repr(error)[:3000]
        named = (Path(target.path).name, folder.name, "labels has classes")
        if any(name in str(error) for name in named):
            return "refused", ""
        return f"unnamed: {str(error)[:70]}", traceback.format_exc()
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it is a fault
        last = traceback.extract_tb(error.__traceback__)
        own = [f for f in last if "/convscope/" in f.filename and "/tests/" not in f.filename]
        place = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "tests"
        return f"raw: {type(error).__name__} in {place}", traceback.format_exc()[-6000:]
    return "done", ""
