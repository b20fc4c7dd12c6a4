"""What computes the steps of a training: PyTorch, or the compiled engine for small networks."""
