"""What it costs a training to be watched: the time per step alone, watched, and with a page open.

    python benchmarks/watching.py --rounds 6

Three contenders, in turn, in rotating order, each a training of LeNet-5 in a process of its own:
`alone` tells what every training tells; `watched` is looked into as well, because something touches
`live/watched` twice a second; `page` has the lab's page open on it, in a headless Chromium, with
the lab's server beside it. Each stops after `--warm` steps until its watcher is there, then times
the rest by the clock on the wall: looks, tellings, evaluations and saves all count. `page` is left
out where Playwright or Chromium is not installed.

The page and the lab compute too. On a machine with no core to spare they take the training's time,
whatever the training does. What the training itself does more shows in the second figure, the
processor time that its process took, which a busy machine blurs less.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rounds import machine, rotated, spread

from convscope.runs.live_files import Live

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CONVSCOPE_DATA", ROOT.parent / "shared" / "data" / "mnist"))
CLAIM = 1.05
CHILD = """
import json, sys, time
import convscope
from convscope.device import keep_freed_memory
from convscope.training.callbacks.base import Callback

out, warm, words = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])

class Clock(Callback):
    def on_step_end(self, state, event):
        if event.step == warm:
            print("warm", flush=True)
            sys.stdin.readline()
            self.began = time.perf_counter(), time.process_time()
        elif event.step == words["steps"]:
            print(time.perf_counter() - self.began[0], time.process_time() - self.began[1])
            sys.stdout.flush()
            raise SystemExit

keep_freed_memory()
convscope.train(words.pop("data"), out=out, callbacks=[Clock()], **words)
"""

Watching = Callable[[Path], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def nobody(_run: Path) -> Generator[None]:
    yield


@contextlib.contextmanager
def touching(run: Path) -> Generator[None]:
    """Say that somebody looks, twice a second."""
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(0.5):
            Live(run).watch()

    Live(run).watch()
    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def pages(runs: Path, chromium: str | None) -> Generator[Watching]:
    """A lab over a folder, and a browser; what they give opens the page of a run."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- not everybody has it

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["lab", "--runs", runs, "--no-open", "--port", str(port)]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "convscope", *words], stdout=subprocess.DEVNULL
        ) as lab,
        contextlib.ExitStack() as ending,
        sync_playwright() as play,
    ):
        ending.callback(lab.terminate)  # also where the browser does not start
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = play.chromium.launch(executable_path=chromium, args=arguments)
        _wait_for(f"http://127.0.0.1:{port}/train")

        @contextlib.contextmanager
        def open_page(run: Path) -> Generator[None]:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/train/{run.name}")
            page.wait_for_timeout(5000)  # its charts are drawn
            if not Live(run).is_watched():
                raise SystemExit(f"the page of {run.name} watches nothing")
            yield
            page.close()

        try:
            yield open_page
        finally:
            browser.close()


def _wait_for(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address).close()  # noqa: S310 -- our own
            return
        time.sleep(0.1)
    raise SystemExit(f"{address} does not answer")


def timed(run: Path, watching: Watching, args: argparse.Namespace) -> tuple[float, float]:
    """Milliseconds per step of one training: by the clock, and of processor time."""
    words: dict[str, Any] = {"data": "digits", "steps": args.steps, "device": args.device}
    if args.data.exists():
        words |= {"data": "mnist", "data_dir": str(args.data.resolve())}
    if args.threads:
        words["threads"] = args.threads
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, run, str(args.warm), json.dumps(words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        if child.stdin is None or child.stdout is None or child.stdout.readline() != "warm\n":
            raise SystemExit("the training failed")
        with watching(run):
            child.stdin.write("\n")
            child.stdin.flush()
            wall, processor = map(float, child.stdout.readline().split())
    share = 1000 / (args.steps - args.warm)
    return wall * share, processor * share


def main(args: argparse.Namespace) -> None:
    names = args.only or ["alone", "watched", "page"]
    if "page" in names and importlib.util.find_spec("playwright") is None:
        print("page is left out: Playwright is not installed")
        names.remove("page")
    steps: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    print(machine())
    with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        runs = Path(folder)
        watching: dict[str, Watching] = {"alone": nobody, "watched": touching}
        if "page" in names:
            watching["page"] = stack.enter_context(pages(runs, args.chromium))
        for turn in range(args.rounds):
            for name in rotated(names, turn):
                steps[name].append(timed(runs / f"{name}-{turn}", watching[name], args))
                wall, processor = steps[name][-1]
                line = f"{wall:7.3f} ms a step, {processor:7.3f} of processor time"
                print(f"round {turn + 1}   {name:8} {line}", flush=True)
    for place, what in enumerate(("by the clock", "of processor time")):
        report(what, {name: [pair[place] for pair in steps[name]] for name in names})


def report(what: str, steps: dict[str, list[float]]) -> None:
    """A line for each contender, and its ratio to `alone` in the same round."""
    print(f"\nms a step {what}")
    for name, taken in steps.items():
        line = f"{name:8} {spread(taken, '.3f')}"
        if name != "alone" and "alone" in steps:
            ratios = [own / alone for own, alone in zip(taken, steps["alone"], strict=True)]
            held = "within" if statistics.median(ratios) <= CLAIM else "above"
            line += f"   {name} / alone {spread(ratios, '.3f')}, {held} {CLAIM:g}"
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="folder of MNIST's four files; else digits")
    add("--rounds", type=int, default=6)
    add("--only", nargs="+", choices=("alone", "watched", "page"), help="these contenders alone")
    add("--steps", type=int, default=1600)
    add("--warm", type=int, default=50, help="steps before the clock starts")
    add("--threads", type=int, help="default one per core, as PyTorch has it")
    add("--device", default="cpu")
    add("--chromium", help="a Chromium of the system's; default Playwright's own")
    main(parser.parse_args())
