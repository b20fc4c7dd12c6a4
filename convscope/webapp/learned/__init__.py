"""What an open network learned from a data set: patches, levels, redundancy, a map of images."""
