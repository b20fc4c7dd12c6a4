"""A training engine for small networks: machine code with one image of a batch in each lane."""
