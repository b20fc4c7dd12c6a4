"""Passes over the micro-batches of a thread: learning, in one piece or in segments, and looking."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from convscope.lanes.ir import Function, Index, Target
from convscope.lanes.loss import FACTOR, LABELS, LOSS, NUM_CORRECT
from convscope.lanes.pointwise import SEED
from convscope.lanes.writing import Code

FLOATS = (
    "factor", "label_smoothing", "all", "lr", "momentum", "weight_decay", "clip", "bias1", "bias2",
)  # fmt: skip
FIELDS = (
    "workspaces", "parameters", "gradients", "images", "steps", "labels", "scales", "weights",
    "lr_scales", "first", "second", "norms", "logits",  # addresses
    "batch", "threads", "workspace", "gradient", "count", "seed",  # whole numbers
    *FLOATS,
    "kept", "apart", "running", "momenta",
)  # fmt: skip
"""The arguments of a step, each in 8 bytes: addresses, sizes in floats, and numbers."""
_AT = {name: position for position, name in enumerate(FIELDS)}


class Entry(Function):
    """A function of the context and the number of the thread."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name, target)
        self.arguments = ("ptr noalias %ctx", "i64 %thread")

    def field(self, name: str, kind: str = "i64") -> str:
        position = self.value(f"getelementptr i64, ptr %ctx, i64 {_AT[name]}")
        return self.value(f"load {kind}, ptr {position}, align 8")

    def part(self, count: str, thread: str, threads: str) -> str:
        """Where the part of a thread begins."""
        return self.value(f"sdiv i64 {self.value(f'mul i64 {count}, {thread}')}, {threads}")

    def own(self, base: str, size: str) -> str:
        """The thread's own piece of an array."""
        return self.at(base, self.value(f"mul i64 %thread, {size}"))

    def slice(self) -> tuple[str, str]:
        """The parameters that this thread folds and updates: from, to, in whole vectors."""
        lanes = self.target.lanes
        count, threads = self.field("count"), self.field("threads")
        vectors = self.value(f"sdiv i64 {self.add(count, lanes - 1)}, {lanes}")
        after = self.value("add i64 %thread, 1")
        low, high = (
            self.times(self.part(vectors, one, threads), lanes) for one in ("%thread", after)
        )
        return str(low), str(high)


class Pass(Entry):
    """What a pass over a thread's micro-batches needs."""

    def __init__(self, name: str, target: Target, code: Code) -> None:
        super().__init__(name, target)
        self.code = code
        self.ws = self.own(self.field("workspaces", "ptr"), self.field("workspace"))
        self.gradients = self.own(self.field("gradients", "ptr"), self.field("gradient"))
        parameters = self.field("parameters", "ptr")
        self.usual = f"ptr {self.ws}, ptr {parameters}, ptr {self.gradients}"
        self.kept = "null"
        self.touching_kept = code.touching_kept

    def call(self, *names: str, more: str = "") -> None:
        for name in names:
            kept = f", ptr {self.kept}" if name in self.touching_kept else ""
            self.write(f"call void @{name}({self.usual}{more}{kept})")

    def keep_at(self, number: Index) -> None:
        """From now on functions are given what micro-batch `number` keeps."""
        apart = self.value(f"mul i64 {self.field('apart')}, {number}")
        self.kept = self.at(self.field("kept", "ptr"), apart)

    def open(self, names: Sequence[str]) -> None:
        """Call functions that read the sums of all micro-batches."""
        if not names:
            return
        pointers = ("running", "momenta", "kept")
        more = "".join(f", ptr {self.field(name, 'ptr')}" for name in pointers)
        numbers = (self.field("apart"), self.pieces(), self.field("batch"), "%thread")
        self.call(*names, more=more + "".join(f", i64 {number}" for number in numbers))

    def pieces(self) -> str:
        """The number of micro-batches."""
        lanes = self.target.lanes
        return self.value(f"sdiv i64 {self.add(self.field('batch'), lanes - 1)}, {lanes}")

    def mine(self) -> tuple[str, str]:
        """The first of the thread's micro-batches, and the first that is another's."""
        threads, pieces = self.field("threads"), self.pieces()
        after = self.value("add i64 %thread, 1")
        return self.part(pieces, "%thread", threads), self.part(pieces, after, threads)

    def loss(self) -> str:
        """What the loss is given beside the usual."""
        return (
            f", ptr {self.field('weights', 'ptr')}, "
            f"float {self.field('label_smoothing', 'float')}, float {self.field('all', 'float')}"
        )

    def begin(self) -> None:
        """Zeros for the sums of a step, and what is done before its micro-batches."""
        for vector in (LOSS, NUM_CORRECT):
            self.store(self.constant(0), self.at(self.ws, 0, vector * self.target.lanes))
        with self.loop(self.field("gradient"), step=self.target.lanes) as i:
            self.store(self.constant(0), self.at(self.gradients, i), align=4)
        self.call(*self.code.before)

    @contextmanager
    def fed(self, kept: Index | None = None) -> Generator[Index]:
        """A loop over the thread's micro-batches, each with its images in the workspace.

        What is kept of it goes to its own memory, or to that of micro-batch `kept`.
        """
        batch, threads = self.field("batch"), self.field("threads")
        pieces = self.value(
            f"sdiv i64 {self.add(batch, self.target.lanes - 1)}, {self.target.lanes}"
        )
        low = self.part(pieces, "%thread", threads)
        high = self.part(pieces, self.value("add i64 %thread, 1"), threads)
        feed = "".join(
            f", ptr {self.field(name, 'ptr')}" for name in ("images", "steps", "labels", "scales")
        )
        factor, seed = self.field("factor", "float"), self.field("seed", "i32")
        with self.loop(high, start=low) as piece:
            if self.code.kept_size:
                self.keep_at(piece if kept is None else kept)
            more = f"{feed}, i64 {piece}, i64 {batch}, float {factor}, i32 {seed}"
            self.call("feed", more=more)
            yield piece


