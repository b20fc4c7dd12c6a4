"""A map of images by what a layer makes of them, and the nearest images at that layer."""
