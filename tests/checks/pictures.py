"""Generated photographs and discs, and what people do to files."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

TURN = Image.Transpose


def leaves(random, width=160, height=120, count=120):
    """A picture of ellipses and rectangles of many sizes, whose statistics are those of photos."""
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 255, 3).tolist()))
    draw = ImageDraw.Draw(image)
    base = random.integers(60, 195, 3)
    for _ in range(count):
        radius = min(width / 3, 2 / (random.random() ** 0.5 + 0.02))
        x, y = random.random() * width, random.random() * height
        box = [x - radius, y - radius, x + radius, y + radius * random.uniform(0.3, 1)]
        color = tuple(np.clip(base + random.normal(0, 50, 3), 0, 255).astype(int).tolist())
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=color)
    noise = random.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def disc(random, side=128):
    """A disc with a bright spot and branching lines on black, as a photograph of a fundus."""
    image = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(image)
    radius, middle = side * 0.47, side / 2 + random.normal(0, 1, 2)
    color = np.array([190, 90, 45]) + random.normal(0, 12, 3)
    draw.ellipse([*(middle - radius), *(middle + radius)], fill=tuple(color.astype(int).tolist()))
    angle = random.uniform(0, 6.28)
    spot = middle + radius * 0.45 * np.array([np.cos(angle), np.sin(angle)])
    for _ in range(6):
        place, way = spot.copy(), random.uniform(0, 6.28)
        for _ in range(30):
            end = place + side * 0.02 * np.array([np.cos(way), np.sin(way)])
            if np.hypot(*(end - middle)) > radius:
                break
            draw.line([*place, *end], fill=tuple((color * 0.5).astype(int).tolist()), width=2)
            place, way = end, way + random.normal(0, 0.2)
    size = side * random.uniform(0.05, 0.08)
    draw.ellipse([*(spot - size), *(spot + size)], fill=(245, 205, 120))
    return image.filter(ImageFilter.GaussianBlur(0.8))


def saved(image, kind="JPEG", **options):
    """What a reader gets of the image after it was saved."""
    file = BytesIO()
    image.save(file, kind, **options)
    return Image.open(BytesIO(file.getvalue())).convert(image.mode)


def cropped(image, left=0.04, top=0.02, side=0.93):
    width, height = image.size
    box = (left * width, top * height, (left + side) * width, (top + side) * height)
    return image.crop(tuple(int(edge) for edge in box))


def brightened(image):
    return image.point(lambda value: min(255, int(value * 1.15 + 8)))


COPIES = {
    "saved anew": lambda image: saved(image, quality=50),
    "scaled": lambda image: image.resize((image.width * 5 // 8, image.height * 5 // 8)),
    "turned by 90° to the left": lambda image: image.transpose(TURN.ROTATE_90),
    "turned by 180°": lambda image: image.transpose(TURN.ROTATE_180),
    "turned by 90° to the right": lambda image: image.transpose(TURN.ROTATE_270),
    "mirrored": lambda image: image.transpose(TURN.FLIP_LEFT_RIGHT),
    "mirrored top to bottom": lambda image: image.transpose(TURN.FLIP_TOP_BOTTOM),
    "mirrored along the diagonal": lambda image: image.transpose(TURN.TRANSPOSE),
    "mirrored along the other diagonal": lambda image: image.transpose(TURN.TRANSVERSE),
    "brightened": brightened,
    "cropped": cropped,
    "turned by 180°, cropped": lambda image: cropped(image.transpose(TURN.ROTATE_180)),
}
"""What is done to an image, by how a finding tells it, as far as that can be seen."""
