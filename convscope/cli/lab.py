"""`convscope lab`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.messages import in_flags
from convscope.cli.options import SEVERAL, ClassNames, Flag, Int, Mean, OptionalInt, Std, Trust
from convscope.errors import RequestError
from convscope.webapp.entrance import first_network
from convscope.webapp.lab import make_server
from convscope.webapp.launch import PORT, apart, open_in_browser
from convscope.webapp.page_file.api import MAX_SIZE, save_lab
from convscope.words.screen import Screen


def lab(
    *networks: str,
    static: Path | None = None,
    max_size: float = MAX_SIZE,
    image: Annotated[tuple[Path, ...], SEVERAL] = (),
    weights: str | None = None,
    pretrained: Flag = False,
    in_channels: OptionalInt = None,
    input_size: OptionalInt = None,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    trust: Trust = False,
    runs: Path = Path("runs"),
    data: Annotated[tuple[str, ...], SEVERAL] = (),
    max_memory: float | None = None,
    host: str = "127.0.0.1",
    port: Int = PORT,
    open: Annotated[bool, Parameter(negative="--no-open", show_default=False)] = True,  # noqa: A002
) -> None:
    """Open a web page to inspect networks, train, compare runs and learn.

    Parameters
    ----------
    networks
        Run folders, network names, layer tables, files of Keras or ConvNetJS, or your own code as
        module:attr; by default LeNet-5, trained on digits once. Image files may stand here too.
    static
        Instead of a server, write one HTML file with the screens of a network and its images, which
        opens from disk.
    max_size
        Largest size of that file in MB.
    image
        Image files to start with; by default a few samples.
    weights
        Pretrained weights for named networks, as in train: a file, a URL, torchvision:resnet50.
    pretrained
        Take the published weights of the named networks, as in train.
    in_channels
        Input channels of networks that are named; by default their own.
    input_size
        Side of the square that images are brought to, in pixels; by default the network's own, or
        the first usual size that it takes.
    runs
        The folder whose runs the page lists and where it creates new ones.
    data
        Folders or CSV files of labeled images that the page can train on, in addition to the named
        data sets.
    max_memory
        Memory for the results of recorded images, in GB; by default an eighth of what is free. What
        does not fit is computed again where it is looked at.
    host
        Address to listen on. If it can be reached from other machines, a token is required, which
        is part of the printed URL.
    port
        Port to listen on; if it is in use, the next free one.
    open
        Open the page in the browser.
    """
    screen = Screen()
    subjects, images = apart(networks, image)
    if static is not None:
        _write(
            screen,
            static,
            subjects,
            images,
            max_size=max_size,
            weights=weights,
            pretrained=pretrained,
            in_channels=in_channels,
            input_size=input_size,
            class_names=class_names,
            mean=mean,
            std=std,
            trust=trust,
        )
        return
    server = make_server(
        subjects,
        trust=trust,
        images=images,
        weights=weights,
        pretrained=pretrained,
        in_channels=in_channels,
        input_size=input_size,
        class_names=class_names,
        mean=mean,
        std=std,
        runs=runs,
        data=data,
        max_memory=max_memory,
        host=host,
        port=port,
        say=lambda text: screen.say(in_flags(text)),
    )
    if server.port != port:
        screen.say(f"Port {port} is taken, perhaps by another lab; this one is on {server.port}.")
    screen.say(f"The lab is at {server.address}   (ctrl-C ends it)")
    if open:
        open_in_browser(server.address)
    server.run()


def _write(
    screen: Screen, output: Path, networks: Sequence[str], images: Sequence[Path], **how: Any
) -> None:
    """Write the screens of one network to a file, and say how much is in it."""
    networks = networks or [first_network(screen.say)]
    if len(networks) > 1:
        raise RequestError(
            "--static takes one network and its images. Example: `convscope lab --static page.html "
            "RUN photo.jpg`."
        )
    with ActivityProgress({"Layers": "layers", "Units": "%"}) as progress:
        page = save_lab(networks[0], output, image=images, on_progress=progress, **how)
    size = page.stat().st_size / 1_000_000
    screen.say(f"Wrote {page}: {size:.1f} MB. It opens in a browser, without the lab.")
