"""About how long the page's first training takes: a network on the digits, with every default."""

import torch

from convscope.comparison.costs import network_costs
from convscope.errors import ConvscopeError
from convscope.training.config import TrainConfig
from convscope.training.default_network import torch_seconds
from convscope.webapp.jobs.sources import DataSources

DATA = "digits"

_IMAGES = 1259  # of the digits, for training
_BEGIN = 3.0  # seconds until the first step, and after the last one


def estimated_seconds(model: str, sources: DataSources) -> float | None:
    """Seconds on a CPU that has nothing else to do; None where nothing is known."""
    if torch.cuda.is_available():
        return None
    try:
        costs = network_costs(model, sources.model(model))
    except ConvscopeError:
        return None
    if not costs["is_counted"]:
        return None
    return _BEGIN + torch_seconds(TrainConfig().epochs * _IMAGES * costs["multiply_adds"])
