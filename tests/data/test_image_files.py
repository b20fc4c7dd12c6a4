"""Which files a path, a folder and a pattern mean."""

from pathlib import Path

import pytest
from PIL import Image

from convscope.data.image_files import find_image_files
from convscope.errors import RequestError


def draw(path: Path, form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, form)
    return path


def test_a_folder_gives_its_images_by_ending_or_by_content(tmp_path: Path):
    images = [
        draw(tmp_path / name, form)
        for name, form in [
            ("A.JFIF", "JPEG"), ("b.avif", "AVIF"), ("c.jp2", "JPEG2000"), ("deep/d", "PNG"),
            ("e.pnm", "PPM"), ("f", "WEBP"), ("g", "AVIF"), ("h", "TIFF"), ("i", "BMP"),
            ("j.apng", "PNG"), ("k", "PPM"), ("l.TGA", "TGA"), ("m", "JPEG"), ("n", "GIF"),
        ]
    ]  # fmt: skip
    for name in ("a.heic", "b.HEIC", "notes.txt", "README", "BMW", ".hidden.png"):
        (tmp_path / name).write_text("a text, not an image at all")
    found = find_image_files(tmp_path)
    assert sorted(found.paths) == sorted(images)
    assert found.left_out == {".heic": 2, ".txt": 1, "": 2}


def test_a_pattern_gives_the_images_that_match(tmp_path: Path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "x" / "b.jpg", "JPEG")
    (tmp_path / "x" / "c.txt").write_text("c")
    (tmp_path / "l.png").symlink_to(tmp_path / "a.png")
    found = find_image_files(str(tmp_path / "**" / "*.*"))
    assert [path.name for path in found.paths] == ["a.png", "l.png", "b.jpg"]
    assert found.left_out == {".txt": 1}


def test_a_named_file_is_taken_whatever_its_ending_is(tmp_path: Path):
    odd = tmp_path / "scan[1].dat"
    odd.write_bytes(b"..")
    assert find_image_files(odd).paths == [odd]


def test_links_are_followed_once(tmp_path: Path):
    draw(tmp_path / "real" / "a.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").symlink_to(tmp_path / "real")
    (root / "loop").symlink_to(root)
    assert len(find_image_files(root).paths) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "'' is not the path of an image"),
        ("  ", "is not the path of an image"),
        ("a\0b", "is not the path of an image"),
        ("https://example.org/a.png", "is an address. Download it"),
        ("gone.png", "gone.png does not exist"),
        ("empty", "There are no images below empty; there are 1 .txt"),
        ("empty/*", r"No images match empty/\*; its files are 1 .txt"),
        ("gone/*.png", r"No files match gone/\*.png"),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_what_means_no_image_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text("a")
    with pytest.raises(RequestError, match=reason):
        find_image_files(name)
