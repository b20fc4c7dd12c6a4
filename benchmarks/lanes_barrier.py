"""Time what batch norm's barrier would cost `convscope.lanes`, with the arithmetic left as it is.

    python benchmarks/lanes_barrier.py --batches 32 128 --rounds 7

Batch norm needs the whole batch's mean and variance behind every convolution, and on the way back
two sums of the whole batch before each of them. Until they are known no micro-batch can go on. Here
the networks are without batch norm (`chain20` is ResNet-20 without it, the others its stages), and
the same compiled functions are called in three orders, by one thread:

    engine    as `convscope.lanes` does it: the whole network for one micro-batch, then the next
    apart     the same order, but every micro-batch has a workspace of its own
    barrier   the workspaces of `apart`, layer by layer: one layer for all micro-batches, then the
              next; where batch norm would wait, all have come so far
    tidying   what a step does before its micro-batches and after them, for all workspaces; it is
              part of the two above, and in the engine is done once

barrier / engine is what the barrier costs, barrier / apart what the order alone costs: volumes that
have left the cache until they are read again. Nothing that batch norm computes or keeps is in any
figure; nor is the update of the weights, which is the same for all.

Before anything is timed every order's loss must be PyTorch's within 1e-5, and its gradients within
1 % of a parameter's largest: a ReLU whose sum is nearly 0 may fall to either side. Gradients of
`engine` and `apart` must agree within 1e-5 of the largest, of `apart` and `barrier` to the bit. A
round's figure is the median of its steps, and ratios are taken within a round.
"""

import argparse
import ctypes
import re
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lanes import timed
from narrow_networks import NETWORKS
from numpy.typing import NDArray
from rounds import machine, rotated, spread
from torch import nn
from torch.nn import functional as F

from convscope.lanes.codegen import write_network
from convscope.lanes.engine import aligned
from convscope.lanes.frontend import read_network
from convscope.lanes.graph import Convolution, Node
from convscope.lanes.ir import Function, Target
from convscope.lanes.jit import Compiled, compile_module, host_target
from convscope.lanes.loss import LOSS, NUM_CORRECT
from convscope.lanes.passes import FIELDS
from convscope.lanes.plan import make_plan
from convscope.lanes.program import layer_offsets, offsets_of
from convscope.lanes.step import Rule, write_step
from convscope.lanes.writing import Code

ORDERS = ("apart", "barrier", "tidying")
_LABEL = {"work": "engine"}
_CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
_STAGE = re.compile(r"(?:forward|back|bias|weights|input)(\d+)")


def layers_of(code: Code, waits: set[int]) -> list[list[str]]:
    """The functions of a step in the groups between which batch norm would wait.

    A wait comes behind each of the convolutions `waits` (places of their results) on the way
    forward, and before each on the way back.
    """
    groups, now = [["feed"]], 0
    for name in code.forward:
        found = _STAGE.match(name)
        stage = int(found[1]) if found else now
        if now in waits and stage != now:
            groups.append([])
        now = stage
        groups[-1].append(name)
    groups[-1].append("loss")
    for name in code.backward:
        found = _STAGE.match(name)
        stage = int(found[1]) if found else now
        if stage in waits and stage != now:
            groups.append([])
        now = stage
        groups[-1].append(name)
    if len(groups) != 2 * len(waits) + 1:
        raise RuntimeError(f"{len(waits)} convolutions have {len(groups)} groups of functions.")
    return groups


