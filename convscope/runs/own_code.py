"""Networks of a user's own code: what a run records of it, and who may have it imported.

A run folder is data. Code that it names, `module:attr`, is imported only where the caller says so,
as a `Consent`; never from a file inside the run. How the code is found executes nothing.
"""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

from torch import nn

from convscope.errors import ConsentError, RequestError, shell_word
from convscope.runs import signature
from convscope.runs.folder import Run
from convscope.zoo.libraries import library_of
from convscope.zoo.module_sources import (
    SourceFile,
    Sources,
    changed,
    importing,
    is_below,
    lies_in,
    loaded_path,
    sha256_of,
    sources_of,
)
from convscope.zoo.table_file import is_table

HANDED_OVER = "object:"
"""How the model of a run begins that was an object and cannot be built again by a name."""

_named: dict[str, Sources | None] = {}
"""What callers of this process named as `model`, and so allowed; and what it was made of then."""


@dataclass(frozen=True)
class Consent:
    """What a caller allows when a run's network is built.

    Attributes:
        model: code of the caller's own that builds it, `module:attr`, or the network itself.
        trust: the code that the run recorded, if its digest is as it was.
        signed: the same, at its recorded place, for runs that this user made on this machine.
    """

    model: str | nn.Module | None = None
    trust: bool = False
    signed: bool = False


NO_CONSENT = Consent()


def is_own_code(model: str) -> bool:
    """Whether a model is `module:attr`, which is imported when it is built."""
    return ":" in model and not is_table(model) and library_of(model) is None


def remember_named(model: str) -> None:
    """Note that a caller of this process has named this code, which is imported."""
    if is_own_code(model):
        _named[model] = sources_of(model.partition(":")[0])


def record(model: str, weights: str | None) -> dict[str, Any]:
    """The table [network] of a run: what would be executed or fetched for it, and its signature.

    Empty for networks without code of their own that start from random weights.
    """
    sources = sources_of(model.partition(":")[0]) if is_own_code(model) else None
    if sources is None and weights is None:
        return {}
    table: dict[str, Any] = {}
    if sources is not None:
        files = [vars(each) for each in sources.files]
        table = {"module": sources.module, "folder": sources.folder, "files": files}
    table["signature"] = signature.sign(_facts(model, weights, table))
    return table


