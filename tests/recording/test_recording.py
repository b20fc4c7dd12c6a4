"""What `record` promises: every operation as it was computed, and an unchanged network."""

import copy
import gc
import random
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.nn.modules import module as hooks
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from convscope.errors import NetworkError, RequestError
from convscope.explanation.recording import record
from convscope.layers import MinPool2d
from convscope.recording import run_once
from convscope.recording.retention import storage_id
from convscope.summaries.empty_batch import EmptyBatch
from convscope.zoo import create_model


class Do(nn.Module):
    """Call a function with the network, which has the modules, and its input."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, value in modules.items():
            setattr(self, name, value)

    def forward(self, *given):
        return self.function(self, *given)


class Residual(nn.Module):
    """A convolution that is called twice; activations and a skip, all in place."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.norm(self.conv(x)))
        y = self.conv(y)
        y += x
        return self.relu(y)


class Branching(nn.Module):
    """Two branches concatenated along channels; functions instead of modules without weights."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(3, 4, 5, padding=2)
        self.narrow = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        wide, narrow = F.relu_(self.wide(x)), F.max_pool2d(self.narrow(x), 3, 1, 1)
        return torch.cat([wide, narrow], 1).flatten(1)


def sequential():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten())


def convolved(channels=3):
    return nn.Conv2d(channels, channels, 3, padding=1)


SMALL = {
    "sequential": sequential,
    "residual": lambda: nn.Sequential(Residual(3), Residual(3)),
    "branching": Branching,
    "shared": lambda: nn.Sequential(*[convolved(), nn.ReLU()] * 2),
}
RELEASED = ("resnet18", "densenet121", "mobilenet_v3_small")


@pytest.fixture
def image():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def plain(net, image):
    """The output of a copy of the network that is not recorded."""
    with torch.no_grad():
        return copy.deepcopy(net)(image.clone())


def hooked(net, image):
    """Outputs of leaf modules by forward hooks, in order; the second call of `a` is `a_2`."""
    seen, calls = {}, Counter()
    net = copy.deepcopy(net)

    def see(path):
        def hook(_module, _inputs, answer):
            calls[path] += 1
            seen[path if calls[path] == 1 else f"{path}_{calls[path]}"] = answer.clone()

        return hook

    for path, part in net.named_modules():
        if not any(part.children()):
            part.register_forward_hook(see(path))
    with torch.no_grad():
        net(image.clone())
    return seen


def state_of(net):
    """Copies of every parameter and buffer, and the objects themselves."""
    held = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return {name: (tensor, tensor.detach().clone()) for name, tensor in held.items()}


def assert_left_alone(net, before):
    after = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    assert list(after) == list(before)
    for name, (tensor, value) in before.items():
        assert after[name] is tensor, name
        assert torch.equal(tensor, value), name


# Names, order and values


@pytest.mark.parametrize("name", SMALL)
def test_modules_have_the_values_that_forward_hooks_see_in_their_order(name, image):
    net = SMALL[name]().eval()
    recording, seen = record(net, image), hooked(net, image)
    assert [name for name in recording.names if name in seen] == list(seen)
    for path, value in seen.items():
        assert torch.equal(recording[path].tensor, value), path
    assert torch.equal(recording[recording.output].tensor, plain(net, image))


def test_names_are_paths_of_modules_and_for_functions_the_caller_and_the_kind(image):
    assert record(nn.Sequential(Residual(3)), image).names == (
        *("0.conv", "0.norm.add", "0.norm", "0.relu", "0.conv_2", "0.add", "0.relu_2"),
    )
    assert record(Branching(), image).names == (
        *("wide", "relu", "narrow", "max_pool2d", "cat", "flatten"),
    )
    assert record(SMALL["shared"](), image).names == ("0", "1", "0_2", "1_2")


def test_a_functional_network_has_names_and_operands(image):
    weight = nn.Parameter(torch.randn(4, 3, 3, 3))
    net = Do(lambda net, x: F.relu(F.conv2d(x, net.weight)).mean((2, 3)), weight=weight)
    recording = record(net, image)
    found = [(step.name, step.operands) for step in map(recording.__getitem__, recording.names)]
    assert found == [("conv2d", ("image",)), ("relu", ("conv2d",)), ("mean", ("relu",))]
    expected = F.conv2d(image, weight.detach())
    assert torch.equal(recording["conv2d"].tensor, expected)
    assert torch.equal(recording["mean"].tensor, expected.relu().mean((2, 3)))


class Interpreter(fx.Interpreter):
    """Runs a traced network and keeps the result of every node under its expected name."""

    def __init__(self, traced):
        super().__init__(traced)
        self.names, self.values, self.operands = {}, {}, {}
        self.calls = Counter()

    def run_node(self, n):
        answer = super().run_node(n)
        if n.op in ("call_module", "call_function", "call_method"):
            kind = getattr(n.target, "__name__", n.target).strip("_").removeprefix("i")
            caller = [*n.meta.get("nn_module_stack", {"": ("", None)}).values()][-1][0]
            name = n.target if n.op == "call_module" else f"{caller}.{kind}".lstrip(".")
            self.calls[name] += 1
            self.names[n] = name if self.calls[name] == 1 else f"{name}_{self.calls[name]}"
            self.values[self.names[n]] = answer.clone()
            self.operands[self.names[n]] = tuple(
                self.names.get(given, "image") for given in n.all_input_nodes
            )
        return answer


@pytest.mark.parametrize("name", RELEASED)
def test_names_operands_and_values_are_those_that_torch_fx_finds(name):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(weights=None).eval()
    picture = torch.randn(1, 3, 64, 64)
    recording, traced = record(net, picture), Interpreter(fx.symbolic_trace(net))
    with torch.no_grad():
        traced.run(picture.clone())
    assert list(recording.names) == list(traced.values)
    for path, value in traced.values.items():
        assert recording[path].operands == traced.operands[path], path
        assert torch.equal(recording[path].tensor, value), path
    assert recording.output == recording.names[-1]


def test_what_runs_depends_on_the_image():
    def forward(net, x):
        for _ in range(int(x.sum())):
            x = net.conv(x)
        return x

    net = Do(forward, conv=nn.Conv2d(1, 1, 1))
    for times in (1, 3):
        recording = record(net, torch.full((1, 1, 1), float(times)))
        calls = [f"conv_{n}" if n > 1 else "conv" for n in range(1, times + 1)]
        assert [one for one in recording.names if recording[one].kind == "conv2d"] == calls
        assert recording.output == calls[-1]


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (lambda x: {"scores": x + 1, "maps": [x * 2]}, "add"),
        (lambda x: (x * 2, x + 1), "mul"),
        (lambda x: [[], (None, x + 1)], "add"),
        (lambda x: x, "image"),
    ],
)
def test_the_output_is_the_first_tensor_that_a_network_answers(answer, output, image):
    assert record(Do(lambda _, x: answer(x)), image).output == output


def test_a_network_that_answers_nothing_is_recorded(image):
    def forward(_net, x):
        x.mul(2)

    recording = record(Do(forward), image)
    assert torch.equal(recording["mul"].tensor, image * 2)
    assert record(Do(lambda _net, _x: None), image).names == ()


def test_a_tensor_that_is_no_parameter_is_a_constant(image):
    constant = torch.arange(3.0).reshape(3, 1, 1)
    recording = record(Do(lambda net, x: x + net.offset, offset=constant), image)
    assert recording.names == ("add",)
    assert recording["add"].operands == ("image",)
    assert recording.explain("add", (2, 4, 5)).exact_value == pytest.approx(
        float(image[0, 2, 4, 5]) + 2
    )


# What is written over

CHANGES = {
    "relu_": lambda y: y.relu_(),
    "inplace=True": lambda y: F.relu(y, inplace=True),
    "a module": nn.ReLU(inplace=True),
    "+=": lambda y: y.__iadd__(1),
    "*=": lambda y: y.__imul__(2),
    "/=": lambda y: y.__itruediv__(2),
    "//=": lambda y: y.__ifloordiv__(2),
    "%=": lambda y: y.__imod__(2),
    "**=": lambda y: y.__ipow__(2),
    "an item": lambda y: y.__setitem__((slice(None), 0), 1),
    "a mask": lambda y: y.__setitem__(y < 0, 0),
    "out": lambda y: torch.add(y, 1, out=y),
    "a function with _": torch.relu_,
    "a view": lambda y: y[:, :2].relu_(),
    "a view of a view": lambda y: y.transpose(2, 3)[0, 1].mul_(3),
    "a view, an item": lambda y: y[:, 1].__setitem__((0, slice(2)), 7),
    "data": lambda y: y.data.relu_(),
    "a flat view, out": lambda y: torch.neg(y.view(-1), out=y.view(-1)),
    "twice": lambda y: (y[:, :2].relu_(), y[:, 1:].mul_(2)),
    "its shape": lambda y: y.transpose_(2, 3),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_written_over_is_kept_before_and_after(name, image):
    def forward(_net, x):
        y = x * 2
        CHANGES[name](y)
        return y + 1

    after = image * 2
    with torch.no_grad():
        CHANGES[name](after)
    recording = record(Do(forward), image)
    assert torch.equal(recording["mul"].tensor, image * 2)
    last = recording[recording.output]
    assert torch.equal(last.tensor, after + 1)
    assert torch.equal(recording[last.operands[0]].tensor, after)
    assert last.operands != ("mul",)
    recording.explain(last.name, (0, 0, 0))  # nothing looks as if it was changed afterwards


@pytest.mark.parametrize(
    ("forward", "operands"),
    [
        (lambda y, v: (v.relu_(), y + 0)[1], ("mul", "relu")),
        (lambda y, v: (y.relu_(), v + 0)[1], ("getitem", "relu")),
    ],
)
def test_a_change_through_another_tensor_is_an_operation(forward, operands, image):
    def net(_net, x):
        y = x * 2
        return forward(y, y[:, 1:])

    recording = record(Do(net), image)
    overwritten = recording["inplace_update"]
    assert recording.names == ("mul", "getitem", "relu", "inplace_update", "add")
    assert (overwritten.kind, overwritten.operands) == ("inplace_update", operands)
    assert torch.equal(overwritten.tensor, plain(Do(net), image))
    for at in ((0, 1, 2), (1, 3, 3)):
        explained = recording.explain("inplace_update", at)
        assert explained.exact_value == explained.model_value == float(overwritten.tensor[(0, *at)])


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 3, 8, 8)])
def test_the_image_is_left_alone_where_the_network_writes_to_it(shape, image):
    given = image.reshape(shape).clone()
    recording = record(nn.Sequential(nn.ReLU(inplace=True), convolved()), given)
    assert torch.equal(given, image.reshape(shape))
    assert torch.equal(recording["image"].tensor, image)
    assert torch.equal(recording["0"].tensor, image.relu())
    given.zero_()  # the recording has its own
    assert torch.equal(recording["image"].tensor, image)


# Modes, memory formats, types


@pytest.mark.parametrize("network_too", [False, True])
def test_channels_last_stays_channels_last(network_too, image):
    net = nn.Sequential(convolved(), nn.BatchNorm2d(3), nn.ReLU(inplace=True), convolved()).eval()
    if network_too:
        net = net.to(memory_format=torch.channels_last)
    image = image.contiguous(memory_format=torch.channels_last)
    recording = record(net, image)
    assert recording["image"].tensor.stride() == image.stride()
    for path, value in hooked(net, image).items():
        assert torch.equal(recording[path].tensor, value), path
        assert recording[path].tensor.stride() == value.stride(), path


def test_double_networks_stay_double(image):
    net = nn.Sequential(convolved(), nn.BatchNorm2d(3), nn.ReLU()).double().eval()
    recording = record(net, image.double())
    for path, value in hooked(net, image.double()).items():
        assert recording[path].tensor.dtype == torch.float64
        assert torch.equal(recording[path].tensor, value), path
    assert recording.explain("0", (0, 1, 1)).precision.unit == 2.0**-53


def drawing(_net, x):
    """Draw from every source of random numbers."""
    scale = np.random.rand() + random.random()  # noqa: NPY002 -- what networks draw from
    return F.dropout(x, 0.5, training=True) * scale * torch.rand(())


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("training", [True, False])
def test_a_network_runs_in_its_mode_and_its_state_and_the_dice_are_as_before(
    training, momentum, image
):
    net = nn.Sequential(
        convolved(), nn.BatchNorm2d(3, momentum=momentum), nn.Dropout(), Do(drawing)
    ).train(training)
    net[0].eval()
    modes = [part.training for part in net.modules()]

    def throw():
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002
        random.seed(7)

    def dice():
        return float(torch.rand(())), np.random.rand(), random.random()  # noqa: NPY002

    throw()
    expected = plain(net, image)
    before = state_of(net)
    throw()
    recording = record(net, image)
    drawn = dice()
    throw()
    assert drawn == dice()
    assert torch.equal(recording[recording.output].tensor, expected)
    assert [part.training for part in net.modules()] == modes
    assert_left_alone(net, before)


def test_buffers_that_are_bound_anew_are_what_they_were(image):
    def forward(net, x):
        net.seen = net.seen + x.mean()
        net.count += 1
        net.register_buffer("fresh", x)
        return x * 2

    net = Do(forward)
    net.register_buffer("seen", torch.zeros(()))
    net.register_buffer("count", torch.zeros(()))
    before = state_of(net)
    record(net, image)
    assert_left_alone(net, before)


def test_a_parameter_that_the_network_writes_to_is_put_back(image):
    def forward(net, x):
        net.conv.weight.clamp_(-0.01, 0.01)
        net.conv.bias.data.zero_()
        return net.conv(x)

    net = Do(forward, conv=convolved())
    before, expected = state_of(net), plain(net, image)
    recording = record(net, image)
    assert torch.equal(recording["conv"].tensor, expected)
    assert_left_alone(net, before)


def test_a_result_in_a_buffers_memory_is_what_it_was_though_the_buffer_is_put_back(image):
    def forward(net, x):
        y = net.norm(x)
        return y + net.norm.running_mean.view(3, 1, 1)

    net = Do(forward, norm=nn.BatchNorm2d(3)).train()
    recording, learned = record(net, image), copy.deepcopy(net)
    answer = plain(net, image)
    learned.norm(image)
    assert torch.equal(recording["view"].tensor.flatten(), learned.norm.running_mean)
    assert torch.equal(recording["add"].tensor, answer)
    assert not net.norm.running_mean.any()
    assert recording.explain("add", (1, 2, 3)).is_within_tolerance


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", [spectral_norm, weight_norm])
def test_weights_that_are_computed_are_recorded_as_they_were_computed(norm, training, image):
    net = nn.Sequential(norm(convolved()), nn.ReLU()).train(training)
    before, expected = state_of(net), copy.deepcopy(net)
    recording = record(net, image)
    assert_left_alone(net, before)
    with torch.no_grad():
        weight = expected[0].weight  # spectral norm looks for its vectors while training
        value = F.conv2d(image, weight, expected[0].bias, padding=1)
    (conv,) = [name for name in recording.names if recording[name].kind == "conv2d"]
    assert torch.equal(recording[conv].tensor, value)
    explained = recording.explain(conv, (2, 4, 4))
    assert explained.filter is not None
    assert torch.equal(torch.from_numpy(explained.filter).float(), weight[2])


# Nothing is left behind


def traces(net):
    """Everything that a recording could leave behind."""
    return (
        [bool(part._forward_hooks or part._forward_pre_hooks) for part in net.modules()],
        [set(part.__dict__) for part in net.modules()],
        [len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)],
        len(hooks._global_forward_hooks_always_called),
        _get_current_function_mode_stack(),
        _get_current_dispatch_mode_stack(),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        torch.get_default_dtype(),
    )


class Refused(BaseException):
    """What a network might raise; not even an Exception."""


def refuse(_net, x):
    raise Refused(x.shape)


FAILING = {
    "a function": (Do(refuse), Refused),
    "a module": (nn.Conv2d(5, 1, 1), NetworkError),
    "a layer of the papers": (MinPool2d(99), Exception),
}


@pytest.mark.parametrize("fails", [None, *FAILING])
def test_no_trace_is_left_by_success_or_failure(fails, image):
    last, error = FAILING[fails] if fails else (nn.Identity(), None)
    net = nn.Sequential(
        nn.BatchNorm2d(3), nn.Dropout(), nn.ReLU(inplace=True), nn.Sequential(last)
    ).train()
    before, state, dice = traces(net), state_of(net), torch.get_rng_state()
    if error:
        with pytest.raises(error):
            record(net, image)
    else:
        record(net, image)
    assert traces(net) == before
    assert torch.equal(torch.get_rng_state(), dice)
    assert_left_alone(net, state)


def test_a_network_that_catches_a_failure_is_recorded_on(image):
    def forward(net, x):
        try:
            return net.pool(x)
        except Exception:  # noqa: BLE001 -- whatever the layer raises
            return net.conv(x)

    recording = record(Do(forward, pool=MinPool2d(99), conv=convolved()), image)
    assert recording.names[-1] == recording.output == "conv"
    assert record(nn.Sequential(MinPool2d(2)), image).names == ("0",)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gradients_are_left_alone(around, image):
    net = nn.Sequential(convolved(), nn.BatchNorm2d(3), nn.ReLU()).eval()
    net[1].weight.requires_grad_(requires_grad=False)
    net(image).sum().backward()
    wanted = [parameter.requires_grad for parameter in net.parameters()]
    grads = [(p.grad, None if p.grad is None else p.grad.clone()) for p in net.parameters()]
    seen, given = hooked(net, image), image.clone().requires_grad_()
    with around():
        before = traces(net)
        recording = record(net, given)
        assert traces(net) == before
    assert [parameter.requires_grad for parameter in net.parameters()] == wanted
    for parameter, (grad, value) in zip(net.parameters(), grads, strict=True):
        assert parameter.grad is grad
        assert grad is None or torch.equal(grad, value)
    assert given.requires_grad
    assert given.grad is None
    for path, value in seen.items():
        assert torch.equal(recording[path].tensor, value), path
        assert not recording[path].tensor.requires_grad
        assert not recording[path].tensor.is_inference()  # its changes could not be noticed
    net(given).sum().backward()  # the network learns on
    assert given.grad is not None


def test_a_second_thread_does_not_get_into_a_recording(image):
    net, other = nn.Sequential(Residual(3)).eval(), nn.Sequential(Residual(3)).eval()
    names, expected = record(net, image).names, plain(other, image)
    over, wrong, runs = threading.Event(), [], []

    def run():
        with torch.no_grad():
            while not over.is_set():
                runs.append(1)
                if not torch.equal(other(image), expected):
                    wrong.append("answer")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        recordings = [record(net, image) for _ in range(20)]
    finally:
        over.set()
        thread.join()
    assert runs
    assert not wrong
    assert all(recording.names == names for recording in recordings)


def test_two_threads_record_at_once(image):
    nets = [nn.Sequential(Residual(3)).eval(), Branching()]
    expected = [record(net, image).names for net in nets]
    found = [[], []]

    def run(place):
        found[place] = [record(nets[place], image).names for _ in range(10)]

    threads = [threading.Thread(target=run, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[names] * 10 for names in expected]


# What is kept


def staged():
    """Stages of which every result has a shape of its own."""
    stem = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    head = nn.Sequential(nn.Conv2d(4, 5, 3), nn.Conv2d(5, 6, 1))
    return Do(
        lambda net, x: net.head(F.max_pool2d(net.stem(x), 2)).mean((2, 3)),
        stem=stem,
        head=head,
    )


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ([], {"image"}),
        (["stem"], {"image", "stem.0", "stem.1"}),
        (["stem.1"], {"image", "stem.0", "stem.1"}),
        (["head"], {"image", "max_pool2d", "head.0", "head.1"}),
        (["head.1"], {"image", "head.0", "head.1"}),
        (["mean"], {"image", "head.1", "mean"}),
        (["max_pool2d", "stem.0"], {"image", "stem.0", "stem.1", "max_pool2d"}),
        (None, {"image", "stem.0", "stem.1", "max_pool2d", "head.0", "head.1", "mean"}),
    ],
)
def test_results_and_operands_are_kept_of_what_was_asked_for(keep, kept, image):
    net = staged()
    whole, recording = record(net, image), record(net, image, keep=iter(keep) if keep else keep)
    assert recording.names == whole.names
    for name in ("image", *whole.names):
        assert recording[name].operands == whole[name].operands
        assert recording[name].shape == whole[name].shape
        if name in kept:
            assert torch.equal(recording[name].tensor, whole[name].tensor), name
        else:
            with pytest.raises(RequestError, match="not kept"):
                _ = recording[name].value
            with pytest.raises(RequestError, match="not kept"):
                recording.explain(name, (0,) * len(recording[name].shape))


@pytest.mark.parametrize("name", ["haed", "head.2", "stem.0.weight", "sqrt"])
def test_a_name_to_keep_that_is_none_is_told(name, image):
    with pytest.raises(RequestError, match=name):
        record(staged(), image, keep=["stem", name])


@pytest.mark.parametrize("keep", [None, ["last"], []])
def test_what_is_not_kept_is_freed_while_the_network_runs(keep, image):
    alive, refs = [], []

    def forward(net, x):
        y = net.first(x)
        refs.append(StorageWeakRef(y.untyped_storage()))
        y = F.relu(y)
        refs.append(StorageWeakRef(y.untyped_storage()))
        y = net.middle(y)
        alive.extend(not ref.expired() for ref in refs)
        return net.last(y)

    net = Do(forward, first=convolved(), middle=convolved(), last=convolved())
    recording = record(net, image, keep=keep)
    assert alive == [keep is None] * 2
    gc.collect()
    assert [not ref.expired() for ref in refs] == [keep is None] * 2
    assert recording.names == ("first", "relu", "middle", "last")


def test_what_was_freed_is_not_taken_for_what_came_after_it(image):
    def forward(_net, x):
        for _ in range(10):
            y = x * 2
            del y  # the next tensor is likely to lie where it lay
            x = x + torch.from_numpy(np.ones(1, dtype=np.float32))
        return x

    recording = record(Do(forward), image, keep=[])
    sums = [name for name in recording.names if recording[name].kind == "add"]
    assert len(sums) == 10
    for before, name in zip(["image", *sums], sums, strict=False):
        assert recording[name].operands == (before,)


def memories(recording):
    """Addresses and sizes of the storages of results."""
    found = [recording[name].tensor.untyped_storage() for name in ("image", *recording.names)]
    return {storage.data_ptr(): storage.nbytes() for storage in found}


def test_a_result_is_held_once_and_is_the_one_that_the_network_had(image):
    kept = []

    def forward(net, x):
        y = net.conv(x)
        z = F.dropout(y, training=False)
        flat = z.flatten(1)
        kept.extend([y, flat, flat.view(3, 8, 8)[1]])
        return flat

    recording = record(Do(forward, conv=convolved()), image)
    assert sum(memories(recording).values()) == 2 * image.nbytes
    for name, tensor in zip(("conv", "flatten", "getitem"), kept, strict=True):
        assert recording[name].tensor.data_ptr() == tensor.data_ptr()
        assert recording[name].tensor.stride() == tensor.stride()


def test_what_shared_memory_before_it_was_written_to_shares_its_copy(image):
    def forward(_net, x):
        y = x * 2
        v = y.view(3, 64)[1]
        y.relu_()
        y += 1
        return v

    recording = record(Do(forward), image)
    before, view = recording["mul"].tensor, recording["getitem"].tensor
    assert view.data_ptr() == before[0, 1].data_ptr()
    assert torch.equal(view, image[0, 1].flatten() * 2)
    assert sum(memories(recording).values()) == 4 * image.nbytes  # x, 2x, its relu, plus 1
    assert len({recording[name].tensor.data_ptr() for name in ("mul", "relu", "add")}) == 3


VGG16 = [(64, 2, 224), (128, 2, 112), (256, 3, 56), (512, 3, 28), (512, 3, 14)]
"""Filters, convolutions and side of the maps of each block."""


@pytest.mark.parametrize("inplace", [False, True])
def test_a_vgg16_is_held_with_every_result_once_and_nothing_else(inplace):
    """Also where each ReLU overwrites its convolution, which is the case in torchvision's."""
    with torch.device("meta"), EmptyBatch():
        net = create_model("vgg16").eval()
        for layer in net.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = inplace
        done = run_once(net, torch.zeros(1, 3, 224, 224), should_keep=lambda module, kind: True)
    held = {storage_id(t): t.untyped_storage().nbytes() for t in done.results.values()}
    maps = sum(f * side**2 * (2 * count + 1 / 4) for f, count, side in VGG16)  # with ReLU, pooled
    assert sum(held.values()) == 4 * (3 * 224**2 + maps + 4 * 4096 + 1000)


