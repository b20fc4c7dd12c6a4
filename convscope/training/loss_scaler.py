"""The scale of the loss in fp16, without which small gradients would be 0: torch's GradScaler."""

from pathlib import Path

import torch
from torch import Tensor

from convscope.errors import WorkError
from convscope.runs.tensor_file import TensorFile
from convscope.training.optimizer import Optimizer

_LEAST = 1.0  # without any scale, gradients of a network that can be trained fit into fp16


class LossScaler:
    """Multiplies the loss before the backward pass, and divides the gradients by the same again.

    It is torch.amp.GradScaler with its defaults: the scale begins at 65,536; where a gradient is
    infinite or NaN, the step is skipped and the scale halved, and after 2,000 steps without it is
    doubled. All are powers of 2, so that scaling by itself rounds nothing.

    Attributes:
        was_skipped: whether the last step left the weights and the optimizer as they were.
    """

    def __init__(self, device: torch.device) -> None:
        self._scaler = torch.amp.GradScaler(device.type)
        self._scaler.scale(torch.zeros((), device=device))  # it has no tensors before
        self.was_skipped = False

    @property
    def scale(self) -> float:
        """By what the next loss is multiplied."""
        return self._scaler.get_scale()

    @property
    def is_exhausted(self) -> bool:
        """Whether no scale will do: gradients were not finite at 1 either."""
        return self.scale < _LEAST

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss whose gradients are to be computed."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients, once they are complete and before anything looks at them."""
        self._scaler.unscale_(optimizer)  # pyright: ignore[reportArgumentType] -- it has what is needed

    def step(self, optimizer: Optimizer, lr: float) -> None:
        """Update the weights, or skip the step, and adapt the scale.

        Of a skipped step no gradients are left.
        """
        before = self.scale
        self._scaler.step(optimizer, lr)  # pyright: ignore[reportArgumentType]
        self._scaler.update()
        self.was_skipped = self.scale < before
        if self.was_skipped:
            optimizer.zero_grad()

    def state_dict(self) -> dict[str, Tensor]:
        """The scale, and the steps since it was last changed, by their names in a checkpoint."""
        state = self._scaler.state_dict()
        return {
            "scaler/scale": torch.tensor(state["scale"]),
            "scaler/growth_tracker": torch.tensor(state["_growth_tracker"]),
        }

    def load(self, stored: TensorFile, *, where: Path) -> None:
        """Take them from a checkpoint. Raises WorkError where they are missing or no scale."""
        scale, tracker = map(stored.tensors.get, self.state_dict())
        if scale is None or tracker is None or not (float(scale) > 0 and int(tracker) >= 0):
            raise WorkError(
                f"{where} has no scale of the loss as `precision='fp16'` needs it. Restore the "
                "run's config.toml, or take an earlier checkpoint."
            )
        state = self._scaler.state_dict()
        state |= {"scale": float(scale), "_growth_tracker": int(tracker)}
        self._scaler.load_state_dict(state)