def renamed(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The config of a run that goes on with other code, which its caller named."""
    kept = {key: value for key, value in config.items() if key != "network"}
    return {**kept, "model": model, "network": record(model, config.get("weights"))}


def _facts(model: object, weights: object, table: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: table.get(key) for key in ("module", "folder", "files")}
    return {"model": model, "weights": weights, **own}


def is_signed(config: Mapping[str, Any]) -> bool:
    """Whether this user made the run of a config on this machine."""
    table = _table(config)
    facts = _facts(config.get("model"), config.get("weights"), table)
    return signature.is_signed(facts, table.get("signature"))


def _table(config: Mapping[str, Any]) -> Mapping[str, Any]:
    table = config.get("network")
    return cast("Mapping[str, Any]", table) if isinstance(table, dict) else {}


def recorded_sources(config: Mapping[str, Any]) -> Sources | None:
    """The sources that a config records; None where it has none, or none that make sense."""
    table = _table(config)
    try:
        rows = cast("list[dict[str, str]]", table["files"])
        files = tuple(SourceFile(row["module"], row["file"], row["sha256"]) for row in rows)
        sources = Sources(table["module"], table["folder"], files)
        texts = [sources.folder, *(text for each in files for text in vars(each).values())]
        is_text = all(isinstance(text, str) and "\0" not in text for text in texts)
        fits = str(config["model"]).partition(":")[0] == sources.main.module
        is_plain = sources.module.partition(".")[0] not in sys.stdlib_module_names
    except (KeyError, TypeError, AttributeError, StopIteration):
        return None
    whole = is_text and fits and is_plain and all(is_below(each.file) for each in files)
    return sources if whole and Path(sources.folder).is_absolute() else None


@contextmanager
def allowed(
    run: Run, config: Mapping[str, Any], consent: Consent, *, setting: str = "model"
) -> Generator[None]:
    """Let a run's network be built inside, if the caller allows what is imported for it.

    `setting` is what names the code in messages. Whatever is built, nothing is imported from inside
    the run. Raises ConsentError.
    """
    model = str(config["model"])
    if not is_own_code(model):
        with importing(outside=run.path):
            yield
        return
    module = model.partition(":")[0]
    if model in _named and module in sys.modules:
        _check_outside(run, module)
        with importing(outside=run.path):
            yield
        return
    sources = recorded_sources(config)
    may = consent.trust or _is_named(model, sources) or (consent.signed and is_signed(config))
    if not may or sources is None or module == "__main__":
        raise _refusal(run, config, consent, setting)
    folders = _folders(sources) if consent.trust else [sources.folder]
    folder = _found(run, sources, folders)
    _check_loaded(run, sources, folder)
    with importing(outside=run.path, sources=sources, folder=folder):
        yield


def _is_named(model: str, sources: Sources | None) -> bool:
    """Whether a run recorded the very file that a caller of this process named."""
    named = _named.get(model)
    if named is None or sources is None:
        return False
    return (named.folder, named.main) == (sources.folder, sources.main)


@contextmanager
def naming(run: Run, config: Mapping[str, Any], model: str) -> Generator[list[str]]:
    """Let code that the caller names be built inside; the list gets what to say of it after."""
    notes: list[str] = []
    _check_outside(run, model.partition(":")[0])
    with importing(outside=run.path):
        yield notes
    recorded = recorded_sources(config)
    now = sources_of(model.partition(":")[0]) if is_own_code(model) else None
    if recorded is None or now is None:
        return
    digests = {each.module: each.sha256 for each in now.files}
    before = [each for each in recorded.files if each.module == recorded.module]
    others = [each for each in recorded.files if each.module in digests]
    differing = [
        each.module
        for each in (others if now.module == recorded.module else before)
        if digests.get(each.module, now.main.sha256) != each.sha256
    ]
    if differing:
        notes.append(
            f"{run.path} was trained with another source of {', '.join(differing)}; its weights "
            "fit, and whether the network computes the same is not checked."
        )


def _folders(sources: Sources) -> list[str]:
    """Where recorded code may be now: where it was, the current folder, and where Python looks."""
    return list(dict.fromkeys((sources.folder, str(Path.cwd()), *sys.path)))


def _found(run: Run, sources: Sources, folders: list[str]) -> Path:
    """The folder, outside of the run, with the recorded source of the named module."""
    different: Path | None = None
    inside: Path | None = None
    for folder in folders:
        path = Path(folder or ".").absolute() / sources.main.file
        digest = sha256_of(path)
        if digest is None:
            continue
        if lies_in(path, run.path):
            inside = inside or path
        elif digest == sources.main.sha256:
            return Path(folder or ".").absolute()
        else:
            different = different or path
    if different is not None:
        raise changed(different, run.path, sources.module)
    if inside is not None:
        raise ConsentError(
            f"{inside}, the module {sources.module} of {run.path}, lies inside the run: nothing is "
            "imported from there. Move it out of the run, once you have read it."
        )
    raise ConsentError(
        f"The module {sources.module}, with which {run.path} was trained, is not where it was, "
        f"{Path(sources.folder, sources.main.file)}, nor in {Path.cwd()} or installed. Restore it, "
        "or repeat the command in the folder that it is in now."
    )


def _check_outside(run: Run, module: str) -> None:
    """Refuse a module that is imported already, and was read from inside the run."""
    path = loaded_path(module)
    if path is not None and lies_in(path, run.path):
        raise ConsentError(
            f"{path}, the module {module}, lies inside the run {run.path}: no network is built "
            "from there. Move it out of the run, once you have read it."
        )


def _check_loaded(run: Run, sources: Sources, folder: Path) -> None:
    """Refuse modules of the same names that this process has imported from elsewhere."""
    for each in sources.files:
        path = loaded_path(each.module)
        expected = folder / each.file
        if path is None:
            continue
        if not path.is_file() or not expected.is_file() or not path.samefile(expected):
            raise ConsentError(
                f"{run.path} needs the module {each.module} of {expected}, and this process has "
                f"imported {path} by that name. Load the run in a process of its own."
            )
        if sha256_of(path) != each.sha256:
            raise changed(path, run.path, each.module)


def _refusal(run: Run, config: Mapping[str, Any], consent: Consent, setting: str) -> ConsentError:
    """What to say where a run's code is not imported: module, file, remedy."""
    model = str(config["model"])
    module, _, attribute = model.partition(":")
    sources = recorded_sources(config)
    if module == "__main__":
        return ConsentError(
            f"{run.path} was trained by a script or notebook with its own class {attribute}"
            f"{_place(sources)}. Put the class into a module and name it with `model`, or in "
            "Python pass a network of it: `convscope.load(run, model=net)`.",
            own=f"MODULE:{attribute}",
        )
    what = f"{run.path} was trained with code of its own, {model}{_place(sources)}"
    if sources is None:
        return ConsentError(
            f"{what}, and has no usable record of its source. A run executes nothing by itself: "
            f"if that is your code, name it with `{setting}`.",
            own=model,
            setting=setting,
        )
    if consent.signed:
        signed_by = signature.problem() or "The run does not bear your signature of this machine."
        return ConsentError(
            f"{what}, and this lab opens such runs only if you made them. {signed_by} If you trust "
            f"that file, start the lab with it: `convscope lab {shell_word(run.path)} --trust`.",
            trust=True,
        )
    return ConsentError(
        f"{what}. A run executes nothing by itself: if you trust that file, say `trust=True`; or "
        f"name code of your own, in its folder: `{setting}={model}`.",
        trust=True,
        own=model,
        setting=setting,
    )


def named_by_file(path: str | PathLike[str], code: str, setting: str) -> ConsentError:
    """What to say where a file of settings names code, and its caller does not."""
    return ConsentError(
        f"{path} names code, {code}, and a file executes nothing by itself: if that is your code, "
        f"name it here too: `{setting}={code}`.",
        own=code,
        setting=setting,
    )


def _place(sources: Sources | None) -> str:
    """Where the code is, or was, as far as it is found without executing anything."""
    if sources is None:
        return ""
    for folder in _folders(sources):
        path = Path(folder or ".").absolute() / sources.main.file
        if sha256_of(path) is not None:
            return f" in {path}"
    return f", recorded in {Path(sources.folder, sources.main.file)}, which is not here"


def check_weights(run: Run, config: Mapping[str, Any], consent: Consent) -> None:
    """Refuse to read or fetch the weights that a run names. Raises ConsentError."""
    if consent.trust or is_signed(config):
        return
    raise ConsentError(
        f"{run.path} has no checkpoint yet, and would start from the weights {config['weights']}, "
        "which a run does not fetch by itself. If you trust that source, say `trust=True`.",
        trust=True,
    )


def raise_no_name(run: Run, source: str) -> None:
    """Refuse a run of an object that is gone and that no name builds. Raises RequestError."""
    raise RequestError(
        f"{run.path} was trained with a network that was handed over as an object of class "
        f"{source.removeprefix(HANDED_OVER)}, and no name builds it again. Pass one of the "
        "same architecture: `convscope.load(run, model=net)`, or name code that builds one with "
        "`model`, as in `model=module:attr`."
    )
