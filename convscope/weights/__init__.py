"""Pretrained weights: where they come from, their names, and how they fit a network."""

from convscope.weights.load import load_weights

__all__ = ["load_weights"]
