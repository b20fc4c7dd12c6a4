"""A page in a file holds what Python computed, within its size; a refusal names the way out."""

import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.webapp.page_file import bundle
from convscope.webapp.page_file.bundle import bundled_script, content_hash
from convscope.webapp.page_file.pack import pack, pack_floats


def unpack(data: bytes) -> list[Any]:
    """What was packed, read by a loop as the format is described."""
    raw = zlib.decompress(data)
    [length] = struct.unpack_from("<I", raw)
    header = json.loads(raw[4 : 4 + length])
    rest, answers = raw[4 + length :], [None] * len(header["of"])
    for number, template in enumerate(header["templates"]):
        places = [k for k, of in enumerate(header["of"]) if of == number]
        slots = count_slots(template)
        plane = slots * len(places)
        for row, place in enumerate(places):
            firsts = [slot * len(places) + row for slot in range(slots)]
            numbers = (struct.unpack("<d", rest[first : 8 * plane : plane])[0] for first in firsts)
            answers[place] = fill(template, numbers, header["texts"])
        rest = rest[8 * plane :]
    assert not rest
    return answers


def count_slots(part: Any) -> int:
    if isinstance(part, dict | list):
        return sum(map(count_slots, part.values() if isinstance(part, dict) else part))
    return int(part in ("", 0) and not isinstance(part, bool))


def fill(part: Any, numbers: Any, texts: list[str]) -> Any:
    if isinstance(part, dict):
        return {key: fill(value, numbers, texts) for key, value in part.items()}
    if isinstance(part, list):
        return [fill(value, numbers, texts) for value in part]
    if part == "" and isinstance(part, str):
        return texts[int(next(numbers))]
    return next(numbers) if part == 0 and not isinstance(part, bool) else part


def test_packed_answers_come_back_to_the_bit():
    answers = [
        {"value": 0.1 + 0.2, "parts": [{"sum": -1e-300, "cells": [[None, {"y": 3}]]}], "op": "on"},
        {"value": 5e-324, "parts": [], "op": "nan", "is": True},
        {"value": 2.5, "parts": [{"sum": 1 / 3, "cells": [[None, {"y": 4}]]}], "op": "</script>"},
        [], 7, "text", None, False,
    ]  # fmt: skip
    assert unpack(pack(answers)) == answers


def test_packed_floats_come_back_to_the_bit():
    values = np.array([[0.1, -0.0], [np.inf, 3e-45]], np.float32)
    planes = np.frombuffer(zlib.decompress(pack_floats(values)), np.uint8).reshape(4, -1)
    assert planes.T.tobytes() == values.tobytes()


def test_all_modules_of_the_page_are_in_the_script_and_a_form_that_is_not_known_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script = bundled_script()
    assert "</script" not in script
    assert not re.search(r"^(import|export)\b|\bfetch\(|^'(why|learned)/", script, re.MULTILINE)
    (tmp_path / "main.js").write_text("export default 3;\n")
    monkeypatch.setattr(bundle, "STATIC", tmp_path)
    with pytest.raises(ValueError, match=r"main\.js: 'export default 3;'"):
        bundled_script()


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.fc = nn.Linear(2 * 6 * 6, 3)

    def forward(self, x: Any) -> Any:
        return self.fc(self.conv(x).relu().flatten(1))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / 'a<b>&"c".png'
    y, x = np.mgrid[:8, :8]
    Image.fromarray((20 * y + 10 * x).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def page(image: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("page") / "small.html"
    card_names = ["<i>no</i>", "</script>", "maybe"]
    written = convscope.save_lab(Small(), target, image=image, input_size=8, class_names=card_names)
    assert written == target
    return target.read_text(encoding="utf-8")


def test_a_small_network_is_in_its_file_whole(page: str):
    [data] = re.findall(r'<script type="application/json" id="index">(.*?)</script>', page)
    index = json.loads(data)
    [units] = index["units"].values()
    assert {row: sum(map(len, parts)) for row, parts in units.items()} == {
        "conv": 72,
        "fc": 3,
        "softmax": 3,
    }


def test_names_are_no_markup_and_only_the_own_script_may_run(page: str):
    assert "<i>no" not in page
    assert "<b>&" not in page
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    policy = policy.replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'")
    assert content_hash(script) in policy
    assert "unsafe" not in policy
    [styles] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert "http" not in (script + styles).replace("http://www.w3.org/2000/svg", "")


def test_refusals_name_the_way_out(image: Path, tmp_path: Path):
    net = Small()
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(RequestError, match=r"there\.html exists\. Choose another name"):
        convscope.save_lab(net, tmp_path / "there.html", image=image, input_size=8)
    assert (tmp_path / "there.html").read_text() == "mine"
    with pytest.raises(RequestError, match=r"must end in \.html"):
        convscope.save_lab(net, tmp_path / "page.png", image=image, input_size=8)
    with pytest.raises(RequestError, match=r"none\.png"):
        convscope.save_lab(net, tmp_path / "page.html", image=tmp_path / "none.png", input_size=8)
    with pytest.raises(RequestError, match=r"Allow more with `max_size`, for example"):
        convscope.save_lab(net, tmp_path / "page.html", image=image, max_size=0.01, input_size=8)
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]


def test_a_file_keeps_to_its_size_and_holds_what_is_opened_first(image: Path, tmp_path: Path):
    net = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(512, 3))
    whole = convscope.save_lab(net, tmp_path / "whole.html", image=image, input_size=8)
    limit = whole.stat().st_size / 1e6 - 0.01
    part = convscope.save_lab(
        net, tmp_path / "part.html", image=image, max_size=limit, input_size=8
    )
    assert part.stat().st_size <= limit * 1e6
    [data] = re.findall(r'id="index">(.*?)</script>', part.read_text(encoding="utf-8"))
    [units] = json.loads(data)["units"].values()
    assert sum(map(len, units["3"])) == 3  # the classes, from which every way back begins
    assert 0 < sum(map(len, units["0"])) < 512


def test_the_command_writes_it_and_takes_images_after_the_network(
    command: Any, image: Path, tmp_path: Path
):
    target = tmp_path / "page.html"
    words = ["lab", "--static", target, "lenet5", image, "--max-size"]
    told = command(*words, "0.3").stdout
    assert re.fullmatch(rf"Wrote {re.escape(str(target))}: 0\.\d MB\. It opens .*\n", told)
    target.unlink()
    assert "Allow more with --max-size" in command(*words, "0.01", code=2).stderr
