"""One network on several devices, as AlexNet was trained: half of every layer's maps on each."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.layers.activation import ScaledTanh
from convscope.layers.normalize import LocalResponseNorm
from convscope.layers.pool import MinPool2d

_MAP_BY_MAP = (
    nn.AvgPool2d,
    nn.Dropout,
    nn.Flatten,
    nn.Identity,
    nn.MaxPool2d,
    nn.ReLU,
    nn.Tanh,
    MinPool2d,
    ScaledTanh,
)


class Towers(nn.Module):
    """Run a grouped network as towers, each on its own device with its own share of the parameters.

    With T devices there are T towers, and each computes a T-th of every layer's maps and units. A
    convolution with T groups sees the maps of its own tower; one without groups, and every dense
    layer, sees those of all, and only there do the towers exchange what they computed. The answer
    lies on the first device. It equals the plain network's up to rounding, and so does every
    gradient; only dropout differs while training, for each tower draws its own mask.

    `net` is left as it is; its parameters are copied. `towers.0.conv2.weight` is what the first
    tower holds of `conv2.weight`; `plain_state` puts the shares together again. Do not move the
    whole to one device: each tower must stay on its own. On a CPU the devices may be the same; two
    GPUs are `("cuda:0", "cuda:1")`, which has not been tried.

    Raises RequestError for a layer that cannot be shared out: of a kind not known here, with
    another number of groups, or a local response normalization across towers.

    Reference: Krizhevsky, Sutskever & Hinton, 2012, section 3.2 and figure 2.
    """

    devices: tuple[torch.device, ...]
    towers: nn.ModuleList

    def __init__(
        self, net: nn.Sequential, devices: Sequence[str | torch.device] = ("cpu", "cpu")
    ) -> None:
        super().__init__()
        if not devices:
            raise RequestError("There are no devices; name one for each tower.")
        self.devices = tuple(torch.device(device) for device in devices)
        layers = dict(net.named_children())
        self.towers = nn.ModuleList(
            nn.ModuleDict(
                {name: _share(name, layer, tower, len(devices)) for name, layer in layers.items()}
            ).to(device)
            for tower, device in enumerate(self.devices)
        )
        self._exchanged = {name: _sees_all(layer) for name, layer in layers.items()}
        self.train(net.training)

    def forward(self, x: Tensor) -> Tensor:
        shares = list(x.tensor_split(len(self.devices), dim=1))
        for name, exchanged in self._exchanged.items():
            if exchanged:
                whole = {device: _whole(shares, device) for device in set(self.devices)}
                shares = [whole[device] for device in self.devices]
            shares = [
                self.get_submodule(f"towers.{tower}.{name}")(share.to(device))
                for tower, (share, device) in enumerate(zip(shares, self.devices, strict=True))
            ]
        return _whole(shares, self.devices[0])

    def plain_state(self) -> dict[str, Tensor]:
        """The state dict of the plain network with these parameters, on the first device."""
        states = [tower.state_dict() for tower in self.towers]
        return {
            name: torch.cat([state[name].to(self.devices[0]) for state in states])
            for name in states[0]
        }

    def load_plain_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the parameters of a plain network: the inverse of `plain_state`."""
        for place, tower in enumerate(self.towers):
            tower.load_state_dict(
                {name: _part(whole, place, len(self.devices)) for name, whole in state.items()}
            )

    def extra_repr(self) -> str:
        return f"devices={tuple(map(str, self.devices))}"


def _sees_all(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _whole(shares: Sequence[Tensor], device: torch.device) -> Tensor:
    """All towers' maps or units, on one device."""
    return torch.cat([share.to(device) for share in shares], dim=1)


def _part(whole: Tensor, tower: int, towers: int) -> Tensor:
    """A tower's share of a parameter: its filters or units, which are the first axis."""
    return whole.tensor_split(towers)[tower]


def _share(name: str, layer: nn.Module, tower: int, towers: int) -> nn.Module:
    """The part of a layer that stands in one tower."""
    share = copy.deepcopy(layer)
    for key, whole in layer.named_parameters():
        part = _part(whole.detach(), tower, towers).clone()
        share.register_parameter(key, nn.Parameter(part, requires_grad=whole.requires_grad))
    match share:
        case nn.Conv2d() if share.groups in {1, towers}:
            share.out_channels = len(share.weight)
            share.in_channels //= share.groups
            share.groups = 1
        case nn.Linear():
            share.out_features = len(share.weight)
        case LocalResponseNorm() if share.groups == towers:
            share.groups = 1
        case _ if isinstance(share, _MAP_BY_MAP):
            pass
        case _:
            raise RequestError(
                f"Layer {name}, {layer}, cannot be shared out to {towers} towers. What can: "
                f"Linear; Conv2d in 1 or {towers}, LocalResponseNorm in {towers} groups; "
                f"{', '.join(kind.__name__ for kind in _MAP_BY_MAP)}."
            )
    return share
