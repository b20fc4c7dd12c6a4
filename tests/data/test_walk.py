"""The walk that training and prediction share."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from convscope.data.walk import describe_left_out, walk_images

Plant = Callable[..., Path]


def test_images_are_found_at_any_depth_sorted_and_the_rest_counted_by_ending(plant: Plant):
    root = plant("b.PNG", "a/z/1.jpg", "a/notes.txt", "a/b.TXT", ".hidden.png")
    (root / "README").write_text("Two images.")
    (root / ".gitkeep").touch()
    found = walk_images(root)
    assert found.keys == ["a/z/1.jpg", "b.PNG"]
    assert found.left_out == Counter({".txt": 2, "": 1})
    assert describe_left_out(found.left_out) == "2 .txt, 1 without an ending"


def test_what_systems_and_notebooks_leave_behind_is_passed_over(plant: Plant):
    folders = ["__MACOSX", "@eaDir", ".ipynb_checkpoints", ".git", "$RECYCLE.BIN", "__pycache__"]
    root = plant("1.png", *(f"{name}/copy.png" for name in folders))
    for name in ("Thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._1.png"):
        (root / name).touch()
    found = walk_images(root)
    assert found.keys == ["1.png"]
    assert not found.left_out


def test_links_are_followed_once_and_loops_survived(plant: Plant):
    root, far = plant("a/1.png"), plant("2.png", "deep/3.png", root="far")
    (root / "far").symlink_to(far)
    (root / "zagain").symlink_to(far)
    (far / "deep" / "loop").symlink_to(far)
    (root / "a" / "up").symlink_to(root.parent)
    (root / "a" / "self").symlink_to(root)
    (root / "one.png").symlink_to(far / "2.png")
    (root / "broken.png").symlink_to("nowhere")
    keys = walk_images(root).keys
    assert len(keys) == 5
    assert {"a/1.png", "one.png", "broken.png"} <= set(keys)
    assert sorted(key.rpartition("/")[2] for key in keys if "/" in key) == [
        "1.png",
        "2.png",
        "3.png",
    ]


def test_a_root_that_is_itself_a_link_is_walked(plant: Plant, tmp_path: Path):
    (tmp_path / "link").symlink_to(plant("a/1.png"))
    assert walk_images(tmp_path / "link").keys == ["a/1.png"]