# What is refused


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (0, 3, 8, 8), (3,), (), (2, 1, 3, 8, 8)])
def test_more_or_less_than_one_image_is_refused(shape):
    with pytest.raises(RequestError, match="one image"):
        record(nn.Identity(), torch.zeros(shape))


def test_a_lazy_network_is_refused_until_it_has_run(image):
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d())
    with pytest.raises(RequestError, match=r"1\.weight"):
        record(net, image)
    net(image)
    assert record(net.eval(), image).names == ("0", "1", "2")


def test_an_image_of_another_size_is_refused_with_the_layer_and_what_the_network_raises(image):
    net = nn.Sequential(nn.Conv2d(4, 4, 1))
    with pytest.raises(RuntimeError) as expected:
        net(image)
    with pytest.raises(NetworkError, match=r"at layer 0: .* takes 4 channels, .* has 3") as found:
        record(net, image)
    assert str(expected.value).splitlines()[0] in str(found.value)


def step(net, _recording):
    net(torch.ones(1, 3, 8, 8)).sum().backward()
    torch.optim.SGD(net.parameters(), 0.1).step()


def add(net, _recording):
    with torch.no_grad():
        net[0].weight[0, 0, 0, 0] += 1


AFTERWARDS = {
    "a step of an optimizer": step,
    "a weight": add,
    "weights that are loaded": lambda net, _: net.load_state_dict(sequential().state_dict()),
    "weights that are drawn": lambda net, _: nn.init.zeros_(net[0].bias),
    "a result": lambda _, recording: recording["0"].tensor.add_(1),
    "the image": lambda _, recording: recording["image"].tensor.zero_(),
}


