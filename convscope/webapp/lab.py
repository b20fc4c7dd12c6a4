"""`convscope.lab`: the page, opened from Python."""

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from torch import nn

from convscope.errors import RequestError
from convscope.http_server.listening import check_port
from convscope.models import find_run
from convscope.webapp.entrance import first_network
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.launch import PORT, Server, fill, open_in_browser, require_extra
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.words import escape_html
from convscope.zoo.table_file import is_table

_END_SECONDS = 30.0  # for open requests


class Lab:
    """The page while it is served, in a thread of this process.

    It ends with the process, by `close()`, or at the end of a `with` block.

    Attributes:
        address: the page's URL.
    """

    def __init__(self, server: Server) -> None:
        self.address = server.address
        self._server = server
        self._thread = threading.Thread(target=server.run, name="convscope-lab", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Serve until an interrupt (Ctrl-C), as the command line does."""
        try:
            while self._thread.is_alive():
                self._thread.join(timeout=0.5)  # on Windows a longer wait cannot be interrupted
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """Stop serving. Trainings that the page started go on."""
        self._server.stop()
        self._thread.join(timeout=_END_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"The lab is at {self.address}   (close() ends it)"

    def _repr_html_(self) -> str:
        address = escape_html(self.address)
        return f'The lab is at <a href="{address}" target="_blank">{address}</a>'


def lab(
    *networks: str | Path | nn.Module,
    image: str | Path | Sequence[str | Path] = (),
    weights: str | None = None,
    pretrained: bool = False,
    in_channels: int | None = None,
    input_size: int | None = None,
    class_names: ClassNamesLike | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    trust: bool = False,
    runs: str | Path = "runs",
    data: str | Sequence[str] = (),
    max_memory: float | None = None,
    host: str = "127.0.0.1",
    port: int = PORT,
    open: bool = True,  # noqa: A002 -- the command line's word
) -> Lab:
    """Open a web page to inspect networks, train, compare runs and learn.

    Returns at once; the page is served in a thread until `close()`. A script that should stay calls
    `wait()`.

    Args:
        networks: run folders, names, layer tables, `module:attr`, or any `nn.Module`; by default
            LeNet-5, which is trained on the digits in a few seconds at the first start.
        image: files to start with; by default a few samples.
        weights: pretrained weights for named networks, as in `train`.
        pretrained: whether named networks have their published weights.
        in_channels: input channels of networks that are named, 1 or 3; by default their own.
        input_size: side of the square that images are brought to, in pixels; by default the
            network's own, or the first usual size that it takes.
        class_names, mean, std: as in `evaluate`, for networks or weights that say nothing of their
            classes and images.
        trust: whether the runs among `networks` may import the code of their own that they
            recorded, see `convscope.load`; of other runs, the page opens networks of own code only
            where this user made them on this machine.
        runs: the folder whose runs the page lists and where it creates new ones.
        data: folders or CSV files of labeled images that the page can train on, in addition to
            the named data sets.
        max_memory: for the results of recorded images, in GB; by default an eighth of the memory
            that is free. What does not fit is computed again where it is looked at.
        host: the address to listen on; one that other machines reach needs a token, which is part
            of `address`.
        port: the port to listen on; if it is in use, the next free one.
        open: open the page in the browser.

    Raises RequestError for a network or an image that cannot be opened, and if the extra `lab` is
    not installed.
    """
    images = [image] if isinstance(image, str | Path) else image
    sources = [data] if isinstance(data, str) else data
    server = make_server(
        networks,
        images=images,
        weights=weights,
        pretrained=pretrained,
        in_channels=in_channels,
        input_size=input_size,
        class_names=class_names,
        mean=mean,
        std=std,
        trust=trust,
        runs=runs,
        data=sources,
        max_memory=max_memory,
        host=host,
        port=port,
    )
    if open:
        open_in_browser(server.address)
    return Lab(server)


def make_server(
    networks: Sequence[str | Path | nn.Module],
    *,
    images: Sequence[str | Path],
    weights: str | None,
    pretrained: bool = False,
    in_channels: int | None = None,
    input_size: int | None = None,
    class_names: ClassNamesLike | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    trust: bool,
    runs: str | Path,
    data: Sequence[str],
    max_memory: float | None = None,
    host: str,
    port: int,
    say: Callable[[str], None] = print,
) -> Server:
    """Open the networks on the images, and prepare the page; see `lab`.

    `say` is told what takes time, and what cannot be opened where something else can.
    """
    require_extra()
    check_port(port)
    subjects = [str(one) if isinstance(one, Path) else one for one in networks]
    subjects = subjects or [first_network(say)]
    store = ModelStore(None if max_memory is None else _bytes(max_memory))
    opened = [Path(image) for image in images]
    fill(
        store,
        subjects,
        opened,
        weights=weights,
        pretrained=pretrained,
        in_channels=in_channels,
        input_size=input_size,
        class_names=class_names,
        settings=InputSettings(mean=mean, std=std),
        trust=trust,
        say=say,
    )
    names = [name for name in subjects if isinstance(name, str)]
    folders = [Path(name).expanduser() for name in names if find_run(name) is not None]
    jobs = TrainingJobs(
        Path(runs),
        runs=folders,
        trusted=folders if trust else [],
        data=data,
        models=[name for name in names if is_table(name) or (":" in name and not find_run(name))],
    )
    return Server(store, jobs, host=host, first_port=port)


def _bytes(gigabytes: float) -> int:
    if not 0 < gigabytes < math.inf:
        raise RequestError(f"`max_memory` is in GB and above 0, not {gigabytes:g}.")
    return int(gigabytes * 1e9)
