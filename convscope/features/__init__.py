"""What the feature maps of a network detect: how similar they are, and which matter most."""
