#!/usr/bin/env bash
# PyTorch, CPU: the gradient of one image through batch norm is wrong if it arrives from tokens.
#
# One contiguous image, batch norm, `flatten(2).transpose(1, 2)`, layer norm: the gradient is wrong by as much as itself,
# compared with finite differences in float64. Two images, a channels-last image, and a gradient made contiguous behind
# batch norm are right. A linear layer on the tokens is right with `backward()`, wrong inside `torch.func.grad`.
# Instance norm is batch norm of one image inside, and wrong for two images as well.
#
# Seen with torch 2.13.0, Python 3.11, x86-64:
#   error of the gradient, as a share of its largest value
#   batch norm, eval, one image                  1.1
#   batch norm, eval, two images                 0.0
#   batch norm, eval, one image, channels last   0.0
#   batch norm, eval, one image, made contiguous 0.0
#   linear head, backward                        0.0
#   linear head, torch.func.grad                 1.7
#   instance norm, two images, positions first   2.1
#   batch norm, train, one image                 1.6
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys

import torch
from torch import nn

print("torch", torch.__version__)
torch.manual_seed(0)
conv = nn.Conv2d(3, 8, 3, stride=2, padding=1).double()
batch_norm, instance_norm = nn.BatchNorm2d(8).double(), nn.InstanceNorm2d(8).double()
layer_norm, linear = nn.LayerNorm(8).double(), nn.Linear(8, 5).double()


def answer(images, norm=batch_norm, contiguous=False, norms_tokens=True, order=(0, 2, 1)):
    maps = norm(conv(images))
    if contiguous and maps.requires_grad:
        maps.register_hook(lambda gradient: gradient.contiguous())
    tokens = maps.flatten(2).permute(order)
    return linear(layer_norm(tokens) if norms_tokens else tokens).sin().sum()


def slope(function, images):
    """Finite differences."""
    found = torch.zeros(images.shape).double()
    with torch.no_grad():
        for at in torch.cartesian_prod(*map(torch.arange, images.shape)).tolist():
            moved = torch.zeros(images.shape).double()
            moved[tuple(at)] = 1e-6
            found[tuple(at)] = (function(images + moved) - function(images - moved)) / 2e-6
    return found


def gradient(function, images):
    images = images.clone(memory_format=torch.preserve_format).requires_grad_()
    function(images).backward()
    return images.grad


def error(images, by=gradient, **how):
    function = lambda x: answer(x, **how)
    right = slope(function, images)
    return ((by(function, images) - right).abs().max() / right.abs().max()).item()


one, two = torch.randn(1, 3, 6, 6).double(), torch.randn(2, 3, 6, 6).double()
errors = {}
batch_norm.eval()
errors["batch norm, eval, one image"] = error(one)
errors["batch norm, eval, two images"] = error(two)
errors["batch norm, eval, one image, channels last"] = error(one.to(memory_format=torch.channels_last))
errors["batch norm, eval, one image, made contiguous"] = error(one, contiguous=True)
errors["linear head, backward"] = error(one, norms_tokens=False)
errors["linear head, torch.func.grad"] = error(one, by=lambda f, x: torch.func.grad(f)(x), norms_tokens=False)
errors["instance norm, two images, positions first"] = error(two, norm=instance_norm, order=(2, 0, 1))
batch_norm.train()
errors["batch norm, train, one image"] = error(one)
for name, share in errors.items():
    print(f"{name:45}{share:.1f}")
wrong = {name for name, share in errors.items() if share > 0.1}
expected = {
    "batch norm, eval, one image",
    "batch norm, train, one image",
    "linear head, torch.func.grad",
    "instance norm, two images, positions first",
}
if wrong != expected:
    sys.exit(f"changed: wrong are now {sorted(wrong)}")
print("as seen before")
EOF
