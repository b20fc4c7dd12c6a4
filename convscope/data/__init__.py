"""Labeled images: opened, decoded, split, augmented and loaded in batches."""
