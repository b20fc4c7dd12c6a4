"""`convscope synthesize`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    SEVERAL,
    ClassNames,
    DataDir,
    Device,
    Int,
    Json,
    Mean,
    Network,
    OptionalInt,
    OwnCode,
    PretrainedWeights,
    Published,
    Std,
    Threads,
    Trust,
)
from convscope.errors import RequestError, shell_word
from convscope.words.screen import Screen

_OF_UNITS = Parameter(group="Pictures of units")
_OF_INVERSION = Parameter(group="Layer inversion")


def synthesize(
    run: Network,
    /,
    *at: str,
    data: Annotated[str | None, _OF_UNITS] = None,
    data_dir: DataDir = None,
    max_images: Annotated[Int, _OF_UNITS] = 2000,
    pictures: Annotated[Int, _OF_UNITS] = 1,
    diversity: Annotated[float, _OF_UNITS] = 0.5,
    jitter: Annotated[float | None, _OF_UNITS] = None,
    scale: Annotated[float, _OF_UNITS] = 0.1,
    rotation: Annotated[float, _OF_UNITS] = 5.0,
    rms_contrast: Annotated[float | None, _OF_UNITS] = None,
    invert: Annotated[Path | None, _OF_INVERSION] = None,
    layers: Annotated[tuple[str, ...], SEVERAL, _OF_INVERSION] = (),
    tv: Annotated[float | None, _OF_INVERSION] = None,
    alpha_norm: Annotated[float | None, _OF_INVERSION] = None,
    steps: OptionalInt = None,
    lr: float = 0.05,
    seed: Int = 0,
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    output: Annotated[Path, Parameter(alias="-o")] = Path("synthesis.html"),
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Compute the images that excite classes, channels or units of a network most.

    With --invert, what a layer still knows of an image: another one that it cannot tell from it.

    Parameters
    ----------
    at
        What to excite: a class by its name or index, conv2[3] for a channel, conv2[3,4,5] for one
        unit of it, conv2 for its channels, up to 64.
    data
        Images whose best values stand beside; by default the test images of a run.
    max_images
        How many of these to look at, evenly out of all.
    pictures
        Pictures of each, which are pushed apart.
    diversity
        How much of its value a picture may lose to be unlike the others.
    jitter
        Largest shift in a step, as a share of the side; by default 12 pixels of 224.
    scale
        Largest enlargement or reduction in a step, as a share.
    rotation
        Largest rotation in a step, in degrees.
    rms_contrast
        Fix the root mean square contrast of the picture, up to 0.5, instead of bounding its pixels.
    invert
        An image to find again from the outputs of --layers alone.
    layers
        Layers to invert.
    tv
        Weight of the total variation; default 0.02.
    alpha_norm
        Weight of the alpha-norm, which keeps pixels in their range; default 0.01.
    steps
        Steps of Adam; default 256, with --invert 400.
    lr
        Learning rate of the first step, which falls to 0.
    seed
        Number from which the start and the shifts are drawn.
    output
        File to write: .html for a page, .png for one picture.
    """
    from convscope.models import named_weights, open_model  # noqa: PLC0415 -- torch
    from convscope.runs.own_code import Consent  # noqa: PLC0415
    from convscope.synthesis.output_files import check_path  # noqa: PLC0415
    from convscope.weights.class_names import parse_class_names  # noqa: PLC0415
    from convscope.weights.preprocessing import InputSettings  # noqa: PLC0415

    check_path(output)
    inverting = {"`layers`": layers, "`tv`": tv is not None, "`alpha_norm`": alpha_norm is not None}
    if invert is None and (useless := [name for name, value in inverting.items() if value]):
        raise RequestError(f"{useless[0]} belongs to `invert`, an image to find again.")
    if invert is not None and at:
        raise RequestError(f"With `invert`, name layers with `layers`; leave out {at[0]!r}.")
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        settings=InputSettings(mean=mean, std=std),
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    with ActivityProgress({"steps of pictures": "steps"}) as on_progress:
        result: Any
        if invert is None:
            from convscope.synthesis.api import synthesize_opened  # noqa: PLC0415
            from convscope.synthesis.ascent import AscentSettings  # noqa: PLC0415
            from convscope.synthesis.views import Views  # noqa: PLC0415

            views = Views(Views.jitter if jitter is None else jitter, scale, rotation)
            settings = AscentSettings(
                steps=steps or 256, lr=lr, diversity=diversity, rms_contrast=rms_contrast,
                seed=seed, views=views,
            )  # fmt: skip
            result = synthesize_opened(
                opened, at, settings, data=data, data_dir=data_dir, max_images=max_images,
                pictures=pictures, device=device, threads=threads, on_progress=on_progress,
            )  # fmt: skip
        else:
            from convscope.synthesis.inversion import (  # noqa: PLC0415
                InversionSettings,
                invert_opened,
            )

            chosen = {"steps": steps, "tv": tv, "alpha_norm": alpha_norm}
            given: dict[str, Any] = {k: v for k, v in chosen.items() if v is not None}
            result = invert_opened(
                opened, invert, layers, InversionSettings(lr=lr, seed=seed, **given),
                device=device, threads=threads, on_progress=on_progress,
            )  # fmt: skip
    result.save(output)
    screen = Screen(stderr=json)
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        print_json({**result.to_dict(), "file": str(output)})
    for line in result.lines:
        screen.say(in_flags(line))
    screen.say()
    screen.say(f"{shell_word(output)} shows {'them' if invert is None else 'the images'}.")
