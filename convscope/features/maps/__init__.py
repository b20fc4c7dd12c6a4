"""Activation maps of chosen layers for one image, ranked, with numbers."""
