"""Several processes that work on one task, as `torchrun` starts them."""
