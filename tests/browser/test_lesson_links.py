"""From a layer to the lessons about it, and from a lesson to a layer that does what it teaches."""

import re
from typing import Any


def test_a_layer_leads_to_its_lessons_and_each_lesson_back_to_a_layer(lab: Any, page: Any) -> None:
    told = page.request.get(f"{lab.address}/api/networks/digits").json()
    image = told["images"][0]["id"]
    page.goto(f"/look/digits/{image}/pool1")
    page.locator(".lessons a").first.click()
    page.wait_for_url("**/learn/pooling")
    page.locator(".see-layer a").click()
    page.wait_for_url(re.compile(r"/look/[^/]+/[^/]+/pool"))
    page.wait_for_selector("#stage h2")
    # a unit leads there, too
    page.goto(f"/look/digits/{image}/fc1/4/0,0")
    page.locator(".lessons a").first.click()
    page.wait_for_url("**/learn/sharing")


def test_what_a_lesson_links_to_is_a_layer_of_which_it_speaks(lab: Any, page: Any) -> None:
    rows = page.request.get(f"{lab.address}/api/networks/odd_network:net").json()["rows"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["stem"]["lessons"][:2] == ["stride", "padding"]
    assert by_name["pool"]["lessons"][0] == "pooling"
    for row in rows:
        if "stride" in row["lessons"]:
            assert max(row["stride"]) > 1
    page.goto("/learn/stride")
    link = page.locator(".see-layer a")
    link.wait_for()
    assert link.inner_text() == "stem of odd_network:net"
