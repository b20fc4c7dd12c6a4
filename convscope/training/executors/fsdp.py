"""A network whose weights are divided among several processes: PyTorch's FSDP2.

Each process keeps its part of every weight, with the gradients and the optimizer's state of that
part. In a step, the weights of one block after another are put together, used, and freed.
"""

import copy
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.distributed.group import Group
from convscope.distributed.local import is_divided, local, write_whole
from convscope.errors import RequestError
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.layers import FractalJoin

_BLOCKS = 16  # into which a network falls at most, but for what is left over


class ShardedNetwork:
    """A network in two forms: divided, to be trained, and whole, to be evaluated and saved.

    Args:
        whole: on its device, the same in each process. Once it is released, its weights have values
            inside of `gathered` only.

    Attributes:
        network: a copy of it, whose weights are DTensors.

    Raises RequestError for a network whose processes could take different ways.
    """

    def __init__(self, whole: nn.Module, card: Card, group: Group) -> None:
        from torch.distributed.device_mesh import DeviceMesh  # noqa: PLC0415 -- a second
        from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

        if any(isinstance(module, FractalJoin) for module in whole.modules()):
            raise RequestError(
                "`fsdp` needs all processes to compute the same layers in a step, and this network "
                "leaves out columns at random. Train it without `fsdp`."
            )
        self.whole, self.group = whole, group
        self._layout = {name: (w.shape, w.stride()) for name, w in whole.named_parameters()}
        blocks = _blocks(whole, card)
        for weight in whole.parameters():
            weight.data = weight.data.contiguous()  # as FSDP takes them
        self.network = copy.deepcopy(whole, {id(weight): weight for weight in whole.parameters()})
        device = next(whole.parameters()).device.type
        world = cast("Any", group.process_group or torch.distributed.group.WORLD)
        how: dict[str, Any] = {
            "mesh": DeviceMesh.from_group(world, device),
            "reshard_after_forward": True,
        }
        if scalars := {weight for weight in self.network.parameters() if weight.ndim == 0}:
            how["ignored_params"] = scalars  # which each process has
        for name in (*blocks, ""):
            fully_shard(self.network.get_submodule(name), **how)

    def scatter(self) -> None:
        """Take over the values of the whole network."""
        whole = dict(self.whole.named_parameters())
        for name, weight in self.network.named_parameters():
            write_whole(weight, whole[name])
        for own, buffer in zip(self.network.buffers(), self.whole.buffers(), strict=True):
            own.copy_(buffer)

    def release(self) -> None:
        """Free the memory of the whole network's weights."""
        for weight in self.whole.parameters():
            weight.data = weight.new_empty(0)

    def restore(self) -> None:
        """Give the whole network's weights memory again, with any values."""
        for name, weight in self.whole.named_parameters():
            if weight.shape != self._layout[name][0]:
                weight.data = torch.empty_strided(
                    *self._layout[name], dtype=weight.dtype, device=weight.device
                )

    @contextmanager
    def gathered(self, doing: str) -> Generator[nn.Module]:
        """The whole network with the values as they are now, in all processes."""
        own = dict(self.network.named_parameters())
        self.restore()
        with torch.no_grad():
            for name, weight in self.whole.named_parameters():
                weight.copy_(self._whole(own[name], doing))
            for buffer, now in zip(self.whole.buffers(), self.network.buffers(), strict=True):
                buffer.copy_(now)
        try:
            yield self.whole
        finally:
            self.release()

    def on_first(self, tensors: Mapping[str, Tensor], doing: str) -> dict[str, Tensor]:
        """The tensors in one piece, in the main memory of rank 0; the others get none."""
        kept: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            whole = self._whole(tensor, doing)
            if self.group.is_first:
                kept[name] = whole.cpu()
        return kept

    def _whole(self, tensor: Tensor, doing: str) -> Tensor:
        if not is_divided(tensor):
            return tensor.detach()
        with self.group.waiting(doing):
            return cast("Any", tensor.detach()).full_tensor()


def check_several(group: Group) -> None:
    """Raise RequestError for one process, which has nobody to divide a network with."""
    if group.size == 1:
        raise RequestError(
            "`fsdp` divides the network among several processes and needs torchrun: "
            "`torchrun --nproc-per-node 2 -m convscope ...`."
        )


def clip_grad_norm(weights: Sequence[Tensor], largest: float, group: Group) -> None:
    """`torch.nn.utils.clip_grad_norm_`, by the norm of the gradients of all parts together."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    squares = [local(one).double().square().sum() for one in gradients if is_divided(one)]
    total = torch.stack(squares).sum() if squares else torch.zeros((), dtype=torch.float64)
    group.add_up([total], "at the norm of the gradients")
    for one in gradients:
        if not is_divided(one):
            total = total + one.double().square().sum()
    share = (largest / (total.sqrt() + 1e-6)).clamp(max=1.0)
    for one in gradients:
        local(one).mul_(share.to(one.dtype))


def _blocks(network: nn.Module, card: Card) -> list[str]:
    """The names of the modules that are put together and freed one after another.

    Each has a sixteenth of all weights at least, beside the blocks inside of it. Modules that are
    not called, and those that share weights, are left to the network as a whole.
    """
    called, shared = _called(network, card), _shared(network)
    least = sum(weight.numel() for weight in network.parameters()) / _BLOCKS
    blocks: list[str] = []
    taken: set[int] = set()
    modules = dict[str, nn.Module](network.named_modules())
    for name in reversed(modules):  # children come before their parents
        weights = [w for w in modules[name].parameters() if id(w) not in taken]
        count = sum(weight.numel() for weight in weights)
        if name in called and count >= least and shared.isdisjoint(map(id, weights)):
            blocks.append(name)
            taken |= {id(weight) for weight in weights}
    return blocks


def _shared(network: nn.Module) -> set[int]:
    seen: set[int] = set()
    shared: set[int] = set()
    for _, weight in network.named_parameters(remove_duplicate=False):
        (shared if id(weight) in seen else seen).add(id(weight))
    return shared


def _called(network: nn.Module, card: Card) -> set[str]:
    """The modules through which an image goes, by name, but for the network itself."""
    called: set[str] = set()
    handles = [
        module.register_forward_pre_hook(partial(_note, name, called))
        for name, module in dict[str, nn.Module](network.named_modules()).items()
        if name
    ]
    images = torch.zeros(2, card.in_channels, *card.input_size)
    try:
        with inference_mode(network):
            network(like_parameters(network, images))
    finally:
        for handle in handles:
            handle.remove()
    return called


def _note(name: str, called: set[str], _module: nn.Module, _inputs: object) -> None:
    called.add(name)
