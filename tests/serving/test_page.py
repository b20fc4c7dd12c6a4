"""The page that tries the server out, in a browser: from installed files alone, on any screen."""

import shutil

import pytest

from tests.serving.servers import photograph, served

pytest.importorskip("playwright")
from playwright.sync_api import expect, sync_playwright

from tests.repetition import first_fast

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
TOKEN = "a-token-of-a-test"  # noqa: S105 -- a test's own

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


def files(*names):
    return [
        {"name": name, "mimeType": "image/jpeg", "buffer": photograph(seed=seed)}
        for seed, name in enumerate(names)
    ]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
@pytest.mark.parametrize("scheme", first_fast(1, ["light", "dark"]))
def test_an_image_is_classified(server, chromium, size, scheme, tmp_path):
    page = chromium.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    requested, problems = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.port}/")
    expect(page.locator("#about")).to_contain_text("3 classes: cat, dog, owl. Input 16 x 20")
    expect(page.locator("#token-field")).to_be_hidden()
    wrong = {"name": "no image.jpg", "mimeType": "image/jpeg", "buffer": b"hello"}
    page.set_input_files("#files", [*files("first.jpg", "x" * 80 + ".jpg"), wrong])
    expect(page.locator("#answers li")).to_have_count(3)
    expect(page.locator("#answers li").nth(0).locator(".class")).to_have_count(3)
    expect(page.locator("#answers li").nth(2)).to_contain_text("The image is a text file")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    own = (f"http://127.0.0.1:{server.port}/", "blob:", "data:")
    assert [url for url in requested if not url.startswith(own)] == []
    assert problems == []
    page.screenshot(path=tmp_path / "page.png")
    page.close()


def test_the_page_asks_for_the_token(exports, chromium):
    environment = {"CONVSCOPE_TOKEN": TOKEN}
    with served(exports / "first", "--threads", 1, environment=environment) as server:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        expect(page.locator("#about")).to_have_text("This server asks for a token.")
        page.set_input_files("#files", files("first.jpg"))
        expect(page.locator("#status")).to_contain_text("Send the token")
        page.fill("#token", TOKEN)
        page.press("#token", "Tab")
        expect(page.locator("#about")).to_contain_text("3 classes")
        page.set_input_files("#files", files("first.jpg"))
        expect(page.locator("#answers li")).to_have_count(1)
        page.close()


def test_a_class_is_text_whatever_its_name_is(chromium, tmp_path):
    torch = pytest.importorskip("torch")
    import convscope  # noqa: PLC0415
    from convscope.card import Card  # noqa: PLC0415

    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    net.card = Card(
        classes=("<img src=x onerror=alert(1)>", "b"), input_size=(8, 8), in_channels=3,
        resize_mode="stretch", mean=(0, 0, 0), std=(1, 1, 1),
    )  # fmt: skip
    convscope.export(net.eval(), tmp_path / "net", engine="onnxruntime", threads=1)
    with served(tmp_path / "net", "--threads", 1) as server:
        page = chromium.new_page()
        page.on("dialog", lambda _dialog: pytest.fail("a script of a name was run"))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.set_input_files("#files", files("<b>.jpg"))
        expect(page.locator("#answers li").locator(".class")).to_have_count(2)
        assert page.locator("#answers img").count() == 1
        page.close()


def test_classes_that_are_numbers_stand_in_the_order_of_their_probabilities(server, chromium):
    answer = {"label": "7", "probability": 0.6, "probabilities": {"7": 0.6, "10": 0.3, "2": 0.1}}
    page = chromium.new_page()
    page.route("**/predict*", lambda route: route.fulfill(json={"predictions": [answer]}))
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.set_input_files("#files", files("one.jpg"))
    expect(page.locator("#answers .class")).to_have_count(3)
    shown = page.locator("#answers .class").all_inner_texts()
    assert [text.split()[0] for text in shown] == ["7", "10", "2"]
    page.close()
