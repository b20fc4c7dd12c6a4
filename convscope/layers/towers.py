"""A network on several devices, as AlexNet was trained: each has half of every layer's maps."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.layers.activation import ScaledTanh
from convscope.layers.normalize import LocalResponseNorm
from convscope.layers.pool import MinPool2d

_PER_CHANNEL = (
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
    """Run a grouped network as towers, each on its own device with its part of the parameters.

    With T devices there are T towers, and each computes a T-th of every layer's maps and units. A
    convolution with T groups reads the maps of its own tower; one without groups, and every dense
    layer, reads those of all towers, which exchange their outputs only there. The output is on the
    first device. It equals the plain network's up to rounding, and so does every gradient; only
    dropout differs in training, since each tower draws its own mask.

    `net` is unchanged; its parameters are copied. `towers.0.conv2.weight` is the first tower's part
    of `conv2.weight`; `plain_state` merges the parts. Do not move this module to one device: each
    tower must stay on its own. On a CPU the devices may be the same; two GPUs are
    `("cuda:0", "cuda:1")`, which is untested.

    Raises RequestError for a layer that cannot be split: of an unknown kind, with another number of
    groups, or a local response normalization across towers.

    Reference: Krizhevsky, Sutskever & Hinton, 2012, section 3.2 and figure 2.
    """

    devices: tuple[torch.device, ...]
    towers: nn.ModuleList

    def __init__(
        self, net: nn.Sequential, devices: Sequence[str | torch.device] = ("cpu", "cpu")
    ) -> None:
        super().__init__()
        if not devices:
            raise RequestError("devices is empty; name one device per tower.")
        self.devices = tuple(torch.device(device) for device in devices)
        layers = dict(net.named_children())
        self.towers = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: _split_layer(name, layer, tower, len(devices))
                    for name, layer in layers.items()
                }
            ).to(device)
            for tower, device in enumerate(self.devices)
        )
        self._needs_all = {name: _reads_all_towers(layer) for name, layer in layers.items()}
        self.train(net.training)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(x.tensor_split(len(self.devices), dim=1))
        for name, needs_all in self._needs_all.items():
            if needs_all:
                merged = {device: _merge(parts, device) for device in set(self.devices)}
                parts = [merged[device] for device in self.devices]
            parts = [
                self.get_submodule(f"towers.{tower}.{name}")(part.to(device))
                for tower, (part, device) in enumerate(zip(parts, self.devices, strict=True))
            ]
        return _merge(parts, self.devices[0])

    def plain_state(self) -> dict[str, Tensor]:
        """Return the state dict of the plain network with these parameters, on the first device."""
        states = [tower.state_dict() for tower in self.towers]
        return {
            name: torch.cat([state[name].to(self.devices[0]) for state in states])
            for name in states[0]
        }

    def load_plain_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the parameters of a plain network: the inverse of `plain_state`."""
        for index, tower in enumerate(self.towers):
            tower.load_state_dict(
                {name: _part(tensor, index, len(self.devices)) for name, tensor in state.items()}
            )

    def extra_repr(self) -> str:
        return f"devices={tuple(map(str, self.devices))}"


def _reads_all_towers(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _merge(parts: Sequence[Tensor], device: torch.device) -> Tensor:
    """Concatenate all towers' maps or units, on one device."""
    return torch.cat([part.to(device) for part in parts], dim=1)


def _part(parameter: Tensor, tower: int, towers: int) -> Tensor:
    """Return a tower's part of a parameter: its filters or units, along the first axis."""
    return parameter.tensor_split(towers)[tower]


def _split_layer(name: str, layer: nn.Module, tower: int, towers: int) -> nn.Module:
    """Return the part of a layer that belongs to one tower."""
    split = copy.deepcopy(layer)
    for key, parameter in layer.named_parameters():
        part = _part(parameter.detach(), tower, towers).clone()
        split.register_parameter(key, nn.Parameter(part, requires_grad=parameter.requires_grad))
    match split:
        case nn.Conv2d() if split.groups in {1, towers}:
            split.out_channels = len(split.weight)
            split.in_channels //= split.groups
            split.groups = 1
        case nn.Linear():
            split.out_features = len(split.weight)
        case LocalResponseNorm() if split.groups == towers:
            split.groups = 1
        case _ if isinstance(split, _PER_CHANNEL):
            pass
        case _:
            raise RequestError(
                f"Layer {name}, {layer}, cannot be split into {towers} towers. These can: "
                f"Linear; Conv2d in 1 or {towers}, LocalResponseNorm in {towers} groups; "
                f"{', '.join(kind.__name__ for kind in _PER_CHANNEL)}."
            )
    return split
