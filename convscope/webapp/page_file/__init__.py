"""The lab's screens of one network as a file that needs no server."""
