"""What a network predicts for images: read, classified, ranked and shown; without PyTorch."""
