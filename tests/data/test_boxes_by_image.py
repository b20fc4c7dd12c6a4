"""Boxes in the files of Pascal VOC, COCO, Kaggle and CSV: one square, said in each way."""

import json

import pytest

from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT
from convscope.data.boxes.box import Box
from convscope.data.boxes.files import boxes_of_images, read_boxes
from convscope.errors import RequestError

SQUARE = (10.0, 20.0, 30.0, 50.0)  # 20 wide and 30 high: pixels 10 to 29 and 20 to 49


def voc(*objects):
    parts = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax>"
        "</bndbox></object>"
        for name, box, difficult in objects
    )
    return f"<annotation>{parts}</annotation>"


def test_voc_counts_pixels_from_one_and_both_ends_are_inside(tmp_path):
    """The first pixel is 1: xmin 11 is the pixel 10, and xmax 30 the pixel 29, whose edge is 30."""
    (tmp_path / "a.xml").write_text(voc(("cat", (11, 21, 30, 50), 0), ("dog", (1, 1, 1, 1), 1)))
    found = read_boxes(tmp_path)
    assert found == {"a": [Box("cat", *SQUARE), Box("dog", 0, 0, 1, 1, DIFFICULT)]}
    assert read_boxes(tmp_path / "a.xml") == found


def test_coco_has_a_corner_from_zero_with_width_and_height(tmp_path):
    held = {
        "images": [{"id": 7, "file_name": "sub/a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "categories": [{"id": 90, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [10, 20, 20, 30]},
            {"id": 2, "image_id": 7, "category_id": 90, "bbox": [0, 0, 2, 2], "iscrowd": 1},
        ],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    found = read_boxes(tmp_path / "boxes.json")
    assert found["sub/a.jpg"] == [Box("cat", *SQUARE, COUNTS), Box("cat", 0, 0, 2, 2, CROWD)]
    assert found["b.jpg"] == []


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ("xmin,ymin,xmax,ymax", "10,20,30,50"),
        ("left,top,right,bottom", "10,20,30,50"),
        ("x1,y1,x2,y2", "10,20,30,50"),
        ("x,y,width,height", "10,20,20,30"),
        ("x,y,w,h", "10,20,20,30"),
    ],
)
def test_csv_has_edges_from_zero_or_a_corner_with_width_and_height(tmp_path, header, numbers):
    text = f"path,label,{header}\na/1.png,cat,{numbers}\na/2.png,,,,,\n"
    (tmp_path / "boxes.csv").write_text(text)
    assert read_boxes(tmp_path / "boxes.csv") == {"a/1.png": [Box("cat", *SQUARE)], "a/2.png": []}
    (tmp_path / "boxes.csv").write_text(
        f"filename;{header.replace(',', ';')}\n1;{numbers.replace(',', ';')}"
    )
    assert read_boxes(tmp_path / "boxes.csv") == {"1": [Box("", *SQUARE)]}


def test_kaggles_solution_of_imagenet_has_the_numbers_of_its_xml(tmp_path):
    path = tmp_path / "LOC_val_solution.csv"
    path.write_text("ImageId,PredictionString\nval_1,n03995372 11 21 30 50 n03995372 1 1 2 2 \n")
    found = read_boxes(path)["val_1"]
    assert [one.edges for one in found] == [SQUARE, (0, 0, 2, 2)]
    assert found[0].label == "n03995372"


def test_images_are_found_by_path_by_name_and_by_stem():
    boxes = {"a/1.png": [Box("x", 0, 0, 1, 1)], "b/1.png": [], "2": [Box("y", 0, 0, 2, 2)]}
    found = boxes_of_images(boxes, ["a/1.png", "train/a/1.png", "z/2.jpg", "z/3.jpg"])
    assert [[one.label for one in of] for of in found] == [["x"], ["x"], ["y"], []]
    with pytest.raises(
        RequestError, match=r"a/1\.png and of b/1\.png could both be those of c/1\.png"
    ):
        boxes_of_images(boxes, ["c/1.png"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "path,label\n1,cat\n", "has no columns of boxes"),
        ("a.csv", "label,x,y,w,h\ncat,1,2,3,4\n", "no column names the images"),
        ("a.csv", "path,x1,y1,x2,y2\n1,30,20,10,50\n", r"line 2: the box .* is empty.*swapped"),
        ("a.csv", "path,x1,y1,x2,y2\n1,nan,20,10,50\n", "four finite numbers"),
        ("a.csv", "path,x1,y1,x2,y2\n1,a,,10,50\n", "four .* not a, nothing, 10, 50"),
        ("a.json", "{}", "is not a file of COCO's boxes"),
        ("a.xml", "<annotation/>", "has no box"),
        ("a.xml", "<!DOCTYPE x><a/>", "declares a document type"),
    ],
)
def test_files_that_are_not_plain_are_refused(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=said):
        read_boxes(tmp_path / name)


def test_a_folder_without_xml_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(RequestError, match="no XML files of boxes"):
        read_boxes(tmp_path)
    with pytest.raises(RequestError, match="There is no file or folder"):
        read_boxes(tmp_path / "missing.csv")
