"""Which filters of a network detect the same pattern or none, measured over a data set."""
