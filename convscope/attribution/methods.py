"""The methods of attribution: what each shows, and how it is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from convscope.attribution import layer_methods, pixel_methods
from convscope.attribution.baselines import Baseline, baseline_image
from convscope.attribution.occlusion import occlusion, window_and_stride
from convscope.attribution.raw_map import RawMap
from convscope.attribution.relevance import LrpRule
from convscope.attribution.subject import Subject

MethodName = Literal[
    "grad-cam",
    "grad-cam++",
    "hires-cam",
    "layer-cam",
    "cam",
    "occlusion",
    "integrated-gradients",
    "gradient-x-input",
    "saliency",
    "guided-backprop",
    "deconvolution",
    "lrp",
]

METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """What methods can be told.

    Attributes:
        layer: whose maps are weighed, for those that weigh maps; None: the last ones.
        baseline: for occlusion, integrated gradients, deletion.
        steps: of integrated gradients.
        window, stride: of occlusion, in pixels of the network's input.
        lrp_rule: of LRP.
    """

    layer: str | None = None
    baseline: Baseline = "mean"
    steps: int = 50
    window: int | None = None
    stride: int | None = None
    lrp_rule: LrpRule = "composite"


@dataclass(frozen=True)
class Method:
    """A method of attribution.

    Attributes:
        title: what it is called.
        unit: what a value of its map is, for the color bar.
        compute: the map.
        is_signed: whether negative values speak against the target.
        takes_layer: whether it weighs the maps of a layer.
    """

    title: str
    unit: str
    compute: Callable[[Subject, MethodOptions], RawMap]
    is_signed: bool = False
    takes_layer: bool = False


def _of_layer(
    title: str,
    unit: str,
    compute: Callable[[Subject, str | None], RawMap],
    *,
    is_signed: bool = False,
) -> Method:
    def of_options(subject: Subject, options: MethodOptions) -> RawMap:
        return compute(subject, options.layer)

    return Method(title, unit, of_options, is_signed, takes_layer=True)


def _of_pixels(
    title: str, unit: str, compute: Callable[[Subject], RawMap], *, is_signed: bool = False
) -> Method:
    def of_options(subject: Subject, _options: MethodOptions) -> RawMap:
        return compute(subject)

    return Method(title, unit, of_options, is_signed)


def _occlusion(subject: Subject, options: MethodOptions) -> RawMap:
    height, width = subject.image.shape[2:]
    window, stride = window_and_stride((height, width), options.window, options.stride)
    away = baseline_image(options.baseline, subject.image, subject.card)
    return occlusion(subject, away, window, stride)


def _integrated_gradients(subject: Subject, options: MethodOptions) -> RawMap:
    away = baseline_image(options.baseline, subject.image, subject.card)
    return pixel_methods.integrated_gradients(subject, away, options.steps)


def _lrp(subject: Subject, options: MethodOptions) -> RawMap:
    return pixel_methods.relevance(subject, options.lrp_rule)


_WEIGHTED = "weighted activation"
_SHARE = "share of the score"

METHODS: Mapping[MethodName, Method] = MappingProxyType(
    {
        "grad-cam": _of_layer("Grad-CAM", _WEIGHTED, layer_methods.grad_cam),
        "grad-cam++": _of_layer("Grad-CAM++", _WEIGHTED, layer_methods.grad_cam_plus_plus),
        "hires-cam": _of_layer("HiResCAM", _SHARE, layer_methods.hires_cam, is_signed=True),
        "layer-cam": _of_layer("LayerCAM", _WEIGHTED, layer_methods.layer_cam),
        "cam": _of_layer("CAM", "score of the cell", layer_methods.cam, is_signed=True),
        "occlusion": Method("Occlusion", "fall of the score", _occlusion, is_signed=True),
        "integrated-gradients": Method(
            "Integrated gradients", _SHARE, _integrated_gradients, is_signed=True
        ),
        "gradient-x-input": _of_pixels(
            "Gradient x input", _SHARE, pixel_methods.gradient_x_input, is_signed=True
        ),
        "saliency": _of_pixels("Saliency", "absolute gradient", pixel_methods.saliency),
        "guided-backprop": _of_pixels(
            "Guided backpropagation",
            "absolute guided gradient",
            pixel_methods.guided_backpropagation,
        ),
        "deconvolution": _of_pixels(
            "Deconvolution", "absolute signal", pixel_methods.deconvolution
        ),
        "lrp": Method("LRP", "relevance", _lrp, is_signed=True),
    }
)
