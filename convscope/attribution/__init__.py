"""Which parts of an image an answer rests on: maps, exact shares, and how faithful they are."""
