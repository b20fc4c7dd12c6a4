"""What changed images do to a trained network: corruptions, shifts, flips, turns, scales."""
