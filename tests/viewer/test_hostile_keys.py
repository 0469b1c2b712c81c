"""Keys that are HTML stay text, wherever the page shows them."""

from itertools import product

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter

from .conftest import opened

RUN = "document.title='run'"
CLOSED = ["", '"', "'", "-->", "</title>", "</style>", "</script>", "</textarea>", '">', "'>"]
OPENED = [
    f"<script>{RUN}</script>",
    f"<script src=data:,{RUN}>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<details open ontoggle={RUN}>",
    f"<style onload={RUN}>@import 'data:,'",
    f"<a href=javascript:{RUN} autofocus onfocus={RUN}>",
    f" onmouseover={RUN} style=animation:x onanimationstart={RUN} ",
    f"javascript:{RUN}//${{{RUN}}}{{{{{RUN}}}}}",
]
HOSTILE = [f"{number:03}/{a}{b}" for number, (a, b) in enumerate(product(CLOSED, OPENED))]


@pytest.fixture
def hostile(browser, tmp_path):
    with TableWriter.open_or_create(
        tmp_path / "t.lance", {"pool": (2,)}, {"network": HOSTILE[2]}
    ) as table:
        vector = np.ones(2, np.float32)
        table.append([Row(key, 1, 1, width=1, height=1, vectors={"pool": vector})
                      for key in HOSTILE])  # fmt: skip
        table.append([Row(f"x{key}", 1, 1, error=f"damaged: {key}") for key in HOSTILE])
        keys = sorted(HOSTILE)
        places = np.linspace(-1, 1, len(keys), dtype=np.float32)
        table.annotate(keys, {"x": places, "y": places, "label": [key[4:] for key in keys]})
    with penult.view(tmp_path / "t.lance") as viewer, opened(browser, viewer.url) as page:
        yield page


def test_a_hundred_hostile_keys_stay_text(hostile):
    assert len(set(HOSTILE)) == 100
    page = hostile
    page.locator("#size").fill("80")
    page.wait_for_selector(".tile >> nth=50", state="attached")
    labels = [tile.get_attribute("aria-label") for tile in page.locator(".tile").all()]
    assert set(labels) <= set(HOSTILE)
    more = page.get_by_role("button", name="Show all ")
    while more.count():
        more.first.click()
    page.locator(".tile").first.click()
    page.wait_for_selector("#detail .near button >> nth=11")
    page.keyboard.press("s")
    page.wait_for_selector(".tile .score")
    page.keyboard.press("m")
    page.mouse.move(760, 430)
    page.keyboard.press("f")
    rows = page.locator("#failures tbody tr td:first-child").all_text_contents()
    assert rows == [f"x{key}" for key in sorted(HOSTILE)]
    page.wait_for_timeout(200)
    assert page.title() == "t.lance – penult"
    assert page.locator("script").count() == 1
    assert page.locator("iframe, style, a, details, [onload], [onerror]").count() == 0
