"""The page of an exported network: with a stand-in for ONNX Runtime Web, and with itself."""

import base64
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.conversion.web_page import write_page
from convscope.conversion.web_runtime import BINARY, SCRIPT
from tests.browser.static_server import served
from tests.explanation.test_boxes import anchored

STYLES = Path(convscope.__file__).parent / "webapp" / "static" / "style" / "tokens.css"

# Returns the share of red, green and blue in the first pixel; of a black one no numbers.
STAND_IN = """
export const env = { wasm: {} };
export class Tensor {
  constructor(type, data, dims) {
    if (type !== "uint8" || data.length !== dims.reduce((a, b) => a * b)) throw new Error(dims);
    Object.assign(this, { data, dims });
  }
}
const run = async ({ images }) => {
  const first = [...images.data.slice(0, 3)];
  const sum = first[0] + first[1] + first[2];
  if (!sum) throw new Error("out of memory");
  const data = Float32Array.from(first, (value) => value / sum);
  return { probabilities: { data }, label: { data: [BigInt(data.indexOf(Math.max(...data)))] } };
};
export const InferenceSession = { create: async () => ({ run }) };
"""


def card(**changes: Any) -> Card:
    plain = {
        "classes": ("red", "green", "<b>blue</b>"), "input_size": (8, 8), "in_channels": 3,
        "resize_mode": "crop", "mean": (0.5,) * 3, "std": (0.5,) * 3,
    }  # fmt: skip
    return Card(**plain | changes)


def write(folder: Path, name: str = "fruit & <co>", **changes: Any) -> Path:
    runtime = folder / "runtime"
    runtime.mkdir()
    (runtime / SCRIPT).write_text(STAND_IN)
    (runtime / BINARY).write_bytes(b"")
    (folder / "images.onnx").write_bytes(b"a network")
    write_page(folder, name, card(**changes), runtime)
    return folder / "web"


class Visit:
    """The page in a browser."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator("#choose:enabled").wait_for()

    def choose(self, image: Image.Image | bytes, name: str = "x.png", **how: Any) -> None:
        """Choose a file, and wait for what the page says of it."""
        content = image if isinstance(image, bytes) else encoded(image, **how)
        self.page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": content})
        self.page.locator("#classes li, #problem:not([hidden])").first.wait_for()
        self.page.locator("#status", has_text=re.compile("Reading|Classifying")).wait_for(
            state="detached"
        )

    def probabilities(self) -> dict[str, float]:
        rows = self.page.locator("#classes li").all()
        return {
            row.locator("bdi").inner_text(): float(row.locator("data").get_attribute("value"))
            for row in rows
        }

    def problem(self) -> str:
        self.page.locator("#problem:not([hidden])").wait_for()
        return self.page.inner_text("#problem")


def encoded(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    kept = io.BytesIO()
    image.save(kept, form, **how)
    return kept.getvalue()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """A page that asks only the server from which it came."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(15_000)
    visit = Visit(context.new_page())
    faults: list[str] = []
    visit.page.on("pageerror", lambda error: faults.append(str(error)))
    yield visit
    own = urlsplit(visit.page.url).netloc
    context.close()
    assert {urlsplit(url).netloc for url in visit.asked if url.startswith("http")} == {own}
    assert faults == []


@pytest.fixture
def page(visit: Visit, tmp_path: Path) -> Iterator[Visit]:
    with served(write(tmp_path)) as address:
        visit.open(address)
        yield visit


def test_names_are_shown_as_they_are(page: Visit) -> None:
    assert page.page.title() == "fruit & <co>"
    assert page.page.inner_text("h1") == "fruit & <co>"
    page.choose(Image.new("RGB", (5, 3), (51, 0, 204)))
    assert page.probabilities() == pytest.approx({"<b>blue</b>": 0.8, "red": 0.2, "green": 0})
    assert page.page.inner_text("#status") == "<b>blue</b>"
    assert page.page.locator("#classes li.yes").inner_text().split("\n") == ["<b>blue</b>", "80.0%"]
    assert page.page.inner_text("#details").startswith("5 × 3 pixels, ")


def test_images_are_upright_and_on_white(page: Visit) -> None:
    page.choose(Image.new("RGBA", (4, 4), (255, 0, 0, 0)))
    assert page.probabilities()["red"] == pytest.approx(1 / 3)
    page.choose(Image.new("RGBA", (4, 4), (255, 0, 0, 51)))  # a fifth of red: 255, 204, 204
    assert page.probabilities()["red"] == pytest.approx(255 / 663, abs=2e-3)
    page.choose(Image.new("L", (4, 4), 90))
    assert page.probabilities()["red"] == pytest.approx(1 / 3)
    sides = Image.new("RGB", (16, 16), (255, 0, 0))
    sides.paste((0, 0, 255), (0, 8, 16, 16))  # blue below
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    page.choose(sides, "x.jpg", form="JPEG", exif=exif, quality=100)
    assert page.probabilities()["<b>blue</b>"] > 0.9


