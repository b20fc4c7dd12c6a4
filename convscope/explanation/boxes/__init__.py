"""The numbers of a detected box as units: from a network's outputs to edges and score."""
