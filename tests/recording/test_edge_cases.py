"""Unusual networks that a recording must handle."""

import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from convscope.errors import NetworkError, RequestError
from convscope.explanation.recording import record
from convscope.layers import MinPool2d
from tests.recording.test_recording import Do


@pytest.fixture
def image():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def conv():
    torch.manual_seed(0)
    return nn.Conv2d(3, 3, 3, padding=1)


def test_names_are_unique_whatever_modules_are_called(image):
    net = Do(lambda n, x: n.relu_2(n.relu(n.relu(x))), relu=nn.ReLU(), relu_2=nn.Sigmoid())
    recording = record(net, image)
    assert len(set(recording.names)) == 3
    assert torch.equal(recording[recording.names[2]].tensor, torch.sigmoid(F.relu(image)))


@pytest.mark.parametrize("keep", [["conv_2"], "conv_2", ["image", "conv"]])
def test_a_second_call_can_be_kept_by_its_name(keep, image):
    recording = record(Do(lambda n, x: n.conv(n.conv(x)), conv=conv()), image, keep=keep)
    assert recording["conv_2"].tensor is not None
    assert recording.explain("conv_2", (0, 1, 1)).is_within_tolerance


def test_an_image_without_pixels_is_refused():
    with pytest.raises(RequestError, match="one image"):
        record(nn.ReLU(), torch.zeros(3, 0, 5))


def test_buffers_without_a_shape_are_refused(image):
    with pytest.raises(RequestError, match="is uninitialized"):
        record(nn.LazyBatchNorm2d(affine=False), image)


def test_a_layer_that_is_called_by_keyword_has_its_operand(image):
    net = Do(lambda n, x: n.pool(x=x), pool=MinPool2d(2))
    recording = record(net, image)
    assert recording["pool"].operands == ("image",)
    assert recording.explain("pool", (0, 1, 1)).is_within_tolerance


def test_torch_batch_norm_leaves_running_statistics(image):
    net = Do(
        lambda n, x: torch.batch_norm(
            x, None, None, n.mean, n.var, training, 0.1, 1e-5, cudnn_enabled=False
        )
    )
    net.register_buffer("mean", torch.zeros(3))
    net.register_buffer("var", torch.ones(3))
    for training in (True, False):  # noqa: B007 -- the network reads it
        recording = record(net, image)
        assert torch.equal(net.mean, torch.zeros(3))
        assert recording.explain("batch_norm", (1, 2, 3)).is_within_tolerance


def test_an_embedding_with_max_norm_leaves_its_weights():
    net = nn.Sequential(nn.Embedding(4, 3, max_norm=0.1))
    before = net[0].weight.detach().clone()
    record(net, torch.ones(1, 2, 2, dtype=torch.long))
    assert torch.equal(net[0].weight, before)


def assigned(weight):
    weight.data = weight.data * 0.1


CHANGES = [
    lambda weight: weight.data.clamp_(-0.01, 0.01),
    lambda weight: weight[0].zero_(),
    lambda weight: weight.clamp_(-0.01, 0.01),
    assigned,
]


@pytest.mark.parametrize("change", CHANGES)
def test_weights_that_the_network_changes_are_restored(change, image):
    def forward(net, x):
        change(net.conv.weight)
        return net.conv(x)

    net = Do(forward, conv=conv())
    before = net.conv.weight.detach().clone()
    recording = record(net, image)
    assert torch.equal(net.conv.weight, before)
    if change is not assigned:
        assert recording.explain("conv", (0, 1, 1)).is_within_tolerance
    with torch.no_grad():
        change(net.conv.weight)
        assert torch.equal(recording["conv"].tensor, net.conv(image))


def test_a_second_recording_while_training_leaves_the_first_as_it_is(image):
    net = nn.Sequential(nn.BatchNorm2d(3)).train()
    first = record(net, image)
    record(net, image)
    assert first.explain("0", (0, 0, 0)).is_within_tolerance


def test_a_recording_outlives_a_change_of_its_networks_numbers(image):
    net = nn.Sequential(conv())
    recording = record(net, image)
    net.half()
    assert recording.explain("0", (0, 1, 1)).is_within_tolerance
    net[0].weight = nn.Parameter(torch.zeros(3, 3, 3, 3))
    assert recording.explain("0", (0, 1, 1)).is_within_tolerance


