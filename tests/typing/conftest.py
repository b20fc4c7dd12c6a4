"""The project is for type checkers to read, and not to be run."""

collect_ignore = ["project"]
