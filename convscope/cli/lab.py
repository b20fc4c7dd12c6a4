"""`convscope lab`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.options import SEVERAL, ClassNames, Flag, Int, Mean, Std, Trust
from convscope.webapp.lab import make_server
from convscope.webapp.launch import PORT, open_in_browser
from convscope.words.screen import Screen


def lab(
    *networks: str,
    image: Annotated[tuple[Path, ...], SEVERAL] = (),
    weights: str | None = None,
    pretrained: Flag = False,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    trust: Trust = False,
    runs: Path = Path("runs"),
    data: Annotated[tuple[str, ...], SEVERAL] = (),
    host: str = "127.0.0.1",
    port: Int = PORT,
    open: Annotated[bool, Parameter(negative="--no-open", show_default=False)] = True,  # noqa: A002
) -> None:
    """Open a web page to inspect networks, train, compare runs and learn.

    Parameters
    ----------
    networks
        Run folders, network names, layer tables, files of Keras or ConvNetJS, or your own code as
        module:attr; by default lenet5.
    image
        Image files to start with; by default a few samples.
    weights
        Pretrained weights for named networks, as in train: a file, a URL, torchvision:resnet50.
    pretrained
        Take the published weights of the named networks, as in train.
    runs
        The folder whose runs the page lists and where it creates new ones.
    data
        Folders or CSV files of labeled images that the page can train on, in addition to the named
        data sets.
    host
        Address to listen on. If it can be reached from other machines, a token is required, which
        is part of the printed URL.
    port
        Port to listen on; if it is in use, the next free one.
    open
        Open the page in the browser.
    """
    screen = Screen()
    server = make_server(
        networks,
        trust=trust,
        images=image,
        weights=weights,
        pretrained=pretrained,
        class_names=class_names,
        mean=mean,
        std=std,
        runs=runs,
        data=data,
        host=host,
        port=port,
    )
    if server.port != port:
        screen.say(f"Port {port} is taken, perhaps by another lab; this one is on {server.port}.")
    screen.say(f"The lab is at {server.address}   (ctrl-C ends it)")
    if open:
        open_in_browser(server.address)
    server.run()
