"""Write a network for other programs: only what answers as it does."""
