"""Remove filters from a network: which belong together, which are least important, what is left."""
