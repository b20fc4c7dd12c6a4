"""Checkpoints as training scripts and libraries of the field save them, with small tensors."""

import argparse
import collections
import datetime as dt
import pathlib
import types
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.weights import load_weights


class Body(nn.Module):
    """A network with names as torchvision's: conv1, bn1, layer1.0.conv1, fc."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(
            nn.Sequential(collections.OrderedDict(conv1=nn.Conv2d(4, 4, 3)))
        )
        self.fc = nn.Linear(4, classes)

    def forward(self, x):
        return self.fc(self.layer1(self.bn1(self.conv1(x)).relu()).mean((2, 3)))


def state(seed: int = 1, classes: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {
        name: torch.rand_like(t) if t.is_floating_point() else t
        for name, t in Body(classes).state_dict().items()
    }


def pre(words: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{words}{name}": tensor for name, tensor in tensors.items()}


def loaded(content: object, tmp_path, choice: str = "", classes: int = 3):
    """Save and load; the network and the card."""
    path, net = tmp_path / "x.pth", Body(classes)
    torch.save(content, path)
    return net, load_weights(net, f"{path}{choice}")


def assert_has(net: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    own = net.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in tensors.items())


SD = state()
MOMENTUM = {
    "state": {0: {"momentum_buffer": torch.ones(4, 3, 3, 3)}},
    "param_groups": [{"lr": 0.1}],
}

LEGACY_STATE = np.random.get_state()  # noqa: NPY002 -- what training scripts keep

STRUCTURES = {
    "state dict": SD,
    "tutorial": {"epoch": 3, "model_state_dict": SD, "optimizer_state_dict": MOMENTUM, "loss": 0.3},
    "loss tensor": {"model_state_dict": SD, "loss": torch.tensor(0.3)},
    "imagenet example": {
        "epoch": 90, "arch": "resnet18", "state_dict": pre("module.", SD),
        "best_acc1": torch.tensor(70.1), "optimizer": MOMENTUM, "scheduler": {"last_epoch": 90},
    },
    "pytorch-cifar": {"net": pre("module.", SD), "acc": 91.2, "epoch": 3},
    "torchvision references": {
        "model": SD, "optimizer": MOMENTUM, "lr_scheduler": {"at": collections.Counter([3])},
        "epoch": 1, "args": argparse.Namespace(lr=0.1, output_dir=pathlib.Path("x")),
    },
    "timm": {
        "epoch": 1, "arch": "resnet18", "state_dict": SD, "optimizer": MOMENTUM, "version": 2,
        "args": argparse.Namespace(model="resnet18"), "amp_scaler": {}, "metric": np.float64(71.2),
    },
    "lightning": {
        "epoch": 1, "global_step": 10, "pytorch-lightning_version": "2.2", "loops": {},
        "state_dict": {**pre("model.", SD), "criterion.weight": torch.ones(3)},
        "callbacks": {"EarlyStopping": {"wait_count": 0, "best_score": torch.tensor(0.5)}},
        "optimizer_states": [MOMENTUM], "hyper_parameters": {"when": dt.date(2024, 1, 1)},
    },
    "lightning, encoder": {"state_dict": pre("net.encoder.", SD), "epoch": 1},
    "compile in DDP": pre("module._orig_mod.", SD),
    "DDP in compile": pre("_orig_mod.module.", SD),
    "one layer compiled": {n.replace("conv1.", "conv1._orig_mod.", 1): t for n, t in SD.items()},
    "every layer in DDP": {n.replace("layer1.0.", "layer1.0.module."): t for n, t in SD.items()},
    "module twice": pre("module.module.", SD),
    "AveragedModel": {"n_averaged": torch.tensor(5), **pre("module.", SD)},
    "mmpretrain": {
        "meta": {"epoch": 100, "CLASSES": ("ant", "bee", "cow"), "time": "now"},
        "state_dict": {
            **{f"backbone.{n}": t for n, t in SD.items() if not n.startswith("fc")},
            **{f"head.{n}": t for n, t in SD.items() if n.startswith("fc")},
        },
    },
    "fastai": {"model": SD, "opt": MOMENTUM},
    "accelerate": {"module": SD, "iteration": 4},
    "detectron": {"model": {n: t.numpy() for n, t in SD.items()}, "__author__": "x"},
    "GAN": {"generator": {"up.weight": torch.ones(3)}, "discriminator": SD, "step": 3},
    "list": [SD, MOMENTUM],
    "tuple": (SD, 3),
    "nested": {"a": {"b": [{"c": pre("model.", SD)}]}},
    "in dicts by part": {
        **{n: {k.removeprefix(f"{n}."): t for k, t in SD.items() if k.startswith(f"{n}.")}
           for n in ("conv1", "bn1", "layer1", "fc")},
    },
    "optimizer beside the tensors": {**SD, "optimizer": MOMENTUM, "epoch": 3},
    "numpy": {n: t.numpy() for n, t in SD.items()},
    "big-endian numpy": {n: t.numpy().astype(f">{t.numpy().dtype.str[1:]}") for n, t in SD.items()},
    "parameters": {n: nn.Parameter(t) if t.is_floating_point() else t for n, t in SD.items()},
    "defaultdict": {"model": collections.defaultdict(list, SD)},
    "namespace": {"model": SD, "args": types.SimpleNamespace(a=1)},
    "random states": {"model": SD, "rng": (torch.get_rng_state(), LEGACY_STATE)},
    "shared twice": {"model": SD, "best": SD},
    "equal twice": {"model": SD, "best": {n: t.clone() for n, t in SD.items()}},
    "only EMA": {"state_dict_ema": SD},
    "EMA of ModelEmaV2": {"ema": {"module": SD}},
    "sparse": {**SD, "fc.weight": SD["fc.weight"].to_sparse()},
    "averaged counter": {**SD, "bn1.num_batches_tracked": torch.tensor(4.0)},
    "no counters": {n: t for n, t in SD.items() if not n.endswith("tracked")},
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_weights_are_found_wherever_they_lie(tmp_path, name):
    net, card = loaded(STRUCTURES[name], tmp_path)
    assert_has(net, {n: t for n, t in SD.items() if not n.endswith("tracked")})
    assert card.provenance["weights_head"] == "pretrained"


def test_an_old_file_of_torch_save_is_read_likewise(tmp_path):
    for name in ("timm", "numpy", "lightning"):
        torch.save(STRUCTURES[name], tmp_path / "x.pth", _use_new_zipfile_serialization=False)
        net = Body()
        load_weights(net, tmp_path / "x.pth")
        assert_has(net, SD)


@pytest.mark.parametrize(
    ("raw", "averaged"),
    [("model", "model_ema"), ("state_dict", "state_dict_ema"), ("net", "ema"), ("model", "swa")],
)
def test_averaged_weights_beside_raw_ones_are_named_and_can_be_chosen(tmp_path, raw, averaged):
    other = state(2)
    content = {averaged: {"module": other, "updates": 3}, raw: SD, "epoch": 1}
    net, card = loaded(content, tmp_path)
    assert_has(net, SD)
    assert card.provenance["weights_place"] == raw
    assert f"x.pth#{averaged}" in card.provenance["weights_beside"]
    net, card = loaded(content, tmp_path, f"#{averaged}")
    assert_has(net, other)
    assert card.provenance["weights_place"] == averaged
    assert "weights_beside" not in card.provenance


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("student.backbone.", "teacher.backbone."),
        ("module.encoder_q.", "module.encoder_k."),
        ("online_encoder.net.", "target_encoder.net."),
    ],
)
def test_two_that_fit_alike_are_named_and_one_is_chosen(tmp_path, one, other):
    content = {"state_dict": {**pre(one, SD), **pre(other, state(2))}}
    word = one.removeprefix("module.").split(".")[0]
    with pytest.raises(RequestError, match=rf"has 2 sets of weights.*`weights='.*x\.pth#.*{word}"):
        loaded(content, tmp_path)
    net, _ = loaded(content, tmp_path, f"#{word}")
    assert_has(net, SD)
    with pytest.raises(RequestError, match="has nothing named 'studnet'"):
        loaded(content, tmp_path, "#studnet")


def test_shapes_tell_apart_what_names_do_not(tmp_path):
    wide = {n: torch.cat([t, t]) if t.dim() else t for n, t in SD.items()}
    net, _ = loaded({"teacher": wide, "student": SD}, tmp_path)
    assert_has(net, SD)
    net, _ = loaded({"pretrained": state(3, classes=7), "tuned": SD}, tmp_path)
    assert_has(net, SD)


def test_what_lies_at_the_top_goes_before_what_lies_inside(tmp_path):
    net, _ = loaded({**SD, "teacher": state(2)}, tmp_path)
    assert_has(net, SD)


def test_a_number_sign_in_a_file_name_is_part_of_it(tmp_path):
    torch.save(SD, tmp_path / "run#3.pth")
    net = Body()
    load_weights(net, tmp_path / "run#3.pth")
    assert_has(net, SD)


HEADLESS = {n: t for n, t in SD.items() if not n.startswith("fc")}


@pytest.mark.parametrize(
    "content",
    [
        HEADLESS,
        {"state_dict": {**pre("module.encoder_q.", HEADLESS), "module.queue": torch.ones(2, 2)}},
        {**pre("encoder_q.", HEADLESS), "encoder_q.fc.0.weight": torch.ones(4, 4)},
        {**HEADLESS, "projector.0.weight": torch.ones(8, 4)},
    ],
)
def test_a_body_without_a_head_leaves_the_head_as_it_was_built(tmp_path, content):
    net, card = loaded(content, tmp_path)
    assert_has(net, HEADLESS)
    assert card.provenance["weights_head"] == "initialized"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t | {"layer1.1.conv1.weight": torch.ones(4, 4, 3, 3)}, r"has layer1\.1\.conv1"),
        (lambda t: {n: v for n, v in t.items() if n != "conv1.bias"}, r"lacks conv1\.bias"),
        (lambda t: pre("backbone.", {n: v for n, v in t.items() if n != "bn1.bias"}), "lacks bn1"),
        (lambda t: t | {"module.conv1.bias": torch.ones(4)}, r"conv1\.bias twice, as"),
    ],
)  # fmt: skip
def test_another_network_is_refused_by_name(tmp_path, change, told):
    with pytest.raises(RequestError, match=told):
        loaded(change(dict(SD)), tmp_path)


def test_shapes_that_differ_are_counted(tmp_path):
    content = SD | {"conv1.weight": torch.ones(8, 3, 3, 3), "conv1.bias": torch.ones(8)}
    with pytest.raises(
        RequestError, match=r"conv1\.weight is \(8, 3, 3, 3\).*1 more \(conv1\.bias"
    ):
        loaded(content, tmp_path)


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch will no longer make them
        return torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)


BAD = {
    "NaN": (torch.tensor([1.0, np.nan, 2.0, 3.0]), r"conv1\.bias has 1 of 4 .*not finite \(NaN\)"),
    "infinite": (torch.full((4,), np.inf), r"conv1\.bias has 4 of 4 .*\(infinite\)"),
    "too large": (
        torch.full((4,), 1e300, dtype=torch.float64),
        r"conv1\.bias has 4 .*\(infinite\)",
    ),
    "integers": (torch.ones(4, dtype=torch.int64), r"conv1\.bias holds integers \(int64\)"),
    "bytes": (torch.ones(4, dtype=torch.uint8), r"conv1\.bias holds integers \(uint8\)"),
    "truth values": (torch.ones(4, dtype=torch.bool), r"conv1\.bias holds truth values"),
    "complex": (torch.ones(4, dtype=torch.complex64), r"conv1\.bias holds complex numbers"),
    "quantized": (quantized(), r"conv1\.bias holds quantized numbers"),
    "meta": (torch.ones(4, device="meta"), r"conv1\.bias has a shape and no values"),
}


@pytest.mark.parametrize("kind", BAD)
def test_values_that_no_network_computes_with_are_refused_by_name(kind):
    tensor, told = BAD[kind]
    net = Body()
    before = {n: t.clone() for n, t in net.state_dict().items()}
    with pytest.raises(RequestError, match=told):
        load_weights(net, {"model": SD | {"conv1.bias": tensor}})
    assert_has(net, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted_and_this_is_recorded(dtype):
    net = Body()
    theirs = {n: t.to(dtype) if t.is_floating_point() else t for n, t in SD.items()}
    card = load_weights(net, theirs)
    assert torch.equal(net.conv1.weight, theirs["conv1.weight"].float())
    assert card.provenance["weights_dtype"] == f"converted from {str(dtype)[6:]}"


def test_a_network_in_its_wrappings_takes_the_same_weights():
    for wrapped in (torch.compile(Body(), backend="eager"), nn.DataParallel(Body())):
        load_weights(wrapped, SD)
        inside = getattr(wrapped, "_orig_mod", None) or wrapped.module
        assert_has(inside, SD)


def test_a_network_gives_its_weights_and_so_does_a_state_dict():
    theirs = Body()
    theirs.load_state_dict(SD)
    for source in (theirs, theirs.state_dict(), {"state_dict": theirs.state_dict(), "epoch": 1}):
        net = Body()
        card = load_weights(net, source)
        assert_has(net, SD)
        assert card.provenance["weights"] == "a state dict in memory"
        assert len(card.provenance["weights_sha256"]) == 64
    with pytest.raises(RequestError, match=r"no state dict .*it has lr"):
        load_weights(net, {"lr": 0.1})
    with pytest.raises(RequestError, match=r"`weights` must be .* not int"):
        load_weights(net, 3)


def test_a_lazy_network_is_to_be_run_once():
    net = nn.Sequential(nn.LazyConv2d(3, 3), nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(RequestError, match="lazy layers"):
        load_weights(net, SD)


@pytest.mark.parametrize(
    "meta",
    [
        {"meta": {"CLASSES": ("ant", "bee", "cow")}},
        {"meta": {"dataset_meta": {"classes": ["ant", "bee", "cow"]}}},
        {"class_names": ["ant", "bee", "cow"]},
        {"class_to_idx": {"cow": 2, "ant": 0, "bee": 1}},
        {"idx_to_class": {0: "ant", 1: "bee", 2: "cow"}},
        {"idx2label": {0: "ant", 1: "bee", 2: "cow"}},
        {"index_to_classes": {0: "ant", 1: "bee", 2: "cow"}},
        {"class2idx": {"cow": 2, "ant": 0, "bee": 1}},
        {"vocab": ["ant", "bee", "cow"]},
        {"hyper_parameters": {"id2label": {"0": "ant", "1": "bee", "2": "cow"}}},
        {"args": argparse.Namespace(classes=["ant", "bee", "cow"])},
        {"names": np.array(["ant", "bee", "cow"])},
        {"classes": ["ant", "bee", "cow"], "superclasses": ["a", "b"], "labels": ["x", "y"]},
    ],
)
def test_class_names_beside_the_weights_are_the_cards(tmp_path, meta):
    _, card = loaded({"state_dict": SD, **meta}, tmp_path)
    assert card.classes == ("ant", "bee", "cow")


def test_class_names_that_do_not_fit_are_left(tmp_path):
    for meta in ({"classes": ["a", "b"]}, {"classes": ["a", "b", "c"], "names": ["x", "y", "z"]}):
        _, card = loaded({"state_dict": SD, **meta}, tmp_path)
        assert card.classes == ("0", "1", "2")


def test_a_list_that_holds_itself_is_read_once():
    loop = {"model": SD}
    loop["again"] = [loop, loop]
    net = Body()
    load_weights(net, loop)
    assert_has(net, SD)


def test_the_list_of_safe_globals_holds_only_while_a_file_is_read(tmp_path):
    before = set(torch.serialization.get_safe_globals())  # torch keeps a set, in no order
    loaded(STRUCTURES["timm"], tmp_path)
    assert set(torch.serialization.get_safe_globals()) == before
    assert convscope.load_weights is load_weights
