"""Networks of others: no unit is explained wrongly, and the few unknown kinds are these."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.torchvision_operators import TORCHVISION
from convscope.explanation.recording import record
from tests.repetition import sample_fast

SMALLEST_NORMAL = 2.0**-126  # below it float32 loses digits

# (library, network, options, side, kinds that are unknown). As small as the layers take.
EVALUATED = [
    ("torchvision", "resnet50", {}, 32, set()),
    ("torchvision", "densenet121", {}, 32, set()),
    ("torchvision", "googlenet", {"transform_input": True, "init_weights": False}, 32, set()),
    ("torchvision", "inception_v3", {"transform_input": True, "init_weights": False}, 75, set()),
    ("torchvision", "mobilenet_v2", {}, 32, set()),
    ("torchvision", "mobilenet_v3_small", {}, 32, set()),
    ("torchvision", "mobilenet_v3_large", {}, 32, set()),
    ("torchvision", "mnasnet0_5", {}, 32, set()),
    ("torchvision", "efficientnet_b0", {}, 32, set()),
    ("torchvision", "shufflenet_v2_x0_5", {}, 32, set()),
    ("torchvision", "squeezenet1_1", {}, 32, set()),
    ("torchvision", "regnet_x_400mf", {}, 32, set()),
    ("torchvision", "regnet_y_400mf", {}, 32, set()),
    ("torchvision", "convnext_tiny", {}, 32, set()),
    ("torchvision", "lraspp_mobilenet_v3_large", {"weights_backbone": None}, 32, set()),
    ("torchvision", "vit_b_16", {"image_size": 32}, 32, set()),
    ("torchvision", "swin_t", {}, 32, set()),
    ("timm", "convnext_atto", {}, 32, set()),
    ("timm", "convnextv2_atto", {}, 32, set()),
    ("timm", "regnetx_002", {}, 32, set()),
    ("timm", "resnetv2_50", {}, 32, set()),
    ("timm", "resnetv2_50x1_bit", {}, 32, set()),
    ("timm", "nf_resnet26", {}, 32, set()),
    ("timm", "nfnet_l0", {}, 32, set()),
    ("timm", "ghostnet_050", {}, 32, set()),
    ("timm", "repvgg_a0", {}, 32, set()),
    ("timm", "seresnet18", {}, 32, set()),
    ("timm", "skresnet18", {}, 32, set()),
    ("timm", "resnest14d", {}, 32, set()),
    ("timm", "dla34", {}, 32, set()),
    ("timm", "mixnet_s", {}, 32, set()),
    ("timm", "resnetblur18", {}, 32, set()),
]
# Large enough for the batch norms to have more than one unit of a map.
TRAINED = [
    ("torchvision", "resnet50", {}, 64, set()),
    ("torchvision", "densenet121", {}, 64, set()),
    ("torchvision", "mobilenet_v3_small", {}, 64, set()),
    ("torchvision", "shufflenet_v2_x0_5", {}, 64, set()),
    ("torchvision", "efficientnet_b0", {}, 64, set()),
    ("torchvision", "convnext_tiny", {}, 32, set()),
    ("timm", "efficientnet_b0", {"drop_path_rate": 0.2}, 64, set()),
    ("timm", "nf_resnet26", {}, 32, set()),
    ("timm", "resnet18", {"drop_block_rate": 0.1}, 64, set()),
]


def named(row):
    return f"{row[0]}-{row[1]}"


def network(library, name, options):
    """A network of another library with random weights, of which none is 0 or 1."""
    torch.manual_seed(0)
    if library == "timm":
        net = pytest.importorskip("timm").create_model(name, pretrained=False, **options)
    else:
        assert TORCHVISION is None or TORCHVISION.ns == "torchvision"
        models = pytest.importorskip("torchvision").models
        net = models.get_model(name, weights=None, **options)
    randomized(net)
    return net.eval()


def randomized(net):
    """Move scales, biases and statistics, which start as 0 and 1 and would hide a mistake."""
    for weight in net.parameters():
        if max(weight.shape, default=1) == weight.numel():
            weight.data += 0.1 * torch.randn_like(weight)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.8, 1.5)


def picture(height, width=None):
    """Slopes, a disc with a sharp edge, and noise."""
    sides = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width or height)
    y, x = torch.meshgrid(*sides, indexing="ij")
    torch.manual_seed(1)
    smooth = torch.stack([y + x, y * x, (y * y + x * x < 0.5).float() - x])
    return smooth + 0.1 * torch.randn_like(smooth)


def random_unit(random, result):
    return tuple(int(random.integers(side)) for side in result.shape)


def kinds_unknown(recording, each=3):
    """The kinds that are unknown, after units of every operation; all others have to be right."""
    random = np.random.default_rng(0)
    unknown, wrong = set[str](), []
    for name in recording.names:
        for _ in range(each):
            explanation = recording.explain(name, random_unit(random, recording[name]))
            decomposition, model_value = explanation.decomposition, explanation.model_value
            if decomposition.kind == "unsupported":
                unknown.add(explanation.kind)
                continue
            to_the_bit = decomposition.kind in ("maximum", "minimum", "identity")
            allowed = 0 if to_the_bit else explanation.rounding_bound + SMALLEST_NORMAL
            same = (
                decomposition.exact_value == model_value
                or np.isnan([decomposition.exact_value, model_value]).all()
            )
            if (
                not (same or abs(decomposition.exact_value - model_value) <= allowed)
                or not explanation.is_within_tolerance
            ):
                wrong.append((name, explanation.at, decomposition.exact_value, model_value))
    assert wrong == []
    return unknown


def leaves(net, image):
    """Every leaf that is called once, with what it takes and gives, and the network's answer."""
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}
    taken: dict[str, Tensor] = {}
    handles = []
    for path, module in net.named_modules():
        if type(module) in EXACT:
            before = lambda _m, x, path=path: taken.update({path: x[0].clone()})  # noqa: E731
            after = lambda _m, _x, y, path=path: (  # noqa: E731
                calls.setdefault(path, []).append((taken[path], y.clone()))
            )
            handles += [
                module.register_forward_pre_hook(before),
                module.register_forward_hook(after),
            ]
    with torch.no_grad():
        answer = net(image[None])
    for handle in handles:
        handle.remove()
    return {path: many[0] for path, many in calls.items() if len(many) == 1}, answer


