"""The learning rate as a function of how far the training has come."""

import math
from dataclasses import dataclass

from convscope.training.config import ScheduleName

_RISE = 0.3  # one-cycle: the share of the training in which the rate rises
_START = 1 / 25  # one-cycle: where it starts, as a share of the peak
_END = 1 / 25 / 1e4  # one-cycle: where it ends


@dataclass
class Plateau:
    """Counts validations without a better loss: AlexNet's rule, which its authors applied by hand.

    Attributes:
        best: the lowest loss so far.
        num_bad_epochs: validations since then.
        num_reductions: how often the rate was reduced.
    """

    best: float = math.inf
    num_bad_epochs: int = 0
    num_reductions: int = 0

    def step(self, loss: float, *, patience: int) -> bool:
        """Take in one validation loss; True when the rate is to be reduced."""
        if loss < self.best:
            self.best, self.num_bad_epochs = loss, 0
            return False
        self.num_bad_epochs += 1
        if self.num_bad_epochs <= patience:
            return False
        self.num_bad_epochs, self.num_reductions = 0, self.num_reductions + 1
        return True


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning rate at progress t, from 0 (the first step) to 1 (past the last); see `lr`.

    Attributes:
        peak: the highest rate.
        warmup: the share of the training in which the rate rises linearly from 0.
        gamma, milestones: what `plateau` and `step` multiply by, and where `step` does.
        step: one step's share of the training, so that `one-cycle` ends with the last step; 0 where
            time is the limit and the last step is not known.
        swa_start, swa_lr: from this progress on, unless it is 0, the rate is `swa_lr`, or stays
            what it is there.
    """

    name: ScheduleName
    peak: float
    warmup: float
    gamma: float
    milestones: tuple[float, ...]
    step: float = 0.0
    swa_start: float = 0.0
    swa_lr: float | None = None

    def lr(self, progress: float, *, num_reductions: int = 0) -> float:  # noqa: C901, PLR0911 -- one per rule
        """The learning rate at `progress`, after `num_reductions` of a plateau.

        With t counted after the warm-up:
        `cosine` peak · (1 + cos πt) / 2 (Loshchilov & Hutter, 2016, without restarts);
        `linear` peak · (1 - t);
        `one-cycle`, which knows no warm-up, from peak/25 up along a half cosine in 30% of the
        steps, then down to peak/250,000 at the last (Smith & Topin, 2017; the rates are those of
        PyTorch's OneCycleLR; momentum, which they lower meanwhile, stays as it is);
        `step` peak · gamma^k after k of the milestones; `plateau` peak · gamma^num_reductions.
        """
        if self.swa_start and progress >= self.swa_start:
            if self.swa_lr is not None:
                return self.swa_lr
            progress = self.swa_start
        if self.name == "one-cycle":
            return self.peak * self._one_cycle(progress)
        if progress < self.warmup:
            return self.peak * progress / self.warmup
        if self.warmup >= 1:
            return self.peak
        t = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        match self.name:
            case "constant":
                return self.peak
            case "cosine":
                return self.peak * _half_cosine(t)
            case "linear":
                return self.peak * (1 - t)
            case "plateau":
                return self.peak * self.gamma**num_reductions
            case "step":
                return self.peak * self.gamma ** sum(progress >= start for start in self.milestones)

    def _one_cycle(self, progress: float) -> float:
        """The share of the peak: the last step of either phase has the phase's last rate."""
        peak_at, end = max(0.0, _RISE - self.step), 1 - self.step
        if progress < peak_at:
            return 1 + (_START - 1) * _half_cosine(progress / peak_at)
        t = min(1.0, (progress - peak_at) / (end - peak_at)) if end > peak_at else 0.0
        return _END + (1 - _END) * _half_cosine(t)


def _half_cosine(t: float) -> float:
    """1 at t = 0, 0 at t = 1."""
    return (1 + math.cos(math.pi * t)) / 2
