"""Channels followed operation by operation through a recorded pass."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from convscope.pruning.channels import ChannelNumbers, Maps
from convscope.recording import Operation, Source
from convscope.recording.operation import sources_in


class Follower:
    """Follows channels operation by operation, in the order in which they ran.

    `modules` are the network's, by path. Where a rule does not know what happens to channels, they
    are pinned, and nothing is known of the result's.
    """

    def __init__(self, modules: Mapping[str, nn.Module], image: Sequence[int]) -> None:
        self.modules = modules
        self.numbers = ChannelNumbers()
        channels = self.numbers.new(image[1])
        self.numbers.pin(channels, "they are the image's")
        self._maps: dict[str, Maps | None] = {"image": Maps(1, channels)}
        self._names = {id(module): path for path, module in modules.items()}

    def follow(self, operation: Operation, rule: "Rule | None") -> None:
        """Work out the channels of an operation's result; without a rule, nothing is known."""
        maps = None
        if rule is not None and operation.output_index == 0:
            maps = rule(self, operation)
        if maps is None:
            self.pin_inputs(operation, f"{operation.name} ({operation.kind}) needs them all")
        self._maps[operation.name] = maps

    def maps(self, source: object) -> Maps | None:
        """The channels of an argument; None where nothing is known of them."""
        if not isinstance(source, Source) or source.role != "result":
            return None
        return self._maps.get(source.name)

    def of(self, name: str) -> Maps | None:
        """The channels of a result."""
        return self._maps.get(name)

    def pin_inputs(self, operation: Operation, reason: str) -> None:
        """Keep all channels that an operation reads."""
        for source in sources_in((operation.call.args, dict(operation.call.kwargs))):
            if (maps := self.maps(source)) is not None:
                self.numbers.pin(maps.channels, reason)

    def owner(self, weight: object, kinds: tuple[type[nn.Module], ...]) -> tuple[str, Any] | None:
        """The layer of one of these classes whose parameter an argument is, with its path."""
        if not isinstance(weight, Source) or weight.role != "state":
            return None
        path = weight.name.rpartition(".")[0]
        module = self.modules.get(path)
        return (path, module) if isinstance(module, kinds) else None


Rule = Callable[[Follower, Operation], Maps | None]
"""The channels of the result of an operation; None where they cannot be told."""