@pytest.mark.parametrize("name", AFTERWARDS)
def test_what_was_changed_after_the_recording_is_not_explained(name, image):
    net = sequential()
    recording = record(net, image)
    recording.explain("2", (0, 0, 0))
    AFTERWARDS[name](net, recording)
    with pytest.raises(RequestError, match="changed after the recording"):
        recording.explain("2", (0, 0, 0))


def test_a_name_or_an_index_that_is_not_there_is_told(image):
    recording = record(staged(), image)
    with pytest.raises(RequestError, match=r"Did you mean 'head\.1'"):
        _ = recording["head1"]
    for at in ((0, 0), (4, 0, 0), (0, -1, 0), (0, 0, 8), ()):
        with pytest.raises(RequestError, match="no unit"):
            recording.explain("stem.0", at)
    assert "mean" in recording
    assert "min" not in recording
    assert len(recording) == 6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_image_takes_on_the_type_of_the_parameters(dtype):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).to(dtype)
    image = torch.rand(3, 6, 6)
    recording = record(net, image)
    assert recording["image"].tensor.dtype == recording["1"].tensor.dtype == dtype
    assert torch.equal(recording["image"].value, image.to(dtype))
    assert recording.explain("0", (1, 2, 2)).is_within_tolerance
    assert image.dtype == torch.float32


def test_under_autocast_the_image_keeps_its_type():
    image = torch.rand(3, 6, 6, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        recording = record(nn.Conv2d(3, 4, 3), image)
    assert recording["image"].tensor.dtype == torch.bfloat16
