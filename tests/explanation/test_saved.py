"""Recordings in files: every number is the same bit for bit, and nothing else is read."""

import itertools
import json
import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.card import Card
from convscope.errors import ConvscopeError, RequestError, WorkError
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.recording import record
from convscope.explanation.saved.file import VERSION
from convscope.runs.tensor_file import load_tensors, save_tensors
from tests.explanation.cases.case import image_of
from tests.recording.examples import EXAMPLES

KINDS = (
    *("conv2d", "batch_norm", "cat", "scaled_dot_product_attention", "stft", "complex", "lstm"),
    *("quantized::conv2d", "quantized::linear_dynamic", "quantized::cat", "int_repr", "getitem"),
    *("LocallyConnected2d", "FractalJoin", "SparseConnectionConv2d", "ZCAWhitening", "DropPath"),
    *("fake_quantize_per_channel_affine", "quantize_per_channel", "inplace_update", "conj", "to"),
)
"""Of each the first example; all of them are `slow`."""


class Net(nn.Module):
    """A convolution with batch norm, a skip, a concatenation, attention, channels last in part."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.fc = nn.Linear(12, 4)

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu_()
        z = F.relu(self.conv2(y.contiguous(memory_format=torch.channels_last)) + y)
        tokens = torch.cat([y, z], 1).flatten(2).transpose(1, 2)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return self.fc((tokens + mixed).mean(1))


@pytest.fixture(scope="module")
def recording():
    torch.manual_seed(3)
    net = Net().eval()
    nn.init.uniform_(net.bn1.running_mean, -1, 1)
    return record(net, torch.randn(2, 7, 7))


@pytest.fixture
def saved(recording, tmp_path):
    recording.save(tmp_path / "pass.safetensors")
    return tmp_path / "pass.safetensors"


def bits(tensor):
    """What a tensor is: its type, place of numbers and bytes."""
    if tensor.is_quantized:
        return (*bits(tensor.int_repr()), str(tensor.qscheme()), *bits(tensor.dequantize()))
    copy = tensor.detach().clone()
    shape, stride = tuple(copy.shape), copy.stride()
    plain = copy.resolve_conj().contiguous().view(-1)
    kept = tensor.is_conj(), tensor.dtype, shape, stride
    return *kept, plain.view(torch.uint8).numpy().tobytes()


def asked(recording, ask, *args):
    """What a method returns, or the message of the error that it raises."""
    try:
        found = getattr(recording, ask)(*args)
    except ConvscopeError as error:
        return str(error)
    if isinstance(found, dict):
        return {name: bits(value) for name, value in found.items()}
    if hasattr(found, "_forward_pass"):
        return {name: bits(value) for name, value in found._forward_pass.results.items()}
    return str(found.to_dict())


def assert_same(one, other):
    for tensors in ("results", "state"):
        before, after = (getattr(each._forward_pass, tensors) for each in (one, other))
        assert {n: bits(t) for n, t in before.items()} == {n: bits(t) for n, t in after.items()}
    assert (one.names, one.output, one.note) == (other.names, other.output, other.note)
    last = one.names[-1]
    shape = one[last].shape
    everywhere = list(itertools.product(*map(range, shape)))
    for at in everywhere[:: max(1, math.prod(shape) // 2)][:2]:
        for ask in ("explain", "trace_back", "gradients"):
            assert asked(one, ask, last, at) == asked(other, ask, last, at), ask
    image = {"image": one["image"].tensor + 0.25}
    assert asked(one, "replay", image) == asked(other, "replay", image)


def round_trip(example, path):
    recording = record(example.network(), image_of(example.image))
    recording.save(path)
    assert_same(recording, convscope.load_recording(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_recording_is_the_same_to_the_bit(kind, tmp_path):
    example = next(example for example in EXAMPLES if example.kind == kind)
    round_trip(example, tmp_path / "pass.safetensors")


@pytest.mark.filterwarnings("ignore")  # that PyTorch raises at the first call of some functions
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_every_example_is_the_same_to_the_bit(example, tmp_path):
    if example.kind == "cuda":
        pytest.skip("needs a GPU")
    round_trip(example, tmp_path / "pass.safetensors")


def test_skips_joins_attention_and_norms_are_the_same_to_the_bit(recording, saved):
    loaded = convscope.load_recording(saved)
    assert_same(recording, loaded)
    maps = recording["conv1"].tensor.clone()
    maps[:, 2] = 0
    one, other = (each.replay({"conv1": maps}) for each in (recording, loaded))
    assert torch.equal(one["fc"].tensor, other["fc"].tensor)
    assert not torch.equal(one["fc"].tensor, recording["fc"].tensor)
    assert {"image", "conv1", "conv2", "fc"} <= loaded.gradients("fc", 1).keys()


def test_replay_of_a_quantized_layer_is_what_the_layer_returns(tmp_path):
    """The oracle is the network, run on the other image."""
    example = next(example for example in EXAMPLES if example.kind == "quantized::conv2d")
    net, image = example.network(), image_of(example.image)
    record(net, image).save(tmp_path / "pass")
    replayed = convscope.load_recording(tmp_path / "pass").replay({"image": image.flip(-1)})
    expected = record(net, image.flip(-1))
    assert torch.equal(replayed[replayed.output].tensor, expected[expected.output].tensor)


def test_a_gradient_that_torch_does_not_have_is_refused():
    example = next(example for example in EXAMPLES if example.kind == "quantized::linear_dynamic")
    recording = record(example.network(), image_of(example.image))
    with pytest.raises(RequestError, match="PyTorch has no gradient for net"):
        recording.gradients(recording.output, (0,))


def test_results_that_share_memory_are_written_once(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Dropout()).eval()
    record(net, torch.randn(1, 20, 20)).save(tmp_path / "pass")
    names = load_tensors(tmp_path / "pass").tensors
    assert [name for name in names if name.startswith("results/")] == [
        "results/0",
        "results/image",
    ]
    loaded = convscope.load_recording(tmp_path / "pass")
    assert loaded["1"].tensor.data_ptr() == loaded["0"].tensor.data_ptr()


def test_a_recording_keeps_what_it_kept(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    record(net, torch.randn(1, 9, 9), keep=["2"]).save(tmp_path / "pass")
    loaded = convscope.load_recording(tmp_path / "pass")
    assert loaded.explain("2", (0, 0, 0)).is_within_tolerance
    with pytest.raises(RequestError, match="was not kept"):
        loaded.explain("0", (0, 0, 0))


def changed(path, change):
    """The file with another table, and its digest."""
    file = load_tensors(path)
    metadata, tensors = json.loads(json.dumps(dict(file.metadata))), dict(file.tensors)
    change(metadata, tensors)
    save_tensors(path, tensors, metadata)
    return path


def operation(metadata, name):
    return next(each for each in metadata["recording"]["operations"] if each["name"] == name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: m.update(version=VERSION + 1), f"reads version {VERSION}"),
        (lambda m, t: m.update(format="a run"), "is not a recording"),
        (lambda m, t: t.pop("results/conv1"), "results/conv1"),
        (lambda m, t: t.pop("state/fc.weight"), "state/fc.weight"),
        (lambda m, t: t.update({"state/fc.bias": torch.zeros(3)}), "another size"),
        (lambda m, t: m["recording"].pop("output"), "has no output"),
        (lambda m, t: m["recording"].update(output="fc9"), "fc9"),
        (lambda m, t: m["recording"]["operations"].pop(0), "conv1.*is missing"),
        (lambda m, t: operation(m, "conv2").update(args={"list": []}), "no arguments"),
        (lambda m, t: operation(m, "conv2").update(args={"what": [1]}), "unknown kind"),
        (lambda m, t: operation(m, "conv2").update(shape=[1, 6, 8, 8]), "another shape"),
    ],
)
def test_other_files_are_refused_in_words(saved, change, words):
    with pytest.raises((RequestError, WorkError), match=words):
        convscope.load_recording(changed(saved, change))


def test_damaged_files_and_pickles_are_refused_and_never_executed(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    content[-5] ^= 1
    saved.write_bytes(content)
    with pytest.raises(WorkError, match="digest"):
        convscope.load_recording(saved)
    saved.write_bytes(content[:-100])
    with pytest.raises(WorkError, match="damaged"):
        convscope.load_recording(saved)
    marker = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return marker.touch, ()

    for write in (torch.save, lambda evil, path: path.write_bytes(pickle.dumps(evil))):
        write(Evil(), saved)
        with pytest.raises(WorkError, match="was not written by convscope"):
            convscope.load_recording(saved)
    assert not marker.exists()
    with pytest.raises(WorkError, match="does not exist"):
        convscope.load_recording(tmp_path / "nothing")


@pytest.mark.parametrize(
    "function",
    [
        *("torch.load", "torch.from_file", "torch.Tensor.numpy", "os.system", "torch.os.system"),
        *("torch.ops.aten.from_file.default", "torch.hub.load", "torch.nn.functional.relu"),
    ],
)
def test_a_file_can_only_name_functions_that_do_what_its_kind_says(saved, function):
    """The operation is shown, and is not computed again."""
    loaded = convscope.load_recording(
        changed(saved, lambda m, t: operation(m, "conv1").update(function=function))
    )
    assert torch.equal(loaded["conv1"].tensor, loaded["conv1"].tensor)
    with pytest.raises(RequestError, match=r"The function of conv1 \(conv2d\) is not in the file"):
        loaded.replay({"image": loaded["image"].tensor})
    kind = function.rpartition(".")[2]
    changed(saved, lambda m, t: operation(m, "conv1").update(kind=kind))
    if kind != "relu":
        loaded = convscope.load_recording(saved)
        with pytest.raises(RequestError, match="is not in the file"):
            loaded.replay({"image": loaded["image"].tensor})


def test_what_no_file_can_hold_leaves_the_old_file(saved):
    before = saved.read_bytes()

    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.eye(4).to_sparse())

        def forward(self, x):
            return torch.sparse.mm(self.weight, x[0, 0])

    recording = record(Sparse(), torch.randn(1, 4, 4))
    with pytest.raises(RequestError, match=r"weight is a Tensor of torch\.sparse_coo"):
        recording.save(saved)
    assert saved.read_bytes() == before


def test_a_card_comes_back_and_interventions_need_no_network(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)).eval()
    card = Card(
        classes=("cat", "dog", "bird"), input_size=(8, 8), in_channels=1, resize_mode="pad",
        mean=(0.5,), std=(0.5,),
    )  # fmt: skip
    image = torch.randn(1, 8, 8)
    recording = record(net, image)
    path = tmp_path / "new folder" / "pass.safetensors"
    RecordedImage(recording, card, "").save(path)
    assert str(convscope.explain(path, at="3[dog]")) == str(recording.explain("3", 1))
    assert str(convscope.explain(recording, at="3[1]", contrast=0)) == str(
        recording.difference("3", 1, 0)
    )
    edits = ["1[0]=mean", "1[2]*=2", "3[0]+=1"]
    replayed = convscope.intervene(str(path), set=edits)
    run = convscope.intervene(net, image, set=edits, card=card)
    assert torch.equal(replayed.after["3"].tensor, run.after["3"].tensor)
    assert replayed.card == card
    for set_, words in (
        ("0.weight[1]=0", "needs the network"),
        ("1[0]=@other.png", "needs the network"),
        ("9[0]=0", "no operation '9'"),
        ("1[7]=0", "7"),
    ):
        with pytest.raises(RequestError, match=words):
            convscope.intervene(path, set=set_)
    with pytest.raises(RequestError, match="leave out the image, `weights`"):
        convscope.explain(path, image, weights="w.safetensors")


class OnItsDevice(nn.Module):
    """Names the device in calls, as code for a GPU does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        ramp = torch.arange(4.0, device=x.device).to("cpu")
        return (self.conv(x) * ramp).to(device=x.device).flatten(1)


def test_a_recording_of_a_device_that_is_not_here_is_explained_on_the_processor(tmp_path):
    """There need be no GPU: the file says what one from a GPU says."""
    recording = record(OnItsDevice(), torch.rand(1, 1, 6, 6))
    path, there = tmp_path / "here", tmp_path / "there"
    recording.save(path)
    file = load_tensors(path)
    told = json.dumps(file.metadata).replace('"cpu"', '"cuda:7"')
    assert told.count("cuda:7") > 4
    save_tensors(there, file.tensors, json.loads(told))
    with pytest.raises(RequestError, match=r"the device cuda:7, which is not available here"):
        convscope.load_recording(there)
    loaded = convscope.load_recording(there, device="cpu")
    assert torch.equal(loaded[loaded.output].tensor, recording[recording.output].tensor)
    image = recording["image"].tensor + 1
    replayed = [each.replay({"image": image}) for each in (recording, loaded)]
    assert torch.equal(*(each[each.output].tensor for each in replayed))
    shown = convscope.explain(str(there), at=f"{loaded.output}[3]")
    assert shown.model_value == float(recording[recording.output].tensor[0, 3])
