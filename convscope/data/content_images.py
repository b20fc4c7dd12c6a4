"""Images whose encoded bytes are read one at a time out of something larger than a file each."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from convscope.card import Card
from convscope.data.decode import decode_image
from convscope.data.depth import DecodedImage
from convscope.data.unreadable import UnreadableImage


@dataclass(frozen=True, eq=False)
class ContentImages:
    """Image files within an archive or a table.

    Attributes:
        keys: of the images, as paths.
        content: the bytes of the image at an index, from any thread; raises UnreadableImage.
    """

    keys: tuple[str, ...]
    content: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, index: int) -> str:
        return self.keys[index]

    def file(self, index: int) -> bytes | None:
        try:
            return self.content(index)
        except UnreadableImage:
            return None

    def status(self, index: int) -> None:
        """No status of a file tells whether one of its parts changed; their digests do."""
        del index

    def digest(self, index: int) -> bytes:
        return _digest(self.content(index))

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        return decode_image(self.content(index), card)

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        content = self.content(index)
        return decode_image(content, card), _digest(content)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