EXACT = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm, nn.MaxPool2d, nn.AvgPool2d)
EXACT += (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.AdaptiveAvgPool2d)


def first_tensor(answer):
    while not isinstance(answer, Tensor):
        answer = answer[next(iter(answer))] if isinstance(answer, dict) else answer[0]
    return answer


@pytest.mark.parametrize(
    ("library", "name", "options", "side", "unknown"),
    sample_fast(4, EVALUATED),
    ids=map(named, EVALUATED),
)
def test_every_operation_is_explained_or_listed_as_unsupported(
    library, name, options, side, unknown
):
    net = network(library, name, options)
    assert kinds_unknown(record(net, picture(side))) == unknown


LARGER = [row for row in EVALUATED if "image_size" not in row[2]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "name", "options", "side", "unknown"), LARGER, ids=map(named, LARGER)
)
def test_every_operation_is_explained_on_a_larger_image(library, name, options, side, unknown):
    recording = record(network(library, name, options), picture(4 * side, 5 * side))
    assert kinds_unknown(recording) == unknown


@pytest.mark.parametrize(
    ("library", "name", "options", "side", "unknown"),
    sample_fast(3, TRAINED),
    ids=map(named, TRAINED),
)
def test_every_operation_is_explained_in_training_mode(library, name, options, side, unknown):
    net = network(library, name, options).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(0)
    assert kinds_unknown(record(net, picture(side)), each=1) == unknown
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


SEVERAL = ("googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5", "ghostnet_050", "nf_resnet26")
SEVERAL += ("convnext_tiny", "densenet121", "lraspp_mobilenet_v3_large", "resnest14d")
CHOSEN = [one[:4] for one in EVALUATED if one[1] in SEVERAL]


