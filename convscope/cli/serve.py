"""`convscope serve`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.options import SEVERAL, Flag, Int, Threads
from convscope.data.unreadable import MAX_PIXELS
from convscope.serving.api import serve as serve_folder
from convscope.serving.explaining import run_to_explain
from convscope.serving.settings import PORT, ServeSettings
from convscope.words.screen import Screen


def serve(
    run: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: Int = PORT,
    token_file: Path | None = None,
    allowed_hosts: Annotated[tuple[str, ...], SEVERAL] = (),
    name: str | None = None,
    engine: str = "auto",
    threads: Threads = None,
    workers: Int = 1,
    max_batch_size: Int = 8,
    max_delay: float = 2.0,
    queue_size: Int = 128,
    timeout: float = 10.0,
    max_images: Int = 32,
    max_body: Int = 32,
    max_pixels: Int = MAX_PIXELS,
    drain: Int = 20,
    explain: Flag = False,
    access_log: Annotated[bool, Parameter(negative="--no-access-log", show_default=False)] = True,
) -> None:
    """Classify images over HTTP, without PyTorch.

    Parameters
    ----------
    run
        A folder that export wrote, or a run, which is exported first.
    host
        Address to listen on. If it can be reached from other machines, a token is required.
    port
        Port to listen on.
    token_file
        File with the token that requests must carry; else that of the variable CONVSCOPE_TOKEN, if
        it is set.
    allowed_hosts
        Further names by which clients call the server, as behind a proxy: NAME or NAME:PORT.
    name
        What clients of the Open Inference Protocol call the network; by default as its export.
    engine
        Which engine computes: onnxruntime, openvino, or auto, the fastest of those installed.
    threads
        Threads of the engine of each process; by default the processors, divided among them.
    workers
        Processes that answer. One that dies is replaced.
    max_batch_size
        Images that are computed together at most.
    max_delay
        Milliseconds for which an image waits for others that are on their way.
    queue_size
        Images that wait at most, in each process; beyond it, requests are refused with 503.
    timeout
        Seconds within which a request is answered; beyond it, the answer is 504.
    max_images
        Images of a request.
    max_body
        Megabytes of a request.
    max_pixels
        Pixels of an image; one whose header states more is refused before it is decoded.
    drain
        Seconds for which requests that have begun may go on when the server is told to end.
    explain
        Answer POST /explain, too: the heat map of an image and the largest terms of its class. It
        needs the run and PyTorch, which the first such request imports.
    access_log
        Log each request, as a line of JSON on standard output.
    """
    settings = ServeSettings(
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        name=name,
        engine=engine,
        threads=threads,
        workers=workers,
        max_batch_size=max_batch_size,
        max_delay=max_delay,
        queue_size=queue_size,
        timeout=timeout,
        max_images=max_images,
        max_body=max_body,
        max_pixels=max_pixels,
        drain=drain,
        access_log=access_log,
        explain=str(run_to_explain(run.expanduser())) if explain else None,
    )
    screen = Screen(stderr=True)
    if status := serve_folder(run, settings, token_file=token_file, say=screen.say):
        sys.exit(status)
