"""The lab's page shows the network's own numbers, and every way back ends at a byte."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.repetition import first_fast, sample_fast

Show = Callable[[str], Any]


def number(text: str) -> float:
    """A figure of the page as a number."""
    return float(text.replace("−", "-").replace(",", ""))


@pytest.fixture
def images(lab: Any, page: Any) -> dict[str, str]:
    """The images' addresses by their titles, which hold for both networks."""
    told = page.request.get(f"{lab.address}/api/networks/digits").json()
    return {image["title"]: image["id"] for image in told["images"]}


@pytest.fixture
def digits(page: Any, images: dict[str, str]) -> Show:
    """Open an address below the digits network and the first image."""

    def show(path: str) -> Any:
        page.goto(f"/look/digits/{images['one.png']}/{path}")
        page.wait_for_selector("#stage h2, #stage .note")
        return page

    return show


@pytest.fixture
def odd(lab: Any, page: Any) -> Show:
    """Open an address below the network of odd operations and the first image."""
    told = page.request.get(f"{lab.address}/api/networks/odd_network:net").json()
    image = next(one["id"] for one in told["images"] if one["title"] == "one.png")

    def show(path: str) -> Any:
        page.goto(f"/look/{told['id']}/{image}/{path}")
        page.wait_for_selector("#stage h2, #stage .note")
        return page

    return show


def heading(page: Any) -> float:
    """The value that the open unit is said to have, in full digits."""
    return number(page.get_attribute("#stage h2 .result", "title"))


def figures(page: Any, of: str) -> list[float]:
    """Cells of the open channel as they are written."""
    return [number(text) for text in page.locator(f".matrix.{of}.figures .cell").all_inner_texts()]


def wait_until_at(page: Any, end: str) -> None:
    page.wait_for_function("end => location.pathname.endsWith(end)", arg=end)


def test_a_patch_a_filter_and_their_products_are_the_networks(lab: Any, digits: Show) -> None:
    page = digits("conv2/5/2,4")
    values = lab.digits.values()
    patch = values["pool1"][:, 2:7, 4:9]
    weight = lab.digits.net.conv2.weight[5].detach()
    opened = int(page.locator(".channel.open .from").inner_text().split()[-1])
    for of, wanted in (
        ("patch", patch[opened]),
        ("filter", weight[opened]),
        ("products", patch[opened] * weight[opened]),
    ):
        assert figures(page, of) == pytest.approx(wanted.flatten().tolist(), abs=0.006)
    sums = [number(node.get_attribute("title")) for node in page.locator("data.sum").all()]
    assert sums == pytest.approx((patch * weight).sum((1, 2)).tolist(), abs=1e-5)


def test_the_right_hand_column_adds_up_to_the_sum_and_on_to_the_value(
    lab: Any, digits: Show
) -> None:
    page = digits("conv2/5/2,4")
    above = [number(node.get_attribute("title")) for node in page.locator("data.sum").all()]
    bias, total, value = (
        number(node.get_attribute("title")) for node in page.locator(".total data").all()
    )
    assert math.fsum([*above, bias]) == pytest.approx(total, abs=1e-5)
    assert bias == pytest.approx(lab.digits.net.conv2.bias[5].item(), abs=1e-6)
    assert value == heading(page) == pytest.approx(math.tanh(total), abs=1e-5)


def test_what_is_folded_is_counted_and_added_up(lab: Any, digits: Show) -> None:
    page = digits("fc1/4/0,0")
    x, w = lab.digits.values()["conv3"].flatten(), lab.digits.net.fc1.weight[4].detach()
    x = torch.tensor([float(v) for v in lab.digits.values()["tanh3"].flatten()])
    products = (x * w).tolist()
    shown = [
        number(node.get_attribute("title")) for node in page.locator(".channel .sum[title]").all()
    ]
    by_size = sorted(products, key=lambda product: -abs(product))
    assert shown == pytest.approx(by_size[: len(shown)], abs=1e-6)
    left = page.locator(".unfold")
    assert left.inner_text() == f"{len(products) - len(shown)} other products"
    rest = page.locator(".total", has=left).locator("data").get_attribute("title")
    assert number(rest) == pytest.approx(math.fsum(by_size[len(shown) :]), abs=1e-5)
    left.click()
    page.wait_for_function(
        "n => document.querySelectorAll('.channel .sum[title]').length > n", arg=len(shown)
    )
    assert page.locator(".channel .sum[title]").count() > len(shown)