def test_a_later_change_of_weights_shows_as_a_difference(image):
    net = nn.Sequential(conv())
    recording = record(net, image)
    net[0].weight.data.mul_(2)
    one = recording.explain("0", (0, 1, 1))
    assert not one.is_within_tolerance
    assert "changed after the recording" in str(one)


def test_the_image_may_be_written_to_in_inference_mode(image):
    before = image.clone()
    with torch.inference_mode():
        recording = record(nn.Sequential(nn.ReLU(inplace=True)), image)
    assert torch.equal(image, before)
    assert torch.equal(recording["image"].tensor, before)


def written_below(y):
    torch.ops.aten.relu_.default(y)


def data_set(y):
    y.data = torch.ones(1, 3, 8, 8)


@pytest.mark.parametrize("change", [written_below, data_set])
def test_operands_stay_as_they_were_however_they_are_changed(change, image):
    def forward(_net, x):
        y = x * 2
        change(y)
        return y + 1

    recording = record(Do(forward), image)
    assert torch.equal(recording["mul"].tensor, image * 2)
    expected = image * 2
    change(expected)
    assert torch.equal(recording["add"].tensor, expected + 1)


@pytest.mark.parametrize("is_buffer", [True, False])
def test_sparse_matrices_are_recorded_on(is_buffer, image):
    net = Do(lambda n, x: torch.sparse.mm(n.matrix, x[0, 0]))
    matrix = torch.eye(8).to_sparse()
    if is_buffer:
        net.register_buffer("matrix", matrix)
    else:
        net.matrix = matrix
    recording = record(net, image)
    assert torch.equal(recording[recording.output].tensor, image[0, 0])


def test_a_layer_with_a_computed_weight_has_its_own_name(image):
    recording = record(nn.Sequential(weight_norm(conv()), nn.ReLU()), image)
    assert recording.names[-2:] == ("0", "1")
    assert recording.explain("0", (0, 1, 1)).is_within_tolerance


def test_the_same_network_may_run_in_another_thread(image):
    net = nn.Sequential(conv(), nn.ReLU(), conv()).eval()
    names = record(net, image).names
    over, failures = threading.Event(), []

    def run():
        with torch.no_grad():
            while not over.is_set():
                try:
                    net(image)
                except Exception as error:  # noqa: BLE001 -- whatever it is, it is a failure
                    failures.append(error)

    other = threading.Thread(target=run)
    other.start()
    try:
        assert all(record(net, image).names == names for _ in range(60))
    finally:
        over.set()
        other.join()
    assert not failures


def test_updated_running_statistics_are_the_ones_read(image):
    def forward(net, x):
        return net.norm(x).permute(0, 2, 3, 1) + net.norm.running_mean

    net = Do(forward, norm=nn.BatchNorm2d(3)).train()
    recording = record(net, image)
    assert recording.explain("add", (0, 0, 0)).is_within_tolerance
    assert torch.equal(net.norm.running_mean, torch.zeros(3))


def test_a_failing_layer_leaves_no_hook_behind(image):
    net = nn.Sequential(MinPool2d(2), conv(), nn.Flatten(), nn.Linear(1, 1))
    with pytest.raises(NetworkError):
        record(net, image)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in net.modules())
    assert record(net[:2], image).explain("1", (0, 1, 1)).is_within_tolerance


def test_one_branch_of_a_condition_runs(image):
    net = Do(lambda _, x: torch.cond(x.sum() > 1e9, torch.sin, torch.cos, (x,)))
    recording = record(net, image)
    assert torch.equal(recording[recording.output].tensor, image.cos())


def test_nested_tensors_are_refused_in_a_sentence(image):
    net = Do(lambda _, x: torch.nested.as_nested_tensor([x[0, 0], x[0, 1]]).to_padded_tensor(0.0))
    with (
        pytest.warns(UserWarning, match="nested tensors is in prototype"),
        pytest.raises(RequestError, match="nested tensor, which record cannot follow"),
    ):
        record(net, image)


def test_a_network_that_writes_to_inference_tensors_is_refused_in_a_sentence(image):
    with torch.inference_mode():
        net = nn.Sequential(nn.BatchNorm2d(3))
    assert record(net.eval(), image).explain("0", (0, 1, 1)).is_within_tolerance
    with pytest.raises(RequestError, match=r"made in torch\.inference_mode\(\).* Call eval\(\)"):
        record(net.train(), image)
