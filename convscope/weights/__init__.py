"""Weights of other people: where they lie, how they are called, how a network takes them."""

from convscope.weights.load import load_weights

__all__ = ["load_weights"]
