"""Where the object is that a classifier names: a box, from its maps or from a trained regressor."""
