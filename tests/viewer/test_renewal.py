"""The served table changes: the page sees it, and the person's place in it stays."""

import shutil

import numpy as np
import pytest

import penult
from penult.analysis import queries
from penult.store import Row, TableWriter
from penult.store.versions import manifest, versions
from penult.viewer.content import Content

from .conftest import opened


def rows(*names):
    random = np.random.default_rng(0)
    vectors = {name: random.standard_normal(4).astype(np.float32) for name in sorted(names)}
    return [
        Row(name, 1, 1, width=40 + 10 * place, height=30, vectors={"pool": vectors[name]})
        for place, name in enumerate(names)
    ]


def add(path, *names, network="tiny"):
    with TableWriter.open_or_create(path, {"pool": (4,)}, {"network": network}) as table:
        table.append(rows(*names))


def annotate(path, **columns):
    features = penult.open(path)
    with TableWriter.open(path) as table:
        table.annotate(features.keys, columns)


@pytest.fixture
def table(tmp_path):
    add(tmp_path / "t.lance", *(f"{folder}/{number}.jpg" for folder in "bd" for number in range(5)))
    annotate(tmp_path / "t.lance", label=[f"kind {i % 2}" for i in range(10)])
    return tmp_path / "t.lance"


@pytest.fixture
def page(browser, table):
    with penult.view(table) as viewer, opened(browser, viewer.url) as page:
        yield page


def renew(page):
    """Let the page look now; it would in some seconds."""
    page.evaluate("import('/renewal.js').then((renewal) => renewal.check())")


def names(page):
    return page.locator(".tile .name").all_text_contents()


def selected(page):
    return page.locator(".tile[aria-selected=true]").evaluate_all(
        "all => all.map((each) => each.ariaLabel)"
    )


def test_the_page_looks_by_itself(page, table):
    add(table, "a/new.jpg")
    page.get_by_text("11 images", exact=True).wait_for(timeout=15_000)


def test_an_empty_table_fills(browser, tmp_path):
    add(tmp_path / "t.lance")
    with penult.view(tmp_path / "t.lance") as viewer, opened(browser, viewer.url) as page:
        page.get_by_text("No image of this table has features yet.").wait_for()
        add(tmp_path / "t.lance", "b.jpg", "a.jpg")
        renew(page)
        page.get_by_text("2 images", exact=True).wait_for()
        assert names(page) == ["a.jpg", "b.jpg"]


def test_another_clustering_is_told(page, table):
    annotate(table, label=["other"] * 10)
    renew(page)
    page.get_by_text("The table has changed", exact=True).wait_for()
    assert page.get_by_label("kind 1").count() == 0


def test_new_rows_appear_and_what_is_selected_stays(page, table):
    page.locator("#tile-0 .circle").click()
    page.locator("#tile-9 .circle").click()
    add(table, "a/new.jpg", "c/new.jpg")
    renew(page)
    page.get_by_text("The table has changed: 2 images more").wait_for()
    assert page.locator("#count").inner_text() == "12 images"
    assert selected(page) == ["b/0.jpg", "d/4.jpg"]
    assert page.locator("#filters").get_by_role("button", name="a 1").is_visible()


def test_rows_that_have_gone_are_selected_no_more(page, table):
    page.keyboard.press("Control+a")
    with TableWriter.open(table) as writer:
        writer.remove(["b/0.jpg"])
    renew(page)
    page.get_by_text("The table has changed: 1 image fewer").wait_for()
    assert page.locator("#selection b").inner_text() == "9 selected"
    assert "b/0.jpg" not in selected(page)


def test_filters_and_the_order_stay(page, table):
    page.get_by_label("kind 1").check()
    page.locator("#filters").get_by_role("button", name="d 5").click()
    page.get_by_label("Sort").select_option("Width ↓")
    page.get_by_label("Filter by name").fill("jpg")
    before = names(page)
    add(table, "a/new.jpg", "z/new.jpg")
    annotate(table, cluster=np.arange(12, dtype=np.int32) % 3)
    renew(page)
    page.get_by_text("new cluster").wait_for()
    assert names(page) == before
    assert page.get_by_label("kind 1").is_checked()
    assert page.locator("#count").inner_text() == f"{len(before)} of 12 images"
    assert page.get_by_label("Sort").input_value() == "width down"
    page.locator("#filters").get_by_role("button", name="All", exact=True).click()
    page.get_by_label("kind 1").uncheck()
    assert page.locator("#count").inner_text() == "12 images"


def test_a_range_keeps_its_ends_though_others_are_wider(page, table):
    page.get_by_label("Width: from").fill("20")
    page.get_by_text("5 of 10 images", exact=True).wait_for()
    with TableWriter.open(table) as writer:
        vector = {"pool": np.ones(4, np.float32)}
        writer.append([Row("z.jpg", 1, 1, width=9000, height=30, vectors=vector)])
    renew(page)
    page.get_by_text("1 image more").wait_for()
    assert page.locator("#count").inner_text() == "5 of 11 images"