class Order(Function):
    """Each group of functions for all micro-batches, each of which has its own workspace."""

    def __init__(self, name: str, target: Target, groups: Sequence[Sequence[str]]) -> None:
        super().__init__(name, target)
        self.arguments = ("ptr noalias %ctx", "i64 %thread")
        lanes, size = target.lanes, self._field("workspace")
        spaces, gradients = self._field("workspaces", "ptr"), self._field("gradients", "ptr")
        weights, self.batch = self._field("parameters", "ptr"), self._field("batch")
        pieces = self.value(f"sdiv i64 {self.add(self.batch, lanes - 1)}, {lanes}")
        names = ("images", "steps", "labels", "scales")
        self.feed = ", ".join(f"ptr {self._field(name, 'ptr')}" for name in names)
        self.rest = f"float {self._field('factor', 'float')}, i32 {self._field('seed', 'i32')}"
        self.loss = f"ptr {self._field('weights', 'ptr')}, " + ", ".join(
            f"float {self._field(name, 'float')}" for name in ("label_smoothing", "all")
        )
        with self.loop(self._field("gradient"), step=lanes) as i:
            self.store(self.constant(0), self.at(gradients, i), align=4)
        with self.loop(pieces) as piece:
            space = self.at(spaces, self.value(f"mul i64 {piece}, {size}"))
            for vector in (LOSS, NUM_CORRECT):
                self.store(self.constant(0), self.at(space, 0, vector * lanes))
        for group in groups:
            with self.loop(pieces) as piece:
                space = self.at(spaces, self.value(f"mul i64 {piece}, {size}"))
                for function in group:
                    more = self._more(function, str(piece))
                    given = f"ptr {space}, ptr {weights}, ptr {gradients}{more}"
                    self.write(f"call void @{function}({given})")

    def _field(self, name: str, kind: str = "i64") -> str:
        place = self.value(f"getelementptr i64, ptr %ctx, i64 {FIELDS.index(name)}")
        return self.value(f"load {kind}, ptr {place}, align 8")

    def _more(self, function: str, piece: str) -> str:
        """What the first and the last function are given beside the usual."""
        if function == "feed":
            return f", {self.feed}, i64 {piece}, i64 {self.batch}, {self.rest}"
        return f", {self.loss}" if function == "loss" else ""


