"""Time a map of one image by convscope and by Captum, method by method, in alternation.

    pip install captum==0.9.0
    python benchmarks/attribution.py [--model resnet18] [--size 224] [--rounds 9]

Both get the same network, tensor and class, and do the same work: Captum's `attribute`, and the
method's computation here, whose recorded pass is made anew for each map. The faithfulness of the
map, which Captum does not measure, is left out. The ratio is that of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from captum import attr
from torch import Tensor, nn

import convscope
from convscope.attribution.baselines import baseline_image
from convscope.attribution.layer_choice import default_layer
from convscope.attribution.methods import METHODS, MethodName, MethodOptions
from convscope.attribution.subject import Subject
from convscope.attribution.target import Target
from convscope.card import Card
from convscope.device import keep_freed_memory

LIMIT = 1.2


def pairs(net: nn.Module, image: Tensor, card: Card) -> dict[MethodName, Callable[[], object]]:
    """Captum's way to each method that both have."""
    layer = default_layer(_subject(net, image, card).tape)
    module = dict(net.named_modules()).get(layer)
    side = image.shape[2] // 8
    found: dict[MethodName, Callable[[], object]] = {
        "saliency": lambda: attr.Saliency(net).attribute(image, target=0),
        "gradient-x-input": lambda: attr.InputXGradient(net).attribute(image, target=0),
        "integrated-gradients": lambda: attr.IntegratedGradients(net).attribute(
            image, target=0, n_steps=10, internal_batch_size=10
        ),
        "guided-backprop": lambda: attr.GuidedBackprop(net).attribute(image, target=0),
        "deconvolution": lambda: attr.Deconvolution(net).attribute(image, target=0),
        "occlusion": lambda: attr.Occlusion(net).attribute(
            image, (3, 2 * side, 2 * side), strides=(3, side, side), target=0,
            baselines=baseline_image("mean", image, card), perturbations_per_eval=3,
        ),
    }  # fmt: skip
    if module is not None:
        found["grad-cam"] = lambda: attr.LayerGradCam(net, module).attribute(image, target=0)
    return found


def _subject(net: nn.Module, image: Tensor, card: Card) -> Subject:
    return Subject(net, image, card, Target(0, None, card.classes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--methods", nargs="*")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command does
    net = convscope.create_model(given.model, num_classes=10).eval()
    image = torch.rand(1, 3, given.size, given.size)
    card = Card(
        classes=tuple(map(str, range(10))), input_size=(given.size, given.size), in_channels=3,
        resize_mode="crop", mean=(0, 0, 0), std=(1, 1, 1),
    )  # fmt: skip
    side = given.size // 8
    options = MethodOptions(steps=10, window=2 * side, stride=side)
    print(f"{given.model}, 3x{given.size}x{given.size}, {given.rounds} rounds, 1 thread")
    for name, theirs in pairs(net, image, card).items():
        if given.methods and name not in given.methods:
            continue

        def ours(name: MethodName = name) -> object:
            return METHODS[name].compute(_subject(net, image, card), options)

        times: dict[str, list[float]] = {"captum": [], "convscope": []}
        for _ in range(given.rounds + 1):
            for who, call in (("captum", theirs), ("convscope", ours)):
                begin = time.process_time()
                call()
                times[who].append(time.process_time() - begin)
        captum, here = (statistics.median(times[who][1:]) for who in ("captum", "convscope"))
        ratio = here / captum
        print(
            f"{name:22} captum {1000 * captum:8.1f} ms   convscope {1000 * here:8.1f} ms   "
            f"ratio {ratio:.2f}   {'within' if ratio <= LIMIT else 'ABOVE'} {LIMIT}"
        )


if __name__ == "__main__":
    main()
