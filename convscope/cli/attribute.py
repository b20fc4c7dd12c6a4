"""`convscope attribute`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from convscope.attribution.api import RANDOM_ORDERS, attribute_opened, chosen_methods
from convscope.attribution.attributions import Attributions
from convscope.attribution.methods import MethodName, MethodOptions
from convscope.attribution.saving import check_output
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    NAMES,
    SEVERAL,
    ClassNames,
    Flag,
    Int,
    Json,
    Mean,
    Network,
    OptionalInt,
    OwnCode,
    Std,
    Trust,
)
from convscope.device import keep_freed_memory
from convscope.errors import RequestError, shell_word
from convscope.models import named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.weights.class_names import parse_class_names
from convscope.weights.preprocessing import InputSettings
from convscope.words import visible
from convscope.words.screen import Screen


def attribute(
    run: Network,
    /,
    *images: str,
    method: Annotated[tuple[MethodName | Literal["all"], ...], NAMES] = (),
    target: str | None = None,
    instead_of: str | None = None,
    layer: str | None = None,
    output: Annotated[tuple[Path, ...], SEVERAL, Parameter(alias="-o")] = (),
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
    steps: Int = 50,
    window: OptionalInt = None,
    stride: OptionalInt = None,
    lrp_rule: Literal["composite", "epsilon", "z-plus"] = "composite",
    random_orders: Int = RANDOM_ORDERS,
    random_weights: Annotated[bool, Parameter(show_default=False)] = True,
    model: OwnCode = None,
    trust: Trust = False,
    weights: str | None = None,
    pretrained: Flag = False,
    num_classes: OptionalInt = None,
    in_channels: OptionalInt = None,
    input_size: OptionalInt = None,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    json: Json = False,
) -> None:
    """Show which parts of images an answer rests on, and how far the picture can be trusted.

    Every map is tested: against random orders by deletion and insertion, and against the same
    network with random weights. `-o` writes the pictures.

    Parameters
    ----------
    images
        Image files, folders (with all images inside), or globs.
    method
        One or several; all leaves out those that the network refuses. Default: grad-cam, and with
        --instead-of hires-cam and gradient-x-input, which divide the difference exactly; of a box
        gradient-x-input and occlusion.
    target
        The class to explain, by name or index. Default: the top-1 class. Of a network that finds
        objects a number of a box, by the names of explain: box1.left, box1.score.
    instead_of
        Another class: explain why the target and not that one, by the difference of their logits.
    layer
        Whose maps grad-cam and its kin weigh, by the names of explain --list-layers. Default: the
        last convolution's, after its activation.
    output
        Files that end in .png, .svg, .html, .json or .npz (the maps as arrays), or a folder for a
        page, a PNG of each image and the facts.
    baseline
        What stands for pixels that are taken away: the card's mean color, black, white, or the
        image itself, blurred.
    steps
        Of integrated-gradients.
    window
        Of occlusion: the side of what is covered, in pixels of the network's input. Default: an
        eighth of the shorter side.
    stride
        Of occlusion. Default: half the window.
    lrp_rule
        Of lrp: how relevance is divided among the terms of a sum.
    random_orders
        How many random orders a map is compared with; 0 leaves out deletion and insertion.
    random_weights
        Whether the map is computed again with random weights.
    weights
        For a model of the zoo, as in train: torchvision:resnet50, a file, a URL.
    pretrained
        For a network that is not a run: its published weights, as in train.
    num_classes
        Outputs of a network that is named; by default its own.
    in_channels
        Input channels of a network that is named; by default its own.
    input_size
        Side of the square that images are brought to, in pixels; by default the network's own.
    """
    for path in output:
        check_output(path)
    if not images:
        raise RequestError(
            "attribute takes a network and images. Example: `convscope attribute RUN photo.jpg -o "
            "page.html`."
        )
    methods = chosen_methods(method or None, is_contrast=instead_of is not None, target=target)
    keep_freed_memory()
    screen = Screen(stderr=json)
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        settings=InputSettings(mean=mean, std=std),
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    with _progress() as on_progress:
        found = attribute_opened(
            opened,
            images,
            methods=methods,
            leave_out="all" in method,
            target=target,
            instead_of=instead_of,
            options=MethodOptions(
                layer=layer,
                baseline=baseline,
                steps=steps,
                window=window,
                stride=stride,
                lrp_rule=lrp_rule,
            ),
            random_orders=random_orders,
            random_weights=random_weights,
            on_progress=on_progress,
        )
    _print_facts(screen, found)
    for path in output:
        for written in found.save(path):
            screen.say(f"Wrote {written}.")
    if json:
        print_json(found.to_dict())
    elif not output:
        words = " ".join(map(shell_word, (run, *images)))
        screen.say(f"Next:  convscope attribute {words} -o attribution.html   (the pictures)")


def _print_facts(screen: Screen, found: Attributions) -> None:
    for text in found.cautions:
        screen.say(in_flags(text))
        screen.say()
    for image in found:
        screen.print(f"[bold]{_plain(image.caption)}[/bold]")
        for each in image.maps.values():
            screen.say(f"  {each.title}: largest value at row {each.peak[0]}, column "
                       f"{each.peak[1]} of the network's input")  # fmt: skip
            for line in each.facts:
                screen.say(f"    {in_flags(line)}")
        screen.say()
    for name, reason in found.left_out.items():
        screen.say(f"Left out {name}: {in_flags(reason)}")
    if found.left_out:
        screen.say()


def _plain(text: str) -> str:
    return visible(text).replace("[", r"\[")


@contextmanager
def _progress() -> Generator[Callable[[str], None]]:
    """Say on standard error what is being computed, if that is a terminal."""
    screen = Screen(stderr=True)
    if not screen.is_terminal:
        yield lambda text: None
        return
    with screen.status("") as status:
        yield lambda text: status.update(_plain(text))