class Chain:
    """A network's step on a batch in all orders, over the network's weights."""

    def __init__(self, net: nn.Module, shape: tuple[int, int, int], batch: int) -> None:
        self.net, self.target = net, host_target()
        nodes = read_network(net, shape)
        weights = [weight.detach().reshape(-1) for weight in net.parameters()]
        self.flat = torch.cat([*weights, torch.zeros(self.target.lanes)])
        self.code = write_network(
            nodes,
            layer_offsets(nodes, offsets_of(list(net.parameters()))[0]),
            self.target,
            row=shape[2] * shape[0],
        )
        self.compiled = self._compiled(nodes)
        self.calls = {name: _CALL(self.compiled.address(name)) for name in ("work", *ORDERS)}
        self.pixels = torch.randint(0, 256, (batch, *shape[1:], shape[0]), dtype=torch.uint8)
        self.labels = torch.randint(0, 10, (batch,))
        lanes = self.target.lanes
        self.size = -(-self.code.size * lanes // 1024) * 1024 + 1040
        self.spaces = -(-batch // lanes)
        self.memory = aligned(self.spaces * self.size)
        self.gradients = aligned(-(-len(self.flat) // 16) * 16)
        self.told = self._told(batch, shape[0], nodes[-1].shape[0])
        self.context = np.zeros(len(FIELDS), np.int64)
        for name, value in self.told.items():
            held = value.ctypes.data if isinstance(value, np.ndarray) else value
            place = FIELDS.index(name)
            if isinstance(held, float):
                self.context.view(np.float32)[2 * place] = held
            else:
                self.context[place] = held

    def _compiled(self, nodes: list[Node]) -> Compiled:
        code, stages = self.code, make_plan(nodes, lanes=self.target.lanes).stages
        waits = {
            value
            for value, stage in stages.items()
            if isinstance(stage.node, Convolution) and not stage.node.dense
        }
        layers = layers_of(code, waits)
        whole = [*code.before, *(name for layer in layers for name in layer), *code.after]
        orders = ([whole], [code.before, *layers, code.after], [code.before, code.after])
        text = write_step(code, self.target, Rule("sgd"))
        for name, groups in zip(ORDERS, orders, strict=True):
            text += Order(name, self.target, groups).text
        return compile_module(text)

    def _told(self, batch: int, channels: int, classes: int) -> dict[str, Any]:
        """What the functions read, by the names of `FIELDS`; with `work` the engine's own."""
        first = self.pixels.data_ptr()
        return {
            "workspaces": self.memory,
            "parameters": self.flat.numpy(),
            "gradients": self.gradients,
            "images": first + np.arange(batch, dtype=np.int64) * self.pixels[0].numel(),
            "steps": np.full(batch, channels, np.int64),
            "labels": self.labels.numpy(),
            "scales": np.array([[1 / 128, -1]] * channels, np.float32),
            "weights": np.ones(classes, np.float32),
            "batch": batch,
            "threads": 1,
            "workspace": self.size,
            "gradient": len(self.gradients),
            "factor": 1 / batch,
            "all": float(classes),
        }

    def run(self, order: str) -> float:
        """The loss; of "work", which is the engine's own order, and of the others."""
        self.calls[order](self.context.ctypes.data, 0)
        spaces = 1 if order == "work" else self.spaces
        heads = self.memory[: spaces * self.size].reshape(spaces, self.size)
        return float(heads[:, : self.target.lanes].sum())

    def agree(self) -> None:
        """Raise where an order's loss or gradients are not PyTorch's."""
        images = (self.pixels.float() / 128 - 1).permute(0, 3, 1, 2)
        wanted = F.cross_entropy(self.net(images), self.labels)
        wanted.backward()
        grads = [w.grad.reshape(-1).numpy() for w in self.net.parameters() if w.grad is not None]
        found: dict[str, NDArray[np.float32]] = {}
        for order in ("work", "apart", "barrier"):
            self.gradients[:] = np.nan
            np.testing.assert_allclose(self.run(order), wanted.item(), rtol=1e-5)
            found[order] = self.gradients[: sum(map(len, grads))].copy()
        largest = np.concatenate([np.full(len(one), np.abs(one).max()) for one in grads])
        engine, apart, theirs = found["work"], found["apart"], np.concatenate(grads)
        np.testing.assert_allclose(engine / largest, theirs / largest, rtol=0, atol=1e-2)
        np.testing.assert_allclose(engine / largest, apart / largest, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(apart, found["barrier"])


def measure(name: str, batch: int, given: argparse.Namespace) -> None:
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    chain = Chain(make(), shape, batch)
    chain.agree()
    rounds: dict[str, list[float]] = {one: [] for one in ("work", *ORDERS)}
    fastest = dict.fromkeys(rounds, float("inf"))
    for turn in range(given.rounds):
        for one in rotated(list(rounds), turn):
            found = timed(lambda one=one: chain.run(one), given.seconds)
            rounds[one].append(statistics.median(found))
            fastest[one] = min(fastest[one], *found)
    scratch = 4 * chain.size / 2**20
    print(f"\n{name}, {batch} images: {chain.spaces} micro-batches of {scratch:.1f} MiB")
    for one, own in rounds.items():
        line = f"  {_LABEL.get(one, one):8}{spread(own):26} fastest {fastest[one]:7.2f}"
        for base in list(rounds)[: list(rounds).index(one)]:
            ratios = [mine / theirs for mine, theirs in zip(own, rounds[base], strict=True)]
            line += f"; it / {_LABEL.get(base, base)} {spread(ratios)}"
            line += f", fastest {fastest[one] / fastest[base]:.2f}"
        print(line, flush=True)


def main(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    print(machine())
    print(f"{given.rounds} rounds, 1 thread; ms a step: median [min-max] of rounds")
    print(host_target())
    for name in given.networks:
        for batch in given.batches:
            measure(name, batch, given)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    covered = [name for name in NETWORKS if name != "resnet20_cifar"]  # it has batch norm
    usual = ["chain20", "stage16", "stage32", "stage64"]
    parser.add_argument("--networks", nargs="+", choices=covered, default=usual)
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one order in a round")
    main(parser.parse_args())