@pytest.mark.parametrize(
    ("library", "name", "options", "side"), sample_fast(3, CHOSEN), ids=map(named, CHOSEN)
)
def test_results_are_bit_identical_and_exact_values_match_float64(library, name, options, side):
    net, image = network(library, name, options), picture(side)
    once, answer = leaves(net, image)
    recording = record(net, image)
    assert torch.equal(recording[recording.output].tensor, first_tensor(answer))
    random = np.random.default_rng(0)
    for path, (taken, given) in once.items():
        assert torch.equal(recording[path].tensor, given), path
        with torch.no_grad():
            exact = deepcopy(net.get_submodule(path)).double()(taken.double())
        at = random_unit(random, recording[path])
        lead = (0,) * (exact.ndim - len(at))
        expected, allowed = float(exact[lead + at]), 1e-10 * float(exact.abs().max())
        assert recording.explain(path, at).exact_value == pytest.approx(expected, abs=allowed), path
    assert len(once) > 10


@pytest.mark.parametrize(
    ("library", "name", "options", "side"), sample_fast(3, CHOSEN), ids=map(named, CHOSEN)
)
def test_tracing_back_terms_ends_at_the_image(library, name, options, side):
    recording = record(network(library, name, options), picture(side))
    random = np.random.default_rng(0)
    for _ in range(5):
        here = recording.output
        explanation = recording.explain(here, random_unit(random, recording[here]))
        for _ in range(len(recording)):
            terms = explanation.terms
            ways = [
                n for n in terms.largest(50) if terms[n].location.source in explanation.operands
            ]
            if not ways:  # a constant: the padding of a concatenation, say
                break
            term = terms[int(random.choice(ways))]
            here, at = term.location
            assert term.value == recording[here].value[at]
            if here == "image":
                break
            explanation = recording.explain(here, at)
            assert explanation.model_value == term.value
        assert here == "image"


