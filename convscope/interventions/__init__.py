"""Change units, maps or weights of a network while it runs, and see what becomes of its answers."""