def test_a_dropped_image_is_classified_without_a_network_connection(page: Visit) -> None:
    page.page.context.set_offline(True)
    content = base64.b64encode(encoded(Image.new("RGB", (2, 2), (0, 255, 0)))).decode()
    page.page.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "green.png"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        content,
    )
    page.page.locator("#classes li").first.wait_for()
    assert page.probabilities()["green"] == 1
    assert page.page.get_attribute("#canvas", "aria-label") == "The image: green.png"


def test_what_is_no_image_is_said_and_leaves_no_answer(page: Visit) -> None:
    page.choose(Image.new("RGB", (2, 2), (0, 255, 0)))
    page.choose(b"years of work", "thesis.txt")
    assert page.problem().startswith("thesis.txt is not an image that this browser can read.")
    assert page.probabilities() == {}
    assert not page.page.is_visible("#canvas")
    page.choose(b"", "nothing.png")
    assert page.problem() == "nothing.png is empty."
    page.choose(Image.new("RGB", (2, 2)))
    assert page.problem() == (
        "The network could not run on this image: out of memory. A smaller one needs less memory."
    )
    page.choose(Image.new("RGB", (2, 2), (0, 255, 0)))
    assert page.probabilities()["green"] == 1
    assert not page.page.is_visible("#problem")


def test_a_machine_without_a_webcam(page: Visit) -> None:
    page.page.evaluate(
        """() => {
          const none = new DOMException("Requested device not found", "NotFoundError");
          navigator.mediaDevices.getUserMedia = () => Promise.reject(none);
        }"""
    )
    page.page.click("#webcam")
    assert page.problem() == "No webcam was found. Choose an image instead."
    assert page.page.get_attribute("#webcam", "aria-pressed") == "false"


def test_the_webcam_runs_until_it_is_stopped(visit: Visit, tmp_path: Path) -> None:
    visit.page.add_init_script(
        """
        navigator.mediaDevices.getUserMedia = async () => {
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          setInterval(() => {
            context.fillStyle = window.color ?? "#f00";
            context.fillRect(0, 0, 300, 150);
          }, 30);
          return (window.stream = canvas.captureStream());
        };
        """
    )
    with served(write(tmp_path)) as address:
        visit.open(address)
        visit.page.click("#webcam")
        visit.page.locator("#status", has_text="red").wait_for()
        visit.page.evaluate("window.color = '#0f0'")
        visit.page.locator("#status", has_text="green").wait_for()
        assert visit.page.inner_text("#webcam") == "Stop webcam"
        visit.page.click("#webcam")
        visit.page.locator("#status", has_text="The webcam is off.").wait_for()
        assert visit.page.evaluate("stream.getTracks()[0].readyState") == "ended"
        assert visit.page.inner_text("#webcam") == "Webcam"


def answering(folder: Path, outputs: str) -> Path:
    """The page with other outputs of the network's graph than a label."""
    script = folder / SCRIPT
    text = script.read_text().replace("label: { data: [BigInt(", f"{outputs}, old: {{ data: [(")
    script.write_text(text)
    return folder


def test_labels_are_those_that_the_graph_predicts(visit: Visit, tmp_path: Path) -> None:
    folder = answering(write(tmp_path, task="multi-label"), "labels: { data: [1, 0, 1] }")
    with served(folder) as address:
        visit.open(address)
        visit.choose(Image.new("RGB", (2, 2), (50, 155, 40)))
        assert visit.page.inner_text("#status") == "red, <b>blue</b>"
        assert len(visit.page.locator("#classes li.yes").all()) == 2


def test_the_predicted_class_need_not_be_the_most_probable(visit: Visit, tmp_path: Path) -> None:
    with served(answering(write(tmp_path), "label: { data: [2n] }")) as address:
        visit.open(address)
        visit.choose(Image.new("RGB", (2, 2), (50, 155, 50)))
        assert visit.page.inner_text("#status") == "<b>blue</b>"
        assert visit.page.locator("#classes li.yes bdi").inner_text() == "<b>blue</b>"