def test_pointing_at_a_cell_lights_its_partners_and_says_the_product(digits: Show) -> None:
    page = digits("conv2/5/2,4")
    page.wait_for_selector(".what-if .cell.lit")  # the weight that What if changes
    page.locator(".matrix.filter.figures .cell").nth(7).hover()
    lit = page.locator(".cell.lit[data-k]")
    assert lit.count() == 3
    assert page.locator(".what-if .cell.lit").count() == 1
    assert {node.get_attribute("data-k") for node in lit.all()} == {"7"}
    said = page.locator(".spoken").inner_text()
    value, weight, product = re.match(r"(\S+) × \(?([^\s)]+)\)? = (\S+?)\.? ", said).groups()
    assert number(value) * number(weight) == pytest.approx(number(product), rel=1e-6)
    shown = [number(node.inner_text()) for node in lit.all()]
    assert shown == pytest.approx([number(value), number(weight), number(product)], abs=0.006)


def test_from_a_class_seven_steps_lead_to_a_byte_of_the_image(lab: Any, digits: Show) -> None:
    page = digits("fc2/3/0,0")
    open_ = "name => document.querySelector('#stage h2')?.textContent.startsWith(name)"
    way = ("fc1", "conv3", "pool2", "conv2", "pool1", "conv1", "image")
    for place in way:
        page.keyboard.press("f")
        page.wait_for_function("name => location.pathname.split('/')[4] === name", arg=place)
        page.wait_for_function(open_, arg="Pixel" if place == "image" else place)
    y, x = map(int, page.url.split("?")[0].split("/")[-1].split(","))
    page.wait_for_selector("text=This is the image itself")
    byte = int(lab.bytes[y, x])
    assert page.locator("#stage h2").inner_text() == f"Pixel ({y}, {x}) = {byte}"
    value = number(page.locator(".sentence b").get_attribute("title"))
    mean, std = lab.digits.card.mean[0], lab.digits.card.std[0]
    assert value == pytest.approx((byte / 255 - mean) / std, abs=1e-5)
    assert page.url.count("~") == len(way) - 1  # the trail holds all the units on the way
    page.go_back()
    page.wait_for_function("() => location.pathname.split('/')[4] === 'conv1'")


def test_the_bytes_around_a_pixel_are_those_of_the_file(lab: Any, digits: Show) -> None:
    page = digits("image/0/20,30")
    page.wait_for_selector(".pixel .cell.lit")
    shown = [text.strip() for text in page.locator(".pixel .cell").all_inner_texts()]
    wanted = [str(lab.bytes[y, x]) if x < 32 else "" for y in range(17, 24) for x in range(26, 35)]
    assert shown == wanted


def test_a_click_and_the_arrow_keys_move_the_unit(lab: Any, digits: Show) -> None:
    page = digits("conv2/5/2,4")
    map_ = lab.digits.values()["tanh2"][5]
    page.locator(".side .board").focus()
    for key, y, x in (("ArrowDown", 3, 4), ("ArrowRight", 3, 5), (".", 3, 6), (",", 3, 5)):
        page.keyboard.press(key)
        wait_until_at(page, f"/conv2/5/{y},{x}")
        page.wait_for_function(
            "name => document.querySelector('#stage h2')?.textContent.startsWith(name)",
            arg=f"conv2[5,{y},{x}]",
        )
        assert heading(page) == pytest.approx(float(map_[y, x]), abs=1e-5)
    box = page.locator(".side .board").bounding_box()
    page.mouse.click(box["x"] + 0.95 * box["width"], box["y"] + 0.05 * box["height"])
    wait_until_at(page, "/conv2/5/0,9")


