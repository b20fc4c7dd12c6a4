"""What is raised for an image that cannot be used."""

from convscope.words import visible


class UnreadableImage(Exception):
    """A file or object that is not a usable image; the message is a predicate: "is empty"."""

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))
