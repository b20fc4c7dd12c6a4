"""`create_model`: a network by name, with random or its published weights."""

from pathlib import Path

from torch import nn

from convscope import zoo
from convscope.data.download import DownloadCallback
from convscope.errors import RequestError
from convscope.synonyms import takes_synonyms
from convscope.weights.build import build_with_weights
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.head import start_head
from convscope.weights.preprocessing import InputSettings
from convscope.weights.published import published_weights


@takes_synonyms
def create_model(
    name: str | Path,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    class_names: ClassNamesLike | None = None,
    stride_in_1x1: bool = False,
    on_progress: DownloadCallback | None = None,
) -> nn.Module:
    """Create a network from a name of the zoo, a layer table `file.toml`, `module:attr`, or a name
    of a library: `timm:resnet18`, `torchvision:resnet18`.

    `num_classes`, `in_channels` and `input_size`, (height, width) or one side of a square, default
    to those of the paper, the layer table or the library. `module:attr` is a class or function,
    called with those of the three arguments that it takes (`n_classes`, `in_chans`, `img_size` and
    other usual names of them too), or a ready `nn.Module`. With `stride_in_1x1` the first 1x1
    convolution of a ResNet's bottleneck takes the stride, as in the paper; without it the 3x3 one.

    With `pretrained` the network has its published weights, as in `train`, which are downloaded
    once. For another number of classes its last layer starts anew, small. How images are prepared
    for it is left on the network, as `net.card`, for `predict`, `evaluate`, `explain` and `train`;
    the card's classes are `class_names`, or those of the weights, or numbers.

    Raises RequestError for an unknown name, a number below 1, an input too small, `stride_in_1x1`
    for a network without bottlenecks, whatever goes wrong while `module:attr` is imported, and for
    a network of which no weights are published; WorkError for a failed download.

        >>> sum(weight.numel() for weight in create_model("lenet5").parameters())
        61706
    """
    if not pretrained:
        if class_names is not None:
            raise RequestError(
                "`class_names` are those of the card that a network has with `pretrained`. Leave "
                "them out; `num_classes` is their number."
            )
        return zoo.create_model(
            name,
            num_classes=num_classes,
            in_channels=in_channels,
            input_size=input_size,
            stride_in_1x1=stride_in_1x1,
        )
    if stride_in_1x1:
        raise RequestError("Published weights are of the other form; leave out stride_in_1x1.")
    zoo.check_arguments(num_classes=num_classes, in_channels=in_channels, input_size=None)
    names = None if class_names is None else parse_class_names(class_names)
    if names is not None and num_classes not in (None, len(names)):
        raise RequestError(f"`class_names` has {len(names)} names; `num_classes` is {num_classes}.")
    model = zoo.resolve_model(str(name))
    built = build_with_weights(
        model,
        published_weights(model),
        settings=InputSettings(input_size=input_size),
        class_names=names,
        num_classes=len(names) if names else num_classes,
        in_channels=in_channels,
        on_progress=on_progress,
    )
    if built.has_new_head:
        start_head(built.net, len(built.card.classes))
    vars(built.net)["card"] = built.card
    return built.net.train()