def test_the_filter_slides_over_the_map_and_fills_it(digits: Show) -> None:
    page = digits("pool2/3/4,4")
    clear = """() => {
        const map = document.querySelector(".side .board canvas");
        const points = map.getContext("2d").getImageData(0, 0, map.width, map.height).data;
        return points.filter((_, k) => k % 4 === 3 && points[k] === 0).length;
    }"""
    assert page.evaluate(clear) == 0
    page.locator(".side .board").focus()
    page.keyboard.press(" ")
    wait_until_at(page, "/pool2/3/1,0")
    page.wait_for_function(
        "() => document.querySelector('#stage h2')?.textContent.includes('[3,1,')"
    )
    waiting = page.evaluate(clear)
    assert 0 < waiting < 25
    wait_until_at(page, "/pool2/3/4,4")
    page.wait_for_selector(".slide[aria-pressed=false]")
    assert page.evaluate(clear) == 0


@pytest.mark.slow
def test_a_pause_leaves_the_map_whole(digits: Show) -> None:
    page = digits("conv2/3/4,4")
    page.locator(".slide").click()
    wait_until_at(page, "/conv2/3/0,5")
    page.locator(".slide").click()
    page.wait_for_selector(".slide[aria-pressed=false]")
    where = page.url
    page.wait_for_timeout(400)
    assert page.url == where


