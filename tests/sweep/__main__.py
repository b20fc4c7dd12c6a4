"""Sweep over the networks of timm and torchvision; `scripts/sweep` starts it.

Each network, with random weights and in eval mode, is recorded on a small image in a process of its
own. Checked are:

    units     random units of every operation are explained within their bound, print, and are
              traced back to a pixel, a parameter or a constant
    fields    what changes with a pixel has it in its receptive field; fields beside gradients
    traces    the network and the process are left as they were, and the output is a plain run's
    costs     the summary's parameters and multiply-adds are torch's

The same seed gives the same units. Exit status: 0 without a fault, 1 with any.
"""

import argparse
import json
import multiprocessing
import platform
import re
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import torch

from tests.sweep.faults import Findings
from tests.sweep.networks import NETWORKS, Row, import_libraries
from tests.sweep.one_network import sweep_network

MEMORY = 9 * 2**30  # bytes that a process may use


@dataclass
class _Running:
    row: Row
    process: ForkProcess
    connection: Connection
    began: float
    stage: str = "starting"


def sweep(
    rows: Sequence[Row], *, units: int, seed: int, jobs: int, seconds: float
) -> Iterator[tuple[Row, Findings, float]]:
    """Each network with what was found and how long it took, in the order in which they end."""
    waiting, running = list(rows), list[_Running]()
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_started(waiting.pop(0), units, seed))
        ready = wait([one.connection for one in running], timeout=1)
        for one in list(running):
            findings = _findings(one, one.connection in ready, seconds)
            if findings is not None:
                running.remove(one)
                one.process.kill()
                one.process.join()
                yield one.row, findings, time.monotonic() - one.began


def _started(row: Row, units: int, seed: int) -> _Running:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(theirs, row, units, seed)
    )
    process.start()
    theirs.close()
    return _Running(row, process, ours, time.monotonic())


def _work(connection: Connection, row: Row, units: int, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        findings = sweep_network(row, seed=seed, units=units, begins=connection.send)
    except Exception as error:  # noqa: BLE001 -- the sweep goes on
        findings = Findings()
        findings.add("sweep", f"raises {type(error).__name__}: {error}")
    connection.send(findings.to_dict())


def _findings(one: _Running, is_ready: bool, seconds: float) -> Findings | None:  # noqa: FBT001
    """What a process found; a fault where it ended or was too slow; None while it goes on."""
    failed = Findings()
    try:
        message = one.connection.recv() if is_ready else None
    except EOFError:
        failed.add("sweep", f"the process ended with {one.process.exitcode} in: {one.stage}")
        return failed
    if isinstance(message, dict):
        return Findings.from_dict(message)
    one.stage = message or one.stage
    if time.monotonic() - one.began > seconds:
        failed.add("sweep", f"it took longer than {seconds:g} s, and was in: {one.stage}")
        return failed
    return None


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    rows = [row for row in NETWORKS if re.search(args.only, row.name)][: args.limit]
    import_libraries()  # once, before processes are forked
    began, total, results = time.monotonic(), Findings(), dict[str, Any]()
    for row, findings, seconds in sweep(
        rows, units=args.units, seed=args.seed, jobs=args.jobs, seconds=args.seconds
    ):
        print(_line(row, findings, seconds), flush=True)
        for fault in findings.faults[:8]:
            print(f"    {str(fault)[:300]}", flush=True)
        total.figures["networks"] += 1
        total.figures["networks without a fault"] += not findings.faults
        total.figures += findings.figures
        total.unsupported += findings.unsupported
        total.faults += findings.faults
        results[row.name] = {**findings.to_dict(), "seconds": round(seconds, 1)}
        if args.json:
            args.json.write_text(json.dumps(_report(args, total, results), indent=1), "utf-8")
    print(_totals(total, time.monotonic() - began))
    return 1 if total.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", metavar="PATTERN", help="a regular expression")
    parser.add_argument("--limit", type=int, help="only the first networks")
    parser.add_argument("--units", type=int, default=2, help="of each operation (default: 2)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    parser.add_argument("--seconds", type=float, default=300, help="for a network (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all findings")
    return parser


def _line(row: Row, findings: Findings, seconds: float) -> str:
    figures = findings.figures
    return (
        f"{row.name:36}{figures['operations']:5} operations {figures['units within their bound']:5}"
        f" of {figures['units']:5} units {figures['fields']:3} fields {seconds:6.1f} s  "
        f"{len(findings.faults) or 'no'} faults"
    )


def _totals(total: Findings, seconds: float) -> str:
    lines = ["", *(f"{count:16,}  {name}" for name, count in total.figures.items())]
    lines += ["", "Units that have no explanation, by kind and reason:"]
    lines += [f"{count:16,}  {reason}" for reason, count in total.unsupported.most_common()]
    lines += ["", "Faults, by check:"]
    checks = Counter(fault.check for fault in total.faults)
    lines += [f"{count:16,}  {check}" for check, count in checks.most_common()]
    return "\n".join([*lines, "", f"{_versions()}; {seconds:.0f} s"])


def _versions() -> str:
    names = ("convscope", "torch", "torchvision", "timm")
    return ", ".join([f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in names)])


def _report(args: argparse.Namespace, total: Findings, results: dict[str, Any]) -> dict[str, Any]:
    return {
        "versions": _versions(),
        "seed": args.seed,
        "units": args.units,
        "figures": dict(total.figures),
        "unsupported": dict(total.unsupported.most_common()),
        "networks": results,
    }


if __name__ == "__main__":
    sys.exit(main())
