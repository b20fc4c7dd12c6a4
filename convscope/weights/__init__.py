"""Pretrained weights: where they come from, their names, and how they fit a network."""

from convscope.weights.create import create_model
from convscope.weights.load import load_weights

__all__ = ["create_model", "load_weights"]
