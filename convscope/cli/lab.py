"""`convscope lab`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.terminal import console
from convscope.lab.inspect.store import ModelStore
from convscope.lab.jobs.jobs import TrainingJobs
from convscope.lab.launch import PORT, fill, require_extra, serve
from convscope.zoo.table_file import is_table


def lab(
    *networks: str,
    image: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    weights: str | None = None,
    runs: Path = Path("runs"),
    data: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    host: str = "127.0.0.1",
    port: int = PORT,
    open: Annotated[bool, Parameter(negative="--no-open")] = True,  # noqa: A002
) -> None:
    """Open a page in which to look inside networks, to train, to compare, to learn.

    Parameters
    ----------
    networks
        Run folders, names of the zoo, layer tables, your own as module:attr; default lenet5.
    image
        Image files to begin with; default a few that are at hand.
    weights
        For networks of the zoo, as in train: torchvision:resnet50, a file, a URL.
    runs
        The folder whose runs the page lists, and in which it starts new ones.
    data
        Folders or CSVs of labeled images that can be trained on from the page, beside the named
        data sets.
    host
        The address to listen on. Others than this machine's own get a token, which the printed
        address carries.
    port
        The port to listen on; where it is taken, the next one that is free.
    open
        Open the page in the browser.
    """
    require_extra()
    screen = console()
    store = ModelStore()
    fill(store, networks or ("lenet5",), image, weights=weights)
    own = [Path(name) for name in networks if Path(name).is_dir()]
    models = [name for name in networks if is_table(name) or ":" in name]
    serve(
        store,
        TrainingJobs(runs, runs=own, data=data, models=models),
        host=host,
        port=port,
        open_page=open,
        say=lambda sentence: screen.print(sentence, markup=False),
    )
