"""Training: settings, the loop, its schedules, and the state from which it goes on."""
