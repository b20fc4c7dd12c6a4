"""The run folder: its files, written atomically and read safely."""
