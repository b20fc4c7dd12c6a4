"""What is raised for an image that cannot be used."""


class UnreadableImage(Exception):
    """A file or object that is not a usable image; the message is a predicate: "is empty"."""
