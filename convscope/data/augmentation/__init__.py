"""What is random about a training image: geometry, color, policies, erasing, your own function.

Whole batches of bytes, one idea per file; `pipeline.Augmentation` puts them in order. Every number
is a function of (seed, epoch, index), drawn by `draws`.
"""