class Everything(nn.Module):
    """What people write: functions, writing in place, a layer three times, control flow."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.mix = nn.Parameter(torch.randn(8, 8) / 3)
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.head = nn.Linear(32, 5)

    def forward(self, image, note=lambda _name, _tensor: None):
        x = self.stem(image)
        note("stem", x)
        F.relu_(x)
        note("relu", x)
        for turn in range(3):
            x = x + torch.relu(self.norm(self.block(x)))
            note(f"add{f'_{turn + 1}' * (turn > 0)}", x)
        x[:, ::2] += 0.5 * x[:, 1::2]
        note("setitem", x)
        x[:, 1, 2:4, 1:3] = -1.5
        note("setitem_2", x)
        flat = x.view(1, 8, -1)
        flat[0, 3].mul_(2)  # x has it too
        up, down = x.chunk(2, dim=1)
        down = torch.where(down > 0.2, down, up.flip(-1)).clamp(max=2.5)
        note("clamp", down)
        y = torch.cat([F.max_pool2d(up, 2, ceil_mode=True), F.avg_pool2d(down, 2)], 1)
        note("cat", y)
        y = F.conv2d(y, self.mix[:, :, None, None]) * torch.sigmoid(y.mean((2, 3), keepdim=True))
        note("mul_3", y)
        if float(y.abs().max()) > 1e-3:
            y = y / y.abs().amax()
            y = y - self.scale
        else:
            y = y * 1e6
        note("sub", y)
        z = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        z = torch.maximum(F.pad(z, (1, 0, 0, 1), value=0.3)[..., :-1, 1:], -z)
        note("maximum", z)
        z = F.pixel_unshuffle(F.pixel_shuffle(torch.roll(z, 1, -1), 2), 2)
        weights = torch.softmax(z.flatten(2), -1)
        pooled = (weights @ z.flatten(2).transpose(1, 2)).diagonal(dim1=1, dim2=2)
        note("diagonal", pooled)
        several = torch.stack([pooled, *(pooled.pow(p) for p in (2, 3))], -1).sum(-1)
        parts = [several, several.tanh(), F.layer_norm(several, (8,)), 1 - several.exp()]
        answer = self.head(torch.hstack(parts))
        note("head", answer)
        return F.log_softmax(answer, dim=-1)


def everything():
    torch.manual_seed(0)
    net = Everything().eval()
    randomized(net)
    return net


def test_a_network_that_does_everything_is_explained():
    recording = record(everything(), picture(12))
    assert kinds_unknown(recording, each=12) == set()


def test_every_result_is_kept_before_it_is_overwritten():
    net, image = everything(), picture(12)
    noted: dict[str, Tensor] = {}
    with torch.no_grad():
        answer = net(image[None], lambda name, tensor: noted.update({name: tensor.clone()}))
    recording = record(net, image)
    assert len(noted) == 14
    assert [n for n, tensor in noted.items() if not torch.equal(recording[n].tensor, tensor)] == []
    assert torch.equal(recording[recording.output].tensor, answer)


def test_a_layer_that_is_called_three_times_has_three_names():
    recording = record(everything(), picture(12))
    assert [n for n in recording.names if n.startswith("block")] == ["block", "block_2", "block_3"]
    taken = [recording[name].operands for name in ("block", "block_2", "block_3")]
    assert taken == [("relu",), ("add",), ("add_2",)]
    units = [recording.explain(name, (3, 5, 5)) for name in ("block", "block_2", "block_3")]
    filters = [unit.filter for unit in units]
    expected = everything().block.weight[3].detach().numpy()
    assert all(np.array_equal(one, expected) for one in filters)
    assert len({unit.model_value for unit in units}) == 3


def test_writes_through_a_view_appear_in_the_tensor():
    net, image = everything(), picture(12)
    recording = record(net, image)
    place = recording.names.index("chunk")
    before, after = recording["setitem_2"].value, recording["chunk"].value
    assert torch.equal(after[3], 2 * before[3])
    assert torch.equal(after[:3], before[:3])
    explanation = recording.explain(recording["chunk"].operands[0], (3, 6, 7))
    assert explanation.exact_value == 2 * float(before[3, 6, 7])
    assert "inplace_update" in {recording[name].kind for name in recording.names[:place]}


def test_a_constant_that_was_written_has_no_terms():
    recording = record(everything(), picture(12))
    written = recording.explain("setitem_2", (1, 2, 1))
    assert (written.exact_value, len(written.terms)) == (-1.5, 0)
    untouched = recording.explain("setitem_2", (1, 1, 1))
    assert len(untouched.terms) == 1


@pytest.mark.parametrize("brightness", [1.0, 1e-9])
def test_the_branch_taken_is_recorded(brightness):
    class Forked(nn.Module):
        def forward(self, x):
            return x * 3 if float(x.abs().max()) > 1e-3 else x - 7

    recording = record(Forked(), brightness * picture(4))
    assert recording[recording.output].kind == ("mul" if brightness == 1 else "sub")
    assert kinds_unknown(recording) == set()


def test_reading_out_a_number_does_not_change_the_recording():
    class Counted(nn.Module):
        def forward(self, x):
            total = x.abs().sum()
            return x / total if int(total) >= 0 and float(total) > 0 else x

    recording = record(Counted(), picture(4))
    assert recording["div"].operands == ("image", "sum")
    assert recording.names == ("abs", "sum", "div")


class Normalized(nn.Module):
    """Batch norm by the function of torch that has the arguments in another order."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        randomized(self)

    def forward(self, x):
        norm = self.norm
        state = norm.weight, norm.bias, norm.running_mean, norm.running_var
        return torch.batch_norm(x, *state, self.training, 0.1, 1e-5, False)  # noqa: FBT003


@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_called_as_native_batch_norm_is_explained(training):
    torch.manual_seed(0)
    net, image = Normalized().train(training), picture(6)
    before = net.norm.running_mean.clone()
    assert kinds_unknown(record(net, image)) == set()
    assert torch.equal(net.norm.running_mean, before)