def test_what_alone_is_shown_stays(page, table):
    page.locator("#tile-3 .circle").click()
    page.get_by_role("button", name="Show only these").click()
    add(table, "a/new.jpg")
    renew(page)
    page.get_by_text("1 of 11 images", exact=True).wait_for()
    assert names(page) == ["3.jpg"]


def test_a_search_finds_what_is_new(page, table):
    page.locator("#tile-0").click()
    page.get_by_role("button", name="Show nearest in the grid").click()
    page.wait_for_selector(".tile .score")
    assert len(names(page)) == 9
    add(table, "a/new.jpg")
    renew(page)
    page.get_by_text("10 of 11 images", exact=True).wait_for()
    assert "new.jpg" in names(page)
    assert "Like b/0.jpg" in page.locator("#chips").inner_text()
    with TableWriter.open(table) as writer:
        writer.remove(["b/0.jpg"])
    renew(page)
    page.get_by_text("10 images", exact=True).wait_for()
    assert page.locator(".chip").count() == 0


def test_the_image_that_is_looked_at_stays(page, table):
    page.locator("#tile-9").click()
    page.wait_for_selector("#detail .near button")
    add(table, "a/new.jpg")
    renew(page)
    page.get_by_text("11 of 11").wait_for()
    assert page.locator("#detail h2").inner_text() == "4.jpg"


def test_the_place_in_a_long_grid_stays(browser, tmp_path):
    path = tmp_path / "t.lance"
    add(path, *(f"{number:03}.jpg" for number in range(400)))
    with penult.view(path) as viewer, opened(browser, viewer.url) as page:
        page.locator("#scroller").evaluate("each => (each.scrollTop = each.scrollHeight / 2)")
        page.wait_for_timeout(150)
        top = "document.elementFromPoint(400, 200).closest('.tile').ariaLabel"
        before = int(page.evaluate(top).removesuffix(".jpg"))
        add(path, *(f"000{number:03}.jpg" for number in range(100)))
        renew(page)
        page.get_by_text("500 images", exact=True).wait_for()
        page.wait_for_timeout(150)
        assert abs(int(page.evaluate(top).removesuffix(".jpg")) - before) < 15


def test_a_map_appears_and_is_made_anew(page, table):
    page.get_by_role("tab", name="Map").click()
    assert page.locator("#no-map").is_visible()
    place = np.arange(10, dtype=np.float32)
    annotate(table, x=place, y=place, cluster=np.arange(10, dtype=np.int32) % 2)
    renew(page)
    page.locator("#points").wait_for()
    page.locator("#colour").select_option("label")
    add(table, "a/new.jpg")
    renew(page)
    page.get_by_text("1 image without a place").wait_for()
    assert page.locator("#colour").input_value() == "label"
    assert page.locator("#legend li").count() == 3


def test_a_table_that_has_gone_is_told_once_and_stays_in_sight(page, table):
    table.rename(table.with_name("elsewhere"))
    renew(page)
    page.get_by_text("there is nothing, expected a table").wait_for()
    assert page.locator(".tile").count() == 10
    table.with_name("elsewhere").rename(table)
    add(table, "a/new.jpg")
    renew(page)
    page.get_by_text("11 images", exact=True).wait_for()


@pytest.fixture
def content(table):
    content = Content(penult.open(table))
    yield content
    content.close()


def test_the_same_version_is_not_read_again(content, table, monkeypatch):
    monkeypatch.setattr("penult.viewer.content.TableReader", None)
    assert [content.renew(), content.renew()] == [1, 1]


def test_a_table_made_anew_in_its_place_is_another_edition(content, table):
    shutil.rmtree(table)
    add(table, "only.jpg", network="other")
    assert content.renew() == 2
    assert content.edition.keys == ["only.jpg"]


def test_the_table_that_was_given_stays_as_it_is(table):
    features = penult.open(table)
    content = Content(features)
    add(table, "a/new.jpg")
    assert content.renew() == 2
    assert (len(features), len(content.edition)) == (10, 11)
    content.close()


def test_what_is_loaded_stays_loaded(content, table):
    older = content.edition.features
    queries._models[older] = (None, "a model")
    add(table, "a/new.jpg")
    content.renew()
    assert queries._models[content.edition.features] == (None, "a model")
    shutil.rmtree(table)
    add(table, "only.jpg", network="other")
    content.renew()
    assert content.edition.features not in queries._models


def test_a_damaged_version_is_passed_over_once(content, table):
    add(table, "a/new.jpg")
    manifest(table, versions(table)[0]).write_bytes(b"")
    assert content.renew() == 2
    assert len(content.edition) == 10
    assert content.renew() == 2
