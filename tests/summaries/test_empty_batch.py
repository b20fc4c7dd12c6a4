"""Shapes from a batch of no images: those of torch's own rules, without what these import."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from convscope.summaries import empty_batch
from convscope.summaries.empty_batch import EmptyBatch


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


IMAGE, TOKENS = (3, 4, 9, 8), (2, 5, 6)
BLOCKS = {
    "convolution": lambda: F.conv2d(meta(*IMAGE), meta(6, 2, 3, 2), meta(6), 2, (1, 0), 1, 2),
    "one image": lambda: F.conv2d(meta(4, 9, 8), meta(6, 4, 3, 3)),
    "transposed": lambda: F.conv_transpose2d(meta(*IMAGE), meta(4, 5, 3, 3), stride=2),
    "volume": lambda: F.conv3d(meta(1, 2, 5, 5, 5), meta(3, 2, 3, 3, 3)),
    "channels last": lambda: F.relu(meta(*IMAGE).to(memory_format=torch.channels_last)),
    "maximum": lambda: F.max_pool2d(meta(*IMAGE), 3, 2, 1, ceil_mode=True, return_indices=True),
    "average": lambda: F.avg_pool2d(meta(4, 9, 8), 2),
    "adaptive": lambda: F.adaptive_avg_pool2d(meta(*IMAGE), (2, 3)),
    "to one": lambda: F.adaptive_avg_pool2d(meta(*IMAGE), 1),
    "batch norm": lambda: F.batch_norm(meta(*IMAGE), meta(4), meta(4)),
    "layer norm": lambda: F.layer_norm(meta(*TOKENS), (6,), meta(6), meta(6)),
    "local response": lambda: F.local_response_norm(meta(*IMAGE), 3),
    "dense": lambda: F.linear(meta(7, 6), meta(5, 6), meta(5)),
    "dense, of tokens": lambda: F.linear(meta(*TOKENS), meta(5, 6)),
    "product": lambda: meta(*TOKENS) @ meta(2, 6, 3),
    "softmax": lambda: (meta(*TOKENS).softmax(-1), meta(*TOKENS).softmax(0)),
    "sums": lambda: (meta(*TOKENS).sum(1), meta(*TOKENS).mean((0, 2)), meta(*TOKENS).sum(-3)),
    "all": lambda: (meta(*TOKENS).sum(), meta(*TOKENS).mean((), keepdim=True)),
    "joined": lambda: (torch.cat([meta(2, 3)] * 2, 1), torch.cat([meta(2, 3), meta(4, 3)])),
    "broadcast": lambda: meta(1, 4, 1, 8) * meta(3, 1, 9, 1) + meta(8) - 2,
    "scale": lambda: meta(4, 1, 1) * meta(*IMAGE),
    "types": lambda: meta(2, 3, dtype=torch.int32) / 2 + meta(dtype=torch.float64),
    "half": lambda: F.gelu(meta(2, 3, dtype=torch.bfloat16), approximate="tanh"),
    "truth": lambda: torch.where(meta(2, 3) > 0, meta(2, 3), 0.0),
    "transposed matrix": lambda: meta(3, 2).t().relu(),
    "in place": lambda: meta(2, 3).normal_().mul_(meta(3)).clamp_(0, 1),
    "number": lambda: meta().tanh(),
    "resized": lambda: F.interpolate(meta(*IMAGE), scale_factor=2.0, mode="bilinear"),
}


def layouts(results):
    tensors = [results] if isinstance(results, torch.Tensor) else results
    return [(t.shape, t.stride(), t.dtype, t.device) for t in tensors]


@pytest.mark.parametrize("name", BLOCKS)
def test_results_are_laid_out_as_by_the_rules_of_torch(name):
    with torch.no_grad(), EmptyBatch():
        ours = layouts(BLOCKS[name]())
    assert ours == layouts(BLOCKS[name]())


def test_most_blocks_need_no_rule_of_torch(monkeypatch):
    """Where the table finds batches, they are run; without it the comparison would show nothing."""
    run, done = empty_batch._run, []
    monkeypatch.setattr(
        empty_batch, "_run", lambda func, *rest: done.append(func) or run(func, *rest)
    )
    with torch.no_grad(), EmptyBatch():
        for block in BLOCKS.values():
            block()
    assert {torch.ops.aten.convolution.default, torch.ops.aten.addmm.default} < set(done)


@pytest.mark.parametrize(
    "block",
    [
        lambda: F.conv2d(meta(1, 3, 8, 8), meta(2, 4, 3, 3)),
        lambda: F.max_pool2d(meta(1, 3, 2, 2), 5),
        lambda: meta(2, 3) + meta(4, 3),
        lambda: meta(1, 3).add_(meta(4, 3)),
        lambda: F.linear(meta(1, 3), meta(5, 4)),
        lambda: torch.cat([meta(2, 3), meta(4, 3)], 1),
    ],
)
def test_what_does_not_fit_is_refused_as_by_torch(block):
    with pytest.raises((RuntimeError, ValueError)) as theirs:
        block()
    with pytest.raises(type(theirs.value)) as ours, torch.no_grad(), EmptyBatch():
        block()
    assert str(ours.value) == str(theirs.value)


def test_neither_a_summary_nor_an_explanation_imports_the_compiler():
    code = (
        "import sys; sys.argv = ['convscope', 'summary', 'lenet5']\n"
        "from convscope.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import convscope, torch\n"
        "convscope.explain(convscope.create_model('lenet5'), torch.rand(1, 32, 32))\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unneeded = (
        "torch._dynamo",
        "torch._inductor",
        "torch.fx.experimental.symbolic_shapes",
        "sympy",
    )
    assert not set(unneeded) & set(done.stdout.splitlines()[-1].split())
