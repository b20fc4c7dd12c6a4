"""What a checkpoint was made with, bound to it: config.toml by value, other files by digest.

A run that goes on with anything else than the bits of its checkpoint depend on is refused.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from convscope.errors import RequestError, shell_word
from convscope.regular_files import read_regular
from convscope.runs import own_code
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile
from convscope.strict import shown
from convscope.training.config import TABLES, TrainConfig
from convscope.training.longer import LENGTHS
from convscope.training.setting import settings_of

KEY = "made_with"
"""The key of a checkpoint's metadata."""

FREE = ("data_dir", "checkpoint_seconds", "cache", "cache_fraction", "cache_size", "log")
"""Settings that change no bit. Nor does `data`: the images are known by their fingerprint."""

_BOUND_TABLES = ("dataset", "machine")
_BOUND_FILES = ("splits.csv", "network.toml", "images.safetensors")


def made_with(run: Run) -> dict[str, Any]:
    """What config.toml sets, and the digests of the other files that a resume reads."""
    config = run.read_config()
    unbound = ("data", *(table for table in TABLES if table not in _BOUND_TABLES))
    kept = {name: value for name, value in config.items() if name not in unbound}
    return {"config": kept, "files": dict(_digests(run))}


def settings_in(config: Mapping[str, Any], *, source: str) -> TrainConfig:
    """The settings among the contents of a config.toml."""
    values = {name: value for name, value in config.items() if name not in ("data", *TABLES)}
    return TrainConfig.from_dict(values, source=source)


def unchanged_settings(run: Run, config: Mapping[str, Any], stored: TensorFile) -> TrainConfig:
    """The settings of a checkpoint, from which those of `config`, now, differ in length at most.

    Another length in config.toml is like one that `resume` is given. Raises RequestError, naming
    each, for other settings and files than those that the checkpoint was made with.
    """
    now = settings_in(config, source=str(run.path / "config.toml"))
    bound = stored.metadata.get(KEY)
    if bound is None:  # of an earlier version
        return now
    then = settings_in(bound["config"], source=f"{run.path / 'last'}, the checkpoint")
    then = replace(then, **{name: getattr(now, name) for name in FREE})
    if own_code.is_own_code(now.model) and own_code.is_signed(config):
        then = replace(then, model=now.model)  # this user named other code at a resume
    changed = [*_changed_settings(then, now), *_changed_tables(bound["config"], config)]
    if changed:
        raise RequestError(
            f"{run.path / 'config.toml'} was changed since the training began. "
            f"{'; '.join(changed)}. Restore it, or start a new run with `convscope train --config "
            f"{shell_word(run.path / 'config.toml')}`."
        )
    for name, digest in _digests(run):
        if bound["files"].get(name) != digest:
            raise RequestError(
                f"{run.path / name} was changed since the training began: it is not the file that "
                "the checkpoint was made with. Restore it, or start a new run."
            )
    return then


def restore_metrics(run: Run, stored: TensorFile) -> str:
    """Write metrics.jsonl anew if it does not begin as the checkpoint has it; then a sentence."""
    history = stored.metadata.get("state", {}).get("history", [])
    try:
        if run.read_metrics()[: len(history)] == history:
            return ""
    except RequestError:  # it is damaged
        pass
    run.write_metrics(history)
    return (
        f"{run.path / 'metrics.jsonl'} is not as the training wrote it; it is restored from the "
        "checkpoint."
    )


def _digests(run: Run) -> Iterator[tuple[str, str]]:
    for name in _BOUND_FILES:
        try:
            content = read_regular(run.path / name)
        except OSError:
            yield name, ""
        else:
            yield name, hashlib.sha256(content).hexdigest()


def _changed_settings(then: TrainConfig, now: TrainConfig) -> Iterator[str]:
    free = LENGTHS
    if now.max_minutes is not None and then.max_minutes is None:
        free = (*LENGTHS, "warmup_epochs")  # there is no warm-up then
    for name in settings_of(TrainConfig):
        before, after = getattr(then, name), getattr(now, name)
        if before != after and name not in free:
            yield _change(name, before, after)


def _changed_tables(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for table in _BOUND_TABLES:
        before, after = then.get(table, {}), now.get(table, {})
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key):
                yield _change(f"{table}.{key}", before.get(key), after.get(key))


def _change(name: str, before: object, after: object) -> str:
    ran, says = map(_value, (before, after))
    return f"{name}: the training ran with {ran}, config.toml says {says}"


def _value(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) < _LONGEST else shown(value)


_LONGEST = 200  # letters of a value in a message
