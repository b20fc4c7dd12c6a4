"""The arithmetic behind every number of a network; one file per kind of operation."""
