"""Time of the first `record` of a compiled network, beside that of the network itself.

    python benchmarks/record_compiled.py --rounds 5

Each measurement is a process of its own, which builds a small convolutional network, records
another one so that everything is imported, and then times its first recording: of the network as
it is, of `torch.compile(net)`, after `net.compile()`, and of a network with a compiled part. The
contenders take turns. Names and values must be those of the network itself.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings

import torch
from rounds import machine, rotated, spread
from torch import nn

from convscope.explanation.recording import record

CLAIM = 2.0
WAYS = ("eager", "torch.compile(net)", "net.compile()", "a compiled part")


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [
        layer
        for _ in range(20)
        for layer in (nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    ]
    return nn.Sequential(nn.Sequential(*layers)).eval()


def measure(way: str) -> None:
    """Print the milliseconds of the first recording in this process."""
    net, plain = network(), network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile's own imports
        if way == "torch.compile(net)":
            net = torch.compile(net)
        elif way == "net.compile()":
            net.compile()
        elif way == "a compiled part":
            net = nn.Sequential(torch.compile(net[0]))
    image = torch.randn(1, 16, 56, 56)
    expected = record(plain, image)
    began = time.perf_counter()
    recording = record(net, image)
    milliseconds = 1000 * (time.perf_counter() - began)
    if recording.names != expected.names:
        raise SystemExit(f"{way}: the names differ, {recording.names[:3]}")
    torch.testing.assert_close(
        recording[recording.output].tensor, expected[expected.output].tensor, rtol=0, atol=0
    )
    print(json.dumps(milliseconds))


def main(rounds: int) -> None:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in rotated(WAYS, turn):
            command = [sys.executable, __file__, "--measure", way]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            times[way].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{machine()}\n{rounds} rounds; ms of the first recording: median [min-max]\n")
    for way, milliseconds in times.items():
        ratio = [ms / base for ms, base in zip(milliseconds, times["eager"], strict=True)]
        print(f"{way:20}{spread(milliseconds, '.1f'):26}times eager {spread(ratio)}")
    print(
        f"\nClaim: the first recording of a compiled network takes at most {CLAIM} times as long."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.measure:
        measure(args.measure)
    else:
        main(args.rounds)