def test_the_arrow_keys_go_through_a_patch_and_enter_steps_back(digits: Show) -> None:
    page = digits("conv2/5/2,4")
    page.locator(".matrix.patch.figures [tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    opened = int(page.locator(".channel.open .from").inner_text().split()[-1])
    page.keyboard.press("Enter")
    wait_until_at(page, f"/pool1/{opened}/3,6")
    assert "trail=conv2:5:2,4" in page.url


def order_of(page: Any) -> list[int]:
    names = page.locator("#stage .maps .map .name b").all_inner_texts()
    return [int(name.split()[-1]) for name in names]


def test_maps_are_ranked_by_their_mean_magnitude(lab: Any, digits: Show) -> None:
    page = digits("conv2")
    strength = lab.digits.values()["tanh2"].abs().mean((1, 2))
    page.wait_for_selector("text=Show the other 4")
    assert order_of(page) == strength.argsort(descending=True).tolist()[:12]
    page.click(".unfold")
    page.wait_for_selector("text=Only the first 12")
    assert sorted(order_of(page)) == list(range(16))
    shown = page.locator(".map .name data").first.get_attribute("title")
    assert number(shown) == pytest.approx(float(strength.max()), abs=1e-6)


def test_what_matters_is_the_gradient_times_the_activation(lab: Any, digits: Show) -> None:
    net, kept = lab.digits.net, []
    handle = net.tanh2.register_forward_hook(lambda *parts: kept.append(parts[-1]) or None)
    answer = net(lab.digits.read.clone().requires_grad_())[0]
    handle.remove()
    (slope,) = torch.autograd.grad(answer.max(), kept[0])
    matter = (slope * kept[0]).sum((2, 3))[0].detach()
    page = digits("conv2?rank=importance")
    page.wait_for_selector(".maps .map")
    assert order_of(page) == matter.abs().argsort(descending=True).tolist()[:12]
    shown = [number(node.get_attribute("title")) for node in page.locator(".map .name data").all()]
    assert shown == pytest.approx(matter[order_of(page)].tolist(), abs=1e-4)


def test_maps_of_one_group_correlate_and_others_do_not(lab: Any, digits: Show) -> None:
    page = digits("conv1?rank=correlated")
    page.wait_for_selector(".correlated, .note")
    maps = lab.digits.values()["tanh1"].flatten(1).double().numpy()
    alike = np.corrcoef(maps) >= 0.9
    shown = page.locator(".correlated").all()
    for group in shown:
        first, *others = (int(t.split()[-1]) for t in group.locator(".name b").all_inner_texts())
        assert others
        assert all(alike[first, other] for other in others)
    assert bool(shown) == bool((alike.sum(1) > 1).any())


def test_a_click_on_a_map_opens_the_unit_under_the_pointer(lab: Any, digits: Show) -> None:
    page = digits("conv2")
    page.wait_for_selector(".maps .map")
    place = order_of(page)[2]
    box = page.locator(".map .view").nth(2).bounding_box()
    page.mouse.click(box["x"] + 0.35 * box["width"], box["y"] + 0.75 * box["height"])
    wait_until_at(page, f"/conv2/{place}/7,3")
    page.wait_for_selector(".ledger")
    wanted = float(lab.digits.values()["tanh2"][place, 7, 3])
    assert heading(page) == pytest.approx(wanted, abs=1e-5)


def test_a_second_image_is_compared_map_by_map(digits: Show, images: dict[str, str]) -> None:
    page = digits("conv1")
    page.select_option("[aria-label='Compare with another image']", images["two.png"])
    page.wait_for_selector(".maps.pairs")
    assert page.locator(".maps.pairs .map").first.locator(".view").count() == 2
    assert f"with={images['two.png']}" in page.url


def test_a_dead_map_is_folded_and_named(odd: Show) -> None:
    page = odd("stem")
    page.wait_for_selector(".maps .map")
    assert 2 not in order_of(page)
    page.click("summary")
    assert "1 dead map" in page.inner_text("summary")
    page.click("[aria-label='Open map 2, which is dead']")
    wait_until_at(page, "/stem/2/0,0")


def results(odd_network: Any) -> dict[str, Tensor]:
    """The rows of the odd network by hand, where these are no modules."""
    found = odd_network.values()
    found["stem"] = found["stem"].relu()
    found["add"] = found["pool"] + found["narrow"]
    found["sigmoid"] = found["add"].sigmoid()
    found["mul"] = found["add"] * found["sigmoid"]
    found["cat"] = torch.cat([found["mul"], found["norm"]])
    found["cumsum"] = found["last"].cumsum(0)
    found["log"] = found["cumsum"].log()
    found["softmax"] = found["answer"].softmax(0)
    return found


@pytest.mark.parametrize(
    ("row", "at", "told"),
    sample_fast(
        2,
        [
            ("stem", (1, 0, 4), r"3 × 7×7 = 147 products"),
            ("pool", (1, 0, 3), r"The largest of \d values of stem"),
            ("wide", (3, 0, 0), r"2 × 3×3 = 18 products"),
            ("norm", (3, 4, 4), r"scale"),
            ("narrow", (3, 4, 4), r"8 × 1×1 = 8 products"),
            ("add", (3, 4, 4), r"The sum of 2 values"),
            ("sigmoid", (1, 4, 4), r"1 ÷ \(1 \+ e\^−add\[1,4,4\]\)"),
            ("mul", (3, 4, 4), r"The product of two values"),
            ("cat", (5, 3, 3), r"A copy of norm\[1,3,3\]: nothing is computed"),
            ("mean", (3, 2, 2), r"The mean of 4 values of cat: their sum ÷ 4"),
            ("many", (3, 2, 2), r"12 × 1×1 = 12 products"),
            ("last", (1, 1, 1), r"20 × 3×3 = 180 products"),
            ("cumsum", (2, 1, 1), r"^3 values: the positive ones add up to"),
            ("answer", (3, 0, 0), r"For class 3. 3 products"),
            (
                "softmax",
                (3, 0, 0),
                r"For class 3\. e\^answer\[3\] divided by the sum of e\^answer\[k\]",
            ),
        ],
    ),
)
def test_every_operation_has_its_ledger(
    lab: Any, odd: Show, row: str, at: tuple[int, int, int], told: str
) -> None:
    page = odd(f"{row}/{at[0]}/{at[1]},{at[2]}")
    page.wait_for_selector(".ledger")
    wanted = results(lab.odd)[row]
    value = wanted[at] if wanted.ndim == 3 else wanted[at[0]]
    assert heading(page) == pytest.approx(float(value), abs=2e-4)
    assert re.search(told, page.inner_text("#stage .lead"))
    last = page.locator(".total.result data").last.get_attribute("title")
    assert number(last) == pytest.approx(float(value), abs=2e-4)


def test_the_winner_of_a_maximum_is_outlined(lab: Any, odd: Show) -> None:
    page = odd("pool/1/3,3")
    page.wait_for_selector(".matrix.patch.figures")
    patch = results(lab.odd)["stem"][1, 5:8, 5:8].flatten()
    marked = page.evaluate(
        """[...document.querySelectorAll('.matrix.patch .cell')]
               .map((cell) => cell.style.boxShadow !== '')"""
    )
    assert marked == (patch == patch.max()).tolist()


def test_padding_is_hatched_and_says_so(odd: Show) -> None:
    page = odd("wide/3/0,0")
    page.wait_for_selector(".matrix.patch.figures")
    outside = page.locator(".matrix.patch.figures .cell.outside")
    assert outside.count() == 5  # the first row and the first column of a 3x3 patch
    assert page.locator(".matrix.patch.figures button.outside").count() == 0
    outside.first.hover()
    assert "the 0 is padding, outside the image" in page.inner_text(".spoken")


def test_what_is_no_number_is_named_and_counted(lab: Any, odd: Show) -> None:
    page = odd("log")
    page.wait_for_selector("#stage .note, #stage .maps .map")
    values = results(lab.odd)["log"]
    strange = int((~values.isfinite()).sum())
    assert strange  # else this shows nothing
    assert f"{strange:,} of these values are not finite" in page.inner_text("#stage")
    c, y, x = values.isnan().nonzero()[0].tolist()
    page = odd(f"log/{c}/{y},{x}")
    page.wait_for_selector(".ledger")
    assert page.inner_text("#stage h2").endswith("= NaN")


@pytest.mark.parametrize(
    "path",
    first_fast(2, ["conv9", "image/0/32,0", "conv2/99/0,0", "conv2/5/10,0", "fc2/3/1,0"]),
)
def test_a_place_that_is_not_there_is_told_in_a_sentence(digits: Show, path: str) -> None:
    page = digits(path)
    assert re.search(r"no (layer|unit)", page.inner_text("#stage .note"))


@pytest.mark.parametrize(
    "path",
    first_fast(
        2,
        [
            *("conv2/5/2,4", "conv1?rank=importance"),
            *("conv1", "pool1/2/3,3", "fc1/4/0,0", "image/0/12,12"),
        ],
    ),
)
def test_nothing_of_the_page_leaves_a_narrow_screen(digits: Show, page: Any, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    digits(path)
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    "row", first_fast(1, ["stem/1/0,4", "last/1/1,1", "mul/3/4,4", "norm/3/4,4", "pool/1/3,3"])
)
def test_no_ledger_leaves_its_card(odd: Show, page: Any, row: str) -> None:
    for width in (1440, 1024, 820, 390):
        page.set_viewport_size({"width": width, "height": 844})
        odd(row)
        page.wait_for_selector(".ledger")
        out = page.evaluate(
            """() => {
                const ledger = document.querySelector(".ledger");
                const end = ledger.getBoundingClientRect().right + 1;
                const parts = [...ledger.querySelectorAll("*")];
                return parts.filter((part) => part.getBoundingClientRect().right > end).length;
            }"""
        )
        assert out == 0, width


def test_two_quick_presses_are_one_step(digits: Show) -> None:
    page = digits("fc2/3/0,0")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('.follow').click()")
    page.wait_for_function(
        "() => document.querySelector('#stage h2')?.textContent.startsWith('fc1')"
    )
    assert page.url.endswith("trail=fc2:3:0,0")