class Work(Pass):
    """Zeros, then forward, loss and backward for each of the thread's micro-batches."""

    def __init__(self, target: Target, code: Code) -> None:
        super().__init__("work", target, code)
        self.begin()
        loss = self.loss()
        with self.fed():
            self.call(*code.forward)
            self.call("loss", more=loss)
            self.call(*code.backward)
        self.call(*code.after)


class Segment(Pass):
    """One of the pieces of `Work` between which all threads wait for each other.

    What a micro-batch keeps begins with its head, without the losses, which the thread adds up.
    Every other segment takes them in reverse: the last ones' memory is still in the cache.
    """

    def __init__(self, number: int, target: Target, code: Code) -> None:
        super().__init__(f"work{number}", target, code)
        if number == 0:
            self.begin()
        self.open(code.openings[number])
        self.call(*code.starts[number])
        loss = self.loss()
        loop = self.fed() if number == 0 else self.returned(reverse=number % 2 == 1)
        with loop:
            for vector in (FACTOR, LABELS, SEED):
                self._carry(vector, out=number == 0)
            for name in code.segments[number]:
                self.call(name, more=loss if name == "loss" else "")
        self.call(*code.ends[number])
        if number == len(code.segments) - 1:
            self.call(*code.after)

    @contextmanager
    def returned(self, *, reverse: bool) -> Generator[Index]:
        """A loop over the thread's micro-batches, which have been fed before."""
        low, high = self.mine()
        last = self.value(f"sub i64 {self.add(low, high)}, 1")
        with self.loop(high, start=low) as turn:
            piece = self.value(f"sub i64 {last}, {turn}") if reverse else turn
            self.keep_at(piece)
            yield piece

    def _carry(self, vector: int, *, out: bool) -> None:
        """A vector of the head, to what the micro-batch keeps, or back."""
        lanes = self.target.lanes
        here, there = (self.at(base, 0, vector * lanes) for base in (self.ws, self.kept))
        source, dest = (here, there) if out else (there, here)
        self.store(self.load(source), dest)


class Look(Pass):
    """Forward alone, with nothing dropped; the logits go to where the context says."""

    def __init__(self, target: Target, code: Code) -> None:
        super().__init__("look", target, code)
        lanes, (start, classes) = target.lanes, code.logits
        logits = self.field("logits", "ptr")
        self.call(*code.before)
        if code.openings_at_rest:
            self.open(code.openings_at_rest)
        with self.fed("%thread") as piece:
            self.call(*(code.at_rest.get(name, name) for name in code.forward))
            position = self.at(logits, self.times(piece, classes * lanes))
            with self.loop(classes) as c:
                found = self.load(self.at(self.ws, self.times(c, lanes), start * lanes))
                self.store(found, self.at(position, self.times(c, lanes)), align=4)