def test_a_network_that_is_not_sure_says_so_and_names_its_set(visit: Visit, tmp_path: Path) -> None:
    outputs = "label: { data: [1n] }, is_sure: { data: [0] }, set: { data: [1, 1, 0] }"
    with served(answering(write(tmp_path), outputs)) as address:
        visit.open(address)
        visit.choose(Image.new("RGB", (2, 2), (50, 155, 50)))
        assert visit.page.inner_text("#status") == "Not sure."
        assert visit.page.locator("#classes li.yes").count() == 0
        assert "Prediction set: green, red." in visit.page.inner_text("#details")


OBJECTS = """
  const boxes = { data: Float32Array.from([1, 2, 9, 12, 4, 0, 10, 6, 3, 3, 3, 8]) };
  const labels = { data: BigInt64Array.from([2n, 0n, 1n]) };
  return { boxes, scores: { data: Float32Array.from([0.9, 0.4, 0.3]) }, labels };
"""
"""Two boxes, and one that has no width: it lies in the bars around the image."""


def test_objects_are_drawn_and_listed_from_a_least_score_on(visit: Visit, tmp_path: Path) -> None:
    folder = write(tmp_path)
    script = folder / SCRIPT
    script.write_text(re.sub(r"  return \{ prob.*\n", OBJECTS, script.read_text()))
    with served(folder) as address:
        visit.open(address)
        assert not visit.page.is_visible("#least")
        visit.choose(Image.new("RGB", (20, 16), (50, 155, 50)))
        assert visit.page.inner_text("#status") == "1 object."
        assert visit.probabilities() == pytest.approx({"<b>blue</b>": 0.9})
        assert drawn(visit) == [[1, 2, 9, 12]]
        visit.page.fill("#from", "0.35")
        assert visit.page.inner_text("#status") == "2 objects."
        assert visit.probabilities() == pytest.approx({"<b>blue</b>": 0.9, "red": 0.4})
        assert drawn(visit) == [[4, 0, 10, 6], [1, 2, 9, 12]]  # the best one on top
        assert visit.page.locator("#boxes text").all_text_contents() == [
            "red 0.40",
            "<b>blue</b> 0.90",
        ]
        visit.page.fill("#from", "0.95")
        said = "No objects. The best box has a score of 0.90."
        assert visit.page.inner_text("#status") == said
        assert drawn(visit) == []
        visit.page.fill("#from", "0.35")
        visit.choose(b"no image")
        assert drawn(visit) == []


def drawn(visit: Visit) -> list[list[float]]:
    """The edges of the boxes over the image, which lies as it does, whatever its size."""
    return visit.page.eval_on_selector_all(
        "#boxes rect:not(.halo)",
        """(all) => all.map((one) => {
          const { x, y, width, height } = one.getBBox();
          return [x, y, x + width, y + height];
        })""",
    )


def test_many_classes_are_listed_when_asked_for(visit: Visit, tmp_path: Path) -> None:
    runtime = tmp_path / "many"
    runtime.mkdir()
    folder = write(tmp_path, classes=tuple(f"class {number}" for number in range(12)))
    stand_in = STAND_IN.replace("first, (value) => value / sum", "{ length: 12 }, () => 1 / 12")
    (folder / SCRIPT).write_text(stand_in)
    with served(folder) as address:
        visit.open(address)
        visit.choose(Image.new("RGB", (2, 2), (0, 255, 0)))
        assert [*visit.probabilities()] == [f"class {number}" for number in range(5)]
        visit.page.click("text=All 12 classes")
        assert len(visit.probabilities()) == 12
        visit.page.click("text=The first 5 only")
        assert len(visit.probabilities()) == 5


def test_a_page_without_its_network_says_so(visit: Visit, tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "images.onnx").unlink()
    with served(folder) as address:
        visit.page.goto(address)
        assert visit.problem() == (
            "The network could not be loaded. "
            "images.onnx was not found beside the page (status 404)."
        )


def test_it_fits_a_phone_and_is_used_by_the_keyboard(page: Visit) -> None:
    page.choose(Image.new("RGB", (900, 20), (0, 255, 0)), "a" * 200)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "choose"
    page.page.evaluate(
        "document.getElementById('file').addEventListener('click', (event) => {"
        " event.preventDefault(); document.body.dataset.asked = 'a file'; })"
    )
    page.page.keyboard.press("Enter")
    page.page.locator("body[data-asked='a file']").wait_for()
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "webcam"


def test_no_other_host_can_be_asked(page: Visit) -> None:
    refused = page.page.evaluate(
        """() => new Promise((tell) => {
          addEventListener("securitypolicyviolation", (event) => tell(event.violatedDirective));
          fetch("http://127.0.0.1:9/").then(() => tell("asked"), () => {});
        })"""
    )
    assert refused == "connect-src"


