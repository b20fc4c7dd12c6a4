"""The outputs of chosen modules of a network, with their gradients."""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from convscope.forward import like_parameters, main_output

OUTPUT = ""
"""The name of what the network itself returns: the path of the root module."""


class LayerOutputs:
    """Runs a network and hands out what some of its modules return, by their paths.

    Of a module that is called more than once, the last call. An operation in place behind a layer
    (`nn.ReLU(inplace=True)`) does not change what is handed out. Hooks are removed after each run.
    """

    def __init__(self, net: nn.Module, layers: Collection[str]) -> None:
        self._net = net
        modules = dict[str, nn.Module](net.named_modules())
        self._modules = {name: modules[name] for name in layers if name != OUTPUT}

    def run(self, images: Tensor) -> Mapping[str, Tensor]:
        """The outputs for images (n, c, h, w), and that of the network as OUTPUT."""
        outputs: dict[str, Tensor] = {}

        def take(name: str) -> Callable[..., None]:
            def hook(_module: nn.Module, _inputs: object, output: object) -> None:
                if isinstance(output, Tensor):
                    outputs[name] = output.clone()

            return hook

        with ExitStack() as hooks:
            for name, module in self._modules.items():
                hooks.callback(module.register_forward_hook(take(name)).remove)
            returned: Any = self._net(like_parameters(self._net, images))
        main = main_output(returned)
        if main is not None:
            outputs[OUTPUT] = main
        return outputs


def find_outputs(net: nn.Module, images: Tensor) -> Mapping[str, Tensor]:
    """What every module returns for images, by its path, in the order in which they end."""
    names = [name for name in dict[str, nn.Module](net.named_modules()) if name != OUTPUT]
    return LayerOutputs(net, names).run(images)
