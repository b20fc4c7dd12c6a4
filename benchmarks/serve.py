"""Whether `convscope serve` adds little to decoding and engine, and beats a plain endpoint.

    python benchmarks/serve.py --models resnet18 --rounds 3

A network with random weights is exported. Then take turns, with the same JPEG and two cores:

- bare: a program without HTTP that decodes the file and runs the engine again and again, in the
  fastest of three ways: one engine with all threads, image by image or in batches of 8, and a
  process per core with one thread each; the next images are decoded beside it;
- ours: `convscope serve --workers CORES`;
- plain: an endpoint as tutorials have it: FastAPI, Pillow, NumPy and PyTorch,
  with and without `torch.set_num_threads(1)`; the faster counts.

The servers are asked over loopback by wrk (Debian: `apt-get install wrk`), by 16 connections, and
the load program takes its share of the same cores. All answers of the servers must be 200.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from rounds import environment, machine, rotated, spread

from convscope.card import Card

CONNECTIONS = 16
WRK = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "image/jpeg"
"""
BARE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from convscope.exported.classifier import open_classifier
from convscope.exported.pixels import fitted_pixels

folder, image, threads, way, seconds = sys.argv[1:]
data, classify = Path(image).read_bytes(), open_classifier(folder, threads=int(threads))
read = lambda _=None: fitted_pixels(data, classify.card)
batch, count = (8 if way == "batches" else 1), 0
with ThreadPoolExecutor(int(threads)) as pool:
    def start():
        return [pool.submit(read) for _ in range(batch)]
    classify(np.stack([one.result() for one in start()]))
    begin, ahead = time.perf_counter(), start()
    while time.perf_counter() - begin < float(seconds):
        pixels, ahead = [one.result() for one in ahead], start()
        classify(np.stack(pixels))
        count += batch
print(count / (time.perf_counter() - begin))
"""
PLAIN = """
import io, sys
import numpy as np
import torch, uvicorn
from fastapi import FastAPI, Request
from PIL import Image
import convscope

name, classes, size, port, threads = sys.argv[1:]
if threads != "0":
    torch.set_num_threads(int(threads))
net = convscope.create_model(name, num_classes=int(classes)).eval()
side = int(size)
mean, std = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))
app = FastAPI()

def prepare(image):
    scale = side / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), 2)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32)
    return torch.from_numpy((pixels / 255 - mean) / std).permute(2, 0, 1)

@app.post("/predict")
async def predict(request: Request):
    image = Image.open(io.BytesIO(await request.body())).convert("RGB")
    with torch.inference_mode():
        probabilities = net(prepare(image)[None]).softmax(1)[0]
    value, index = probabilities.max(0)
    return {"label": int(index), "probability": float(value)}

@app.get("/health")
def health():
    return {}

uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextmanager
def running(
    command: list[str], port: int, threads: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers, and is stopped while others are measured."""
    env = environment() | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env, start_new_session=True)
    try:
        wait_until_ready(port, process)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait(60)


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit("a server did not start")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(1)  # for the other workers
            return
    sys.exit("a server is not ready")


def load(process: subprocess.Popen[bytes], port: int, script: Path, body: Path, seconds: float):
    """Requests per second and the 99th percentile of the latency in ms."""
    os.killpg(process.pid, signal.SIGCONT)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "--timeout", "30s"]
    command += ["-s", str(script)]
    address = f"http://127.0.0.1:{port}/predict"
    try:
        said = subprocess.run(
            [*command, address], capture_output=True, text=True, check=True,
            env={**os.environ, "BODY": str(body)},
        ).stdout  # fmt: skip
    finally:
        os.killpg(process.pid, signal.SIGSTOP)
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"not every answer was 200:\n{said}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return rate, float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def bare(folder: Path, image: Path, cores: int, seconds: float) -> float:
    """Images per second, in the fastest way."""

    def start(threads: int, way: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BARE, str(folder), str(image), str(threads), way]
        return subprocess.Popen(
            [*command, str(seconds)], stdout=subprocess.PIPE, text=True, env=environment()
        )

    rates = []
    for group in ([(cores, "one")], [(cores, "batches")], [(1, "one")] * cores):
        processes = [start(*settings) for settings in group]
        rates.append(sum(float(process.communicate()[0]) for process in processes))
    return max(rates)


def compare(name: str, options: argparse.Namespace, folder: Path, image: Path) -> None:
    cores, size = options.cores, options.size
    exported = folder / name
    if not exported.exists():
        command = [sys.executable, "-m", "convscope", "export", name, "-o", str(exported)]
        command += ["--input-size", str(size), "--threads", str(cores)]
        subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    card = (exported / "card.json").read_text()
    classes = len(Card.from_json(card).classes)
    script = folder / "post.lua"
    script.write_text(WRK)
    ports = [free_port() for _ in range(3)]
    serve = [sys.executable, "-m", "convscope", "serve", str(exported), "--port", str(ports[0])]
    serve += ["--workers", str(cores), "--threads", "1"]

    def plain(port: int, threads: int) -> list[str]:
        return [sys.executable, "-c", PLAIN, name, str(classes), str(size), str(port), str(threads)]

    with (
        running(serve, ports[0], None) as ours,
        running(plain(ports[1], 0), ports[1], cores) as default,
        running(plain(ports[2], 1), ports[2], cores) as single,
    ):
        rates: dict[str, list[float]] = {"bare": [], "ours": [], "plain": []}
        slowest: dict[str, list[float]] = {"ours": [], "plain": []}
        for one in zip((ours, default, single), ports, strict=True):
            load(*one, script, image, 2)  # not counted
        for turn in range(options.rounds):
            for which in rotated(["bare", "ours", "plain"], turn):
                if which == "bare":
                    rates[which].append(bare(exported, image, cores, options.seconds))
                    continue
                pairs = (
                    [(ours, ports[0])]
                    if which == "ours"
                    else [(default, ports[1]), (single, ports[2])]
                )
                found = [load(*pair, script, image, options.seconds) for pair in pairs]
                rate, latency = max(found)
                rates[which].append(rate)
                slowest[which].append(latency)
    print(f"{name} at {size}, {image.stat().st_size >> 10} kB JPEG, {cores} cores")
    for which, values in rates.items():
        latencies = f", p99 {spread(slowest[which], '.0f')} ms" if which in slowest else ""
        print(f"  {which:6}{spread(values, '.1f')} images/s{latencies}")
    for other in ("bare", "plain"):
        ratios = [mine / its for mine, its in zip(rates["ours"], rates[other], strict=True)]
        print(f"  ours / {other} {spread(ratios)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet18"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--image", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the exported networks")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    image = options.image or Path(str(files("convscope.data") / "bundled" / "flower.jpg"))
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        for name in options.models:
            compare(name, options, folder, image)


if __name__ == "__main__":
    main()