def test_its_colors_are_the_labs() -> None:
    tokens = dict_of_colors(STYLES.read_text("utf-8"), ':root[data-theme="dark"]')
    page = Path(convscope.__file__).parent / "conversion" / "page" / "style.css"
    own = dict_of_colors(page.read_text("utf-8"), "@media (prefers-color-scheme: dark)")
    for theirs, ours in zip(tokens, own, strict=True):
        assert ours.items() <= theirs.items()


def dict_of_colors(text: str, dark: str) -> list[dict[str, str]]:
    parts = [text[: text.index(dark)], text[text.index(dark) :]]
    return [dict(re.findall(r"(--[\w-]+): (#\w{6});", part)) for part in parts]


class Small(nn.Module):
    """Of colors, so that the order of the channels matters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv1 = nn.Conv2d(3, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2)
        self.fc = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 30 * self.fc(self.conv2(self.conv1(x).relu()).relu().mean((2, 3)))


def photographs(folder: Path) -> tuple[list[Path], list[Path]]:
    """PNGs of any kind and size, and JPEGs."""
    bundled = Path(convscope.__file__).parent / "data" / "bundled"
    palace = Image.open(bundled / "palace.jpg").convert("RGB")
    flower = Image.open(bundled / "flower.jpg").convert("RGB")
    alpha = flower.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(flower.size))
    kinds = {
        "palace": palace, "odd": palace.resize((311, 97)), "tall": flower.resize((53, 170)),
        "tiny": flower.resize((9, 7)), "gray": palace.convert("L"), "palette": flower.quantize(64),
        "alpha": alpha, "large": palace.resize((1900, 1300)),
    }  # fmt: skip
    for name, image in kinds.items():
        image.save(folder / f"{name}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    palace.save(folder / "turned.jpg", exif=exif, quality=92)
    flower.save(folder / "whole.jpg", quality=95, subsampling=0)
    flower.convert("L").save(folder / "gray.jpg")
    shutil.copy(bundled / "palace.jpg", folder / "photo.jpg")
    return sorted(folder.glob("*.png")), sorted(folder.glob("*.jpg"))


@pytest.mark.slow  # npm brings 33 MB, once
@pytest.mark.parametrize("subject", ["digits", "color"])
def test_the_page_answers_as_pytorch(
    visit: Visit, digits_run: Path, tmp_path: Path, subject: str
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm, which brings ONNX Runtime Web, is not installed")
    net = digits_run if subject == "digits" else Small()
    size = None if subject == "digits" else 64
    exported = convscope.export(net, tmp_path / "out", input_size=size, web=True)
    assert exported.page == tmp_path / "out" / "web"
    (tmp_path / "images").mkdir()
    pngs, jpegs = photographs(tmp_path / "images")
    expected = convscope.predict(net, [*pngs, *jpegs], top=10, input_size=size)
    worst = dict.fromkeys((".png", ".jpg"), 0.0)
    with served(exported.page) as address:
        visit.open(address)
        for path, prediction in zip([*pngs, *jpegs], expected, strict=True):
            visit.choose(path.read_bytes(), path.name)
            if visit.page.is_visible("text=All 10 classes"):
                visit.page.click("text=All 10 classes")
            found = visit.probabilities()
            assert found.keys() == {name for name, _ in prediction.top_k}, path
            difference = max(abs(found[name] - value) for name, value in prediction.top_k)
            worst[path.suffix] = max(worst[path.suffix], difference)
    assert worst[".png"] < 2e-3
    assert worst[".jpg"] < 0.02  # the browser decodes colors by another rule than Pillow


@pytest.mark.slow  # npm brings 33 MB, once
def test_the_page_finds_the_boxes_of_pytorch(visit: Visit, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm, which brings ONNX Runtime Web, is not installed")
    net, net.card = anchored()
    exported = convscope.export(net, tmp_path / "out", engine="onnxruntime", threads=1, web=True)
    (tmp_path / "images").mkdir()
    pngs, _ = photographs(tmp_path / "images")
    expected = convscope.predict(net, pngs, min_score=0.5)
    assert sum(len(one.objects or ()) for one in expected) > len(pngs)
    with served(exported.page or tmp_path) as address:
        visit.open(address)
        for path, prediction in zip(pngs, expected, strict=True):
            if path.stem == "alpha":
                continue  # which Pillow draws on black
            visit.choose(path.read_bytes(), path.name)
            boxes = [list(one.box) for one in reversed(prediction.objects or ())]
            found = drawn(visit)
            assert len(found) == len(boxes), path
            for one, other in zip(found, boxes, strict=True):
                assert one == pytest.approx(other, abs=0.02 * max(prediction.size or ())), path
