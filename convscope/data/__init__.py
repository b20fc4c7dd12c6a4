"""Labeled images: where they come from, how they are decoded, split, augmented and fed."""
