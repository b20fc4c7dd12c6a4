"""What takes part in a training without being the loop."""
