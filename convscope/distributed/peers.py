"""What processes tell each other beside their tensors: who they are, and what went wrong.

They write it into PyTorch's key-value store, which still answers where a process is gone and no
collective operation can end.
"""

import os
import socket
import time
from collections.abc import Sequence
from datetime import timedelta

from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from convscope.distributed.launch import TIME_LIMIT, Launch
from convscope.errors import LostProcessError, WorkError

_POLL = 0.05  # seconds between two looks into the store
_MOMENT = 1.0  # seconds by which processes differ that come to the same end
_DIFFERENCE = 5.0  # seconds by which their time limits may end apart
_GRACE = 2.0  # seconds in which those that are alive say so


class Peers:
    """The store of the processes of one attempt, and of one task of them.

    Args:
        task: the number of the task, for a program that trains more than once.
    """

    def __init__(self, launch: Launch, task: int) -> None:
        self.launch = launch
        host, port = launch.address
        is_master = launch.rank == 0 and not launch.hosted
        limit = timedelta(seconds=launch.seconds)
        try:
            store = TCPStore(
                host,
                port,
                launch.size,
                is_master=is_master,
                timeout=limit,
                wait_for_workers=False,
                multi_tenant=True,
            )
        except RuntimeError as error:
            what = "could not listen" if is_master else "could not be reached"
            raise WorkError(
                f"{host}:{port}, where the {launch.size} processes meet, {what} from rank "
                f"{launch.rank} within {launch.seconds:g} s ({_first_line(error)})."
            ) from error
        self.store: Store = PrefixStore(f"convscope/{launch.attempt}/{task}", store)
        self.publish(f"who/{launch.rank}", f"{socket.gethostname()}, process {os.getpid()}")

    def publish(self, name: str, text: str = "") -> None:
        """Tell something to whoever asks for `name`."""
        self.store.set(name, text)

    def ask(self, name: str) -> str | None:
        """What was published as `name`; None if nothing was."""
        return self.store.get(name).decode() if self.store.check([name]) else None

    def wait_for(self, name: str, ranks: Sequence[int], doing: str) -> None:
        """Wait until some processes have published `name/RANK`.

        While one that has not yet publishes `name/at/RANK` again and again, there is no time limit.

        Raises LostProcessError, naming those that have not in time, or that failed.
        """
        seconds, since, seen = self.launch.seconds, time.monotonic(), [""]
        while missing := [rank for rank in ranks if self.ask(f"{name}/{rank}") is None]:
            if failure := self.failure():
                raise failure
            now = [self.ask(f"{name}/at/{rank}") or "" for rank in missing]
            if now != seen:
                since, seen = time.monotonic(), now
            if time.monotonic() - since > seconds:
                raise LostProcessError(
                    f"{self._named(missing)} did not come {doing} within {seconds:g} s "
                    f"({TIME_LIMIT} changes that)."
                )
            time.sleep(_POLL)

    def meet(self, name: str, doing: str) -> None:
        """Wait until every process is here. Raises as `wait_for`."""
        self.publish(f"{name}/{self.launch.rank}")
        self.wait_for(name, range(self.launch.size), doing)

    def fail(self, text: str) -> bool:
        """Tell the others why this process ends; whether rank 0 tells the same within a moment."""
        self.publish(f"failed/{self.launch.rank}", text)
        until = time.monotonic() + _MOMENT
        while self.launch.rank and time.monotonic() < until:
            if (first := self.ask("failed/0")) is not None:
                return first == text
            time.sleep(_POLL)
        return False

    def end(self) -> None:
        """Let the others read on for a moment, where the store ends with this process."""
        self.publish(f"over/{self.launch.rank}")
        if self.launch.rank == 0 and not self.launch.hosted:
            until = time.monotonic() + _GRACE
            names = [f"over/{rank}" for rank in range(self.launch.size)]
            while time.monotonic() < until and not all(
                self.ask(name) is not None for name in names
            ):
                time.sleep(_POLL)

    def failure(self) -> LostProcessError | None:
        """The first failure that another process has told of."""
        for rank in range(self.launch.size):
            if rank != self.launch.rank and (text := self.ask(f"failed/{rank}")) is not None:
                error = LostProcessError(f"{self._named([rank])} failed: {text}")
                error.is_told = self.launch.rank != 0  # by rank 0, as this one
                return error
        return None

    def lost(self, error: Exception, doing: str) -> LostProcessError:
        """Find out who is missing after a collective operation failed or was not ended in time."""
        rank, others = self.launch.rank, set(range(self.launch.size)) - {self.launch.rank}
        seconds, text = self.launch.seconds, _first_line(error)
        is_late = "imed out" in text or "imeout" in text
        try:
            self.publish(f"alive/{rank}")
            until = time.monotonic() + (_DIFFERENCE if is_late else _GRACE)
            while others and time.monotonic() < until:
                if failure := self.failure():
                    return failure
                others -= {other for other in others if self.ask(f"alive/{other}") is not None}
                time.sleep(_POLL)
            who, is_told = self._named(sorted(others)), rank != 0 and 0 not in others
        except RuntimeError:  # the store is gone with the process that held it
            who, is_told = self._named([0], known=False), False
        if not others:
            what = f"The {self.launch.size} processes lost each other {doing}: {text}"
        elif is_late:
            what = (
                f"{who} did not answer within {seconds:g} s {doing}: it hangs, or its machine does "
                f"not answer ({TIME_LIMIT} changes how long to wait)."
            )
        else:
            what = f"{who} ended without a word {doing}: it was killed, or its memory was used up."
        lost = LostProcessError(what)
        lost.is_told = is_told
        return lost

    def _named(self, ranks: Sequence[int], *, known: bool = True) -> str:
        size = self.launch.size
        texts = [
            f"{rank} of {size}"
            + (f" ({who})" if known and (who := self.ask(f"who/{rank}")) else "")
            for rank in ranks
        ]
        return f"{'Rank' if len(texts) == 1 else 'Ranks'} {' and '.join(texts)}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
