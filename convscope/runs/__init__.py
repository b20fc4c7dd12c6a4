"""The run folder: what is in it, how it is written (atomically) and read back (safely)."""
