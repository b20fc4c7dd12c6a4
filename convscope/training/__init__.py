"""Training: settings, the training loop, schedules, and the state to resume from."""
