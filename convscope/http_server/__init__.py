"""What the lab and `serve` have in common: connections with deadlines, bounds on every request."""
