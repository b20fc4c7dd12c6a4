"""One process that answers requests."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.http_server.connections import BACKLOG, LimitedServer
from convscope.serving.app import make_routes
from convscope.serving.logs import Log
from convscope.serving.metrics import Metrics
from convscope.serving.models import ServedModel, Signature, load_model, signature_of
from convscope.serving.service import Service, guarded
from convscope.serving.settings import ServeSettings

_POLL_SECONDS = 1.0


class _Server(LimitedServer):
    """A server whose signals are somebody else's business, and that says when it answers."""

    def when_started(self) -> None:
        """Replaced by its owner."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_started()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Worker:
    """Serves the network of a folder until it is told to end.

    Raises RequestError or WorkError for a network that cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        settings: ServeSettings,
        *,
        hosts: frozenset[str] | None,
        token: str | None,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._signature = signature_of(folder)
        model = self._load()
        self.log = Log()
        self.service = Service(model, settings, metrics=Metrics(), log=self.log)
        self._server = _Server(
            guarded(make_routes(self.service), self.service, hosts=hosts, token=token),
            limits=settings.limits,
            key="error",
            ending_seconds=settings.drain,
            ends_uploads=False,
            accepts=1 if settings.workers > 1 else BACKLOG,
        )
        self._is_asked = asyncio.Event()

    def run(self, listening: socket.socket, when_ready: Callable[[], None]) -> int:
        """Serve; the exit status: 0, or 1 if requests were cut off at the end."""
        try:
            asyncio.run(self._serve(listening, when_ready))
        finally:
            self.service.pipeline.close()
            self.log.write("stopped", requests_cut=self.service.num_cut)
            self.log.close()
        return int(self.service.num_cut > 0)

    def drain(self) -> None:
        """Finish the requests that have begun, take no others, and end."""
        if not self.service.is_draining:
            self.log.write("draining")
        self.service.is_draining = self._server.should_exit = True

    def reload(self) -> None:
        """Look for another network now, whether the folder has changed or not."""
        self._signature = None
        self._is_asked.set()

    def _load(self) -> ServedModel:
        settings = self._settings
        return load_model(
            self._folder,
            name=settings.name,
            engine=settings.engine,
            threads=settings.num_threads,
            batch_size=settings.max_batch_size,
        )

    async def _serve(self, listening: socket.socket, when_ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        watching = asyncio.create_task(self._watch())

        def when_started() -> None:
            model = self.service.pipeline.model
            self.log.write("ready", model=model.name, version=model.version)
            when_ready()

        self._server.when_started = when_started
        await self._server.serve(sockets=[listening])
        watching.cancel()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_asked.wait(), _POLL_SECONDS)
            self._is_asked.clear()
            signature = signature_of(self._folder)
            if signature is not None and signature != self._signature:
                await self._replace(signature)

    async def _replace(self, signature: Signature) -> None:
        """Serve what is in the folder now, if it is a network that answers as exported."""
        self._signature, service = signature, self.service
        try:
            model = await asyncio.to_thread(self._load)
        except ConvscopeError as error:
            service.metrics.reloads.labels("refused").inc()
            service.log.write(
                "reload refused", reason=str(error), version=service.pipeline.model.version
            )
            return
        service.pipeline.model = model
        service.metrics.reloads.labels("replaced").inc()
        service.log.write("reloaded", model=model.name, version=model.version)
