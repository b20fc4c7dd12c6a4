"""Who computes the steps of a training."""
