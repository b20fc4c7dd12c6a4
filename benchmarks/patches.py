"""Time of finding every filter's strongest patches, beside the network's forward passes alone.

    python benchmarks/patches.py --images 256 --rounds 3
    python benchmarks/patches.py --model resnet20 --side 32 --images 2048

Random images through a network with random weights, on one thread. The contenders take turns, and
each round begins with the other one:

    plain     the forward passes in batches of the same size, without gradients
    patches   the same, and of every filter of every layer the strongest images, the activity for
              each class, and whether it is dead: what `convscope patches` does in its one pass

After a pass, the candidates' images are read once more to see which patches are alike. Each of the
36 candidates of every filter may be another image, so that with more images this takes longer until
there are as many as candidates; it is timed beside, for as many images as there are.

The claim is that passes over 10,000 images take at most 1.3 times as long as plain ones. A pass
takes the same time for each image, but for the first ones, which are among the strongest for every
filter: so fewer images make the ratio larger, not smaller.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from rounds import machine, rotated, spread

from convscope import create_model
from convscope.data.normalize import normalize
from convscope.device import keep_freed_memory
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import ImageSet, open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.patches.checkpoint import Checkpoint
from convscope.features.patches.collection import Collection, collect
from convscope.features.patches.summary import summarize
from convscope.features.unit_fields import layer_fields
from convscope.forward import call_network
from convscope.models import open_model

CLAIM, CANDIDATES, TOP = 1.3, 36, 9


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def plain(layer_pass: LayerPass, images: ImageSet) -> None:
    net, card, size = layer_pass.net, layer_pass.card, layer_pass.batch_size
    batches = [
        images.indices[start : start + size] for start in range(0, len(images.indices), size)
    ]
    with torch.inference_mode():
        for pixels in images.loaded.batch_source.batches(batches):
            call_network(net, normalize(pixels, card), len(card.classes))


def passed(layer_pass: LayerPass, images: ImageSet) -> Collection:
    return collect(layer_pass, images, CANDIDATES, checkpoint=Checkpoint(None, {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command does
    print(machine())
    torch.manual_seed(0)
    net = create_model(args.model, num_classes=10).eval()
    opened = open_model(net, input_size=args.side)
    random = np.random.default_rng(0)
    shape = (args.images, args.side, args.side, 3)
    data = random.integers(0, 256, shape, dtype=np.uint8), np.arange(args.images) % 10
    request = DataRequest(split=None, data_dir=None, image_column=None, label_column=None)
    images = open_images(opened, data, request)
    layer_pass = LayerPass(net, opened.card, batch_size=args.batch_size)
    filters = sum(layer.shape[0] for layer in layer_pass.layers)
    print(
        f"{args.model} at {args.side}x{args.side}: {filters:,} filters of "
        f"{len(layer_pass.layers)} layers, {args.images:,} images, "
        f"{layer_pass.batch_size} at a time"
    )
    contenders = {"plain": plain, "patches": passed}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(args.rounds):
        for name in rotated(list(contenders), turn):
            times[name].append(seconds(lambda run=contenders[name]: run(layer_pass, images)))
    for name, own in times.items():
        each = [1000 * value / args.images for value in own]
        print(f"{name:8} {spread(each, '.2f')} ms an image")
    ratios = [mine / other for mine, other in zip(times["patches"], times["plain"], strict=True)]
    is_kept = statistics.median(ratios) <= CLAIM
    print(f"patches / plain {spread(ratios)}   claim: at most {CLAIM}: {is_kept}")
    collection = passed(layer_pass, images)
    fields = layer_fields(layer_pass.recorded, layer_pass.layers, opened.card)
    chosen = [fields[layer.name] for layer in layer_pass.layers]
    after = seconds(lambda: summarize(collection, chosen, images, TOP))
    print(f"afterwards: {after:.1f} s for which patches are alike, once")


if __name__ == "__main__":
    main()
