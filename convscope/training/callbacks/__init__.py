"""What accompanies a training: checkpoints, stopping rules, live status, remote control."""
