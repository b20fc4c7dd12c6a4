"""A search for settings: trainings that are compared on their validation images."""
