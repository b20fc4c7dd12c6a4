"""Whole processes: `convscope predict` on an exported network, and ONNX Runtime in a few lines.

    python benchmarks/predict_exported.py --rounds 6 --folder build/predict_exported

Jobs: `one`, a photograph from cold, by a small network and ResNet-50; `many`, 300 photographs by
ResNet-50. The other script is plain_onnxruntime.py, which opens the same `model.onnx`. Weights are
random. Both use all cores. `--folder` keeps networks and photographs for the next time.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from rounds import machine, rotated, spread
from whole_processes import HERE, OURS, Cost, measured

NETWORKS = {"lenet5": 32, "resnet50": 224}
JOBS = ("one", "many")


def write_photographs(folder: Path, count: int) -> list[Path]:
    """Noisy copies of the package's two photographs, 1024x768, as JPEGs."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    paths: list[Path] = []
    for number in range(count):
        paths.append(folder / f"{number:03d}.jpg")
        if paths[-1].exists():
            continue
        label = ("flower", "palace")[number % 2]
        with Image.open(HERE.parent / f"convscope/data/bundled/{label}.jpg") as file:
            pixels = np.asarray(file.convert("RGB").resize((1024, 768)), np.float32)
        noise = random.standard_normal(pixels.shape, np.float32) * 6
        noisy = (pixels + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(paths[-1], quality=90)
    return paths


def compare(title: str, words: dict[str, list[str]], rounds: int) -> None:
    for command in words.values():  # so that Python has compiled what it imports
        measured([word for word in command if not word.endswith(".jpg")] + command[-1:])
    costs: dict[str, list[Cost]] = {name: [] for name in words}
    for turn in range(rounds):
        for name in rotated(list(words), turn):
            costs[name].append(measured(words[name]))
    print(f"\n{title}")
    for kind, form in (("wall", ".3f"), ("cpu", ".3f"), ("peak", ".0f")):
        values = {name: [getattr(cost, kind) for cost in own] for name, own in costs.items()}
        ratios = [a / b for a, b in zip(values["ours"], values["plain"], strict=True)]
        print(
            f"  {kind:5} ours {spread(values['ours'], form)}, plain "
            f"{spread(values['plain'], form)}; ours / plain {spread(ratios)}",
            flush=True,
        )


def main(args: argparse.Namespace) -> None:
    with TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        photographs = write_photographs(folder / "photographs", args.photographs)
        for name in NETWORKS:
            if not (folder / name).exists():
                export = [*OURS, "export", name, f"-o={folder / name}", "--engine=onnxruntime"]
                measured(export)
        if args.prepare:
            return
        print(machine())
        print(f"{args.rounds} rounds; seconds and megabytes, median [min-max]")
        for job in args.jobs:
            images = photographs[:1] if job == "one" else photographs
            for name in NETWORKS if job == "one" else ("resnet50",):
                plain = [sys.executable, str(HERE / "plain_onnxruntime.py")]
                model = [str(folder / name / "model.onnx"), str(NETWORKS[name])]
                words = {
                    "ours": [*OURS, "predict", str(folder / name), *map(str, images)],
                    "plain": [*plain, *model, *map(str, images)],
                }
                compare(f"{name}, {len(images)} photographs", words, args.rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where networks and photographs are kept")
    parser.add_argument("--prepare", action="store_true", help="only write what is kept")
    main(parser.parse_args())
