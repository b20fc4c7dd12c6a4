"""Side by side: two networks, or many runs."""
