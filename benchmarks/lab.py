"""How fast the lab answers a request for a unit's arithmetic, and how much memory it holds.

    python benchmarks/lab.py --network resnet50 --units 200 --passes 1000

Requests are timed at a client on 127.0.0.1, as the page sends them. No other program explains a
unit, so there is no peer; the program prints the share of requests within the page's budget.
"""

import argparse
import http.client
import json
import random
import resource
import statistics
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
from rounds import machine, spread

from convscope.http_server.listening import free_port
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.launch import fill
from convscope.webapp.server import make_app


@contextmanager
def serving(store: ModelStore):
    """The lab's server in a thread; its port."""
    listening, port = free_port("127.0.0.1", 18700)
    app = make_app(store, TrainingJobs(Path("runs")), hosts=frozenset({f"127.0.0.1:{port}"}))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()


def timed(port: int, path: str) -> tuple[float, bytes]:
    """Milliseconds from the request to the last byte of its answer."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
    return 1000 * (time.perf_counter() - begin), body


def resident() -> float:
    """Resident memory of the process in megabytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def units(store: ModelStore, name: str, count: int) -> None:
    model = store.model(name)
    image = next(iter(model.recorded))
    rng = random.Random(0)  # noqa: S311 -- units, not secrets
    with serving(store) as port:
        page = [timed(port, f"/api/networks/{name}/images/{image}/thumbnails")[0] for _ in range(5)]
        taken: list[float] = []
        for _ in range(count):
            row = rng.choice(model.rows[1:])
            at = ",".join(str(rng.randrange(side)) for side in row.shape)
            taken.append(
                timed(port, f"/api/networks/{name}/images/{image}/units/{row.name}/{at}")[0]
            )
        rows = json.loads(timed(port, f"/api/networks/{name}")[1])["rows"]
    within = sum(ms < 40 for ms in taken) / len(taken)
    print(f"{name}: {len(rows)} rows; all thumbnails {spread(page, '.0f')} ms")
    print(f"a unit's arithmetic {spread(taken, '.1f')} ms; {within:.0%} of {count} within 40 ms")
    print(f"99th of a hundred: {statistics.quantiles(taken, n=100)[98]:.1f} ms")


def passes(store: ModelStore, name: str, count: int) -> None:
    """The memory of the process while images are added and dropped."""
    model = store.model(name)
    height, width = model.card.input_size
    rng = np.random.default_rng(0)
    marks: list[tuple[int, float]] = []
    for number in range(1, count + 1):
        pixels = rng.integers(0, 256, (height, width, model.card.in_channels), dtype=np.uint8)
        store.add(model, f"noise {number}", pixels)
        if number in (count // 10, count // 4, count // 2, count):
            marks.append((number, resident()))
    sizes = ", ".join(f"{megabytes:.0f} MB after {number}" for number, megabytes in marks)
    print(f"{name}: {sizes}; {len(model.recorded)} images kept")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--network", default="resnet50")
    options.add_argument("--units", type=int, default=200)
    options.add_argument("--passes", type=int, default=1000)
    options.add_argument("--passes-of", default="resnet20_cifar")
    chosen = options.parse_args()
    print(machine())
    store = ModelStore()
    fill(store, [chosen.network], [])
    units(store, chosen.network, chosen.units)
    fill(store, [chosen.passes_of], [])
    passes(store, chosen.passes_of, chosen.passes)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
