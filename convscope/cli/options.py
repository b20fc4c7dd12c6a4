"""Options that several commands have, each with its help."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from convscope.card import ResizeMode


def _integer(_hint: Any, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not an integer.") from None


INTEGER = Parameter(converter=_integer)
"""For options that are integers: cyclopts alone would round 1.5."""
Int = Annotated[int, INTEGER]
OptionalInt = Annotated[int | None, INTEGER]


def _numbers(_hint: Any, tokens: Sequence[Token]) -> tuple[float, ...]:
    words = [word for token in tokens for word in token.value.replace(",", " ").split()]
    try:
        return tuple(map(float, words))
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise ValueError(
            f"{wrong!r} is not a number. Put commas between numbers: 0.485,0.456,0.406."
        ) from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


NUMBERS = Parameter(converter=_numbers, consume_multiple=True, negative="", show_default=False)
"""For one number or several, with commas or spaces between them."""


def _integers(_hint: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    words = [word for token in tokens for word in token.value.replace(",", " ").split()]
    for word in words:
        if not word.removeprefix("-").isdecimal():
            raise ValueError(
                f"{word!r} is not an integer. Put commas between integers: 1,2,4,7,10."
            )
    return tuple(map(int, words))


INTEGERS = Parameter(converter=_integers, consume_multiple=True, negative="", show_default=False)
"""For one integer or several, with commas or spaces between them."""

DataDir = Annotated[
    Path | None,
    Parameter(help="Folder that is searched for named data sets before they are downloaded."),
]
ImageColumn = Annotated[
    str | None,
    Parameter(
        help="Column of a CSV file that names the images; by default the one whose header says so."
    ),
]
LabelColumn = Annotated[
    str | None,
    Parameter(
        help="Column of a CSV file with the classes; by default the one whose header says so."
    ),
]
GroupColumn = Annotated[
    str | None,
    Parameter(
        help="Column of a CSV file that says which images belong together, of one patient for "
        "example, and are not independent."
    ),
]
GroupPattern = Annotated[
    str | None,
    Parameter(help="Regular expression that finds the group of an image in its path."),
]
BatchSize = Annotated[
    int | None,
    INTEGER,
    Parameter(help="Images per forward pass; by default by the size of the network's activations."),
]
Device = Annotated[
    str,
    Parameter(
        help="Where to compute: cpu, cuda, mps, or a GPU's number, as cuda:1; auto takes cuda, "
        "else mps, else cpu."
    ),
]
Threads = Annotated[int | None, INTEGER, Parameter(help="CPU threads; by default one per core.")]
Json = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Print one JSON object on standard output, and everything else on standard error.",
    ),
]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
"""A switch that is off by default; its help is in the command's docstring."""

Network = Annotated[
    str,
    Parameter(
        help="A run folder, a model of the zoo, a layer table, a file of Keras or ConvNetJS, or "
        "module:attr."
    ),
]
TrainedNetwork = Annotated[
    str,
    Parameter(
        help="A run folder, or a file of Keras or ConvNetJS; with --weights or --pretrained a "
        "network's name, layer table, or module:attr."
    ),
]
OwnCode = Annotated[
    str | None,
    Parameter(
        name="--model",
        help="For a run of a network of your own: the code that builds it, as module:attr.",
    ),
]
OwnAugmentation = Annotated[
    str | None,
    Parameter(
        name="--augment",
        help="For a run whose images a function of your own augments: it, as module:attr.",
    ),
]
Trust = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Let a run import the code of its own that it recorded, as long as it is unchanged.",
    ),
]
PretrainedWeights = Annotated[
    str | None,
    Parameter(
        help="For a network that is not a run: torchvision:resnet50, timm:NAME, hf://USER/NAME, a "
        "file, a URL, a run; FILE#PLACE for one of several sets of weights in a file."
    ),
]
Published = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="For a network that is not a run: its published weights, as in train.",
    ),
]
ClassNames = Annotated[
    str | None,
    Parameter(
        help="Names of the outputs, in order, of a network or weights that have none: cat,dog or a "
        "text or JSON file, or imagenet."
    ),
]
InputSize = Annotated[
    int | None,
    INTEGER,
    Parameter(help="Of such a network: input height and width in pixels, if not its own."),
]
ResizeModeOption = Annotated[
    ResizeMode | None,
    Parameter(help="Of such a network: how images are brought to that size."),
]
Mean = Annotated[
    tuple[float, ...] | None,
    NUMBERS,
    Parameter(
        help="Of such a network: mean per channel of pixels scaled to 0..1, as 0.485,0.456,0.406."
    ),
]
Std = Annotated[
    tuple[float, ...] | None,
    NUMBERS,
    Parameter(help="Of such a network: standard deviation per channel of pixels scaled to 0..1."),
]


def _names(_hint: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(name for token in tokens for name in token.value.split(",") if name)


NAMES = Parameter(converter=_names, consume_multiple=True, negative="", show_default=False)
"""For one name or several, with commas or spaces between them; what is named checks them."""
Layers = Annotated[
    tuple[str, ...],
    Parameter(
        converter=_names,
        consume_multiple=True,
        negative="",
        show_default=False,
        help="Layers by name, as `explain --list-layers` lists them, also any other operation.",
    ),
]
Convolutions = Annotated[
    tuple[int, ...],
    INTEGERS,
    Parameter(help="Convolutions by their number, counted from 1, as 1,2,4,7,10."),
]
BeforeActivation = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Take a layer's own values, instead of those after its normalization, the addition of "
        "a residual connection and the activation function.",
    ),
]

SEVERAL = Parameter(consume_multiple=True, negative="", show_default=False)
"""An option that takes several values and is empty by default."""
