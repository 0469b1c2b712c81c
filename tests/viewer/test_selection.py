"""A selection leads somewhere: keys that commands take, copies in a folder of one's choice."""

import csv
import json
from threading import Event
from urllib.parse import urlsplit

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter
from penult.util.keys import asked_for
from penult.viewer import copying as at_work
from penult.viewer.requests import Request

from .conftest import KEYS, opened
from .test_server import _asked, in_bits


@pytest.fixture
def copying(browser, table, tmp_path, monkeypatch):
    """A page of the table, and the folder that names of folders begin from."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root/sub").mkdir(parents=True)
    (tmp_path / "root/sub/there.png").touch()
    with (
        penult.view(table, root=tmp_path / "root") as viewer,
        opened(browser, viewer.url) as page,
    ):
        yield page, tmp_path


def copy_all(page, folder, how="Copies"):
    page.keyboard.press("Control+a")
    page.get_by_role("button", name="Copy to folder…").click()
    page.get_by_label("Folder of this machine").fill(folder)
    page.get_by_label(how).check()
    page.get_by_role("button", name="Copy", exact=True).click()


def test_shown_images_are_all_selected_by_a_button(page):
    page.get_by_label("<u>1</u>").check()
    page.get_by_role("button", name="Select all").click()
    assert page.locator("#selection b").inner_text() == "4 selected"


def test_shift_and_a_click_select_all_in_between(page):
    page.locator("#tile-2 .circle").click()
    page.locator("#tile-5").click(modifiers=["Shift"])
    assert page.locator("#selection b").inner_text() == "4 selected"
    assert page.locator("#detail[open]").count() == 0


def test_downloaded_keys_are_a_list_that_commands_take(page, table):
    page.get_by_role("button", name="Select all").click()
    with page.expect_download() as found:
        page.get_by_role("button", name="Download keys").click()
    known = penult.open(table).keys
    keys = asked_for(found.value.path()).found(lambda names: [n in known for n in names], "it")
    assert keys == known
    assert "a/new\\nline.png" in found.value.path().read_text("utf-8").split("\n")


ODD = ["back\\slash", "a\\nb", "b\nc\r", "\x0b\x0c\x1c\x85\u2028\u2029", " x "]


def test_keys_are_written_as_exports_write_them(browser, tmp_path):
    vectors = {"pool": np.ones(2, np.float32)}
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append([Row(key, 1, 1, width=1, height=1, vectors=vectors) for key in ODD])
    features = penult.open(tmp_path / "t.lance")
    features.export(tmp_path / "f.npy")
    with penult.view(features) as viewer, opened(browser, viewer.url) as page:
        page.keyboard.press("Control+a")
        with page.expect_download() as found:
            page.get_by_role("button", name="Download keys").click()
        assert found.value.path().read_bytes() == (tmp_path / "f.keys.txt").read_bytes()


def test_keys_are_copied_to_the_clipboard(browser, viewer):
    with opened(browser, viewer.url) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("#tile-7 .circle").click()
        page.get_by_role("button", name="Copy keys").click()
        page.get_by_text("1 key copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "b/plain.png\n"


def test_a_table_of_selected_rows_has_their_paths(page, table):
    page.locator("#tile-7 .circle").click()
    with page.expect_download() as found:
        page.get_by_role("button", name="Table .csv").click()
    with found.value.path().open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["key"], row["path"]) == ("b/plain.png", str(table.parent / "7.png"))


def test_selected_images_are_copied_and_what_is_left_out_is_told(copying, table):
    page, folder = copying
    copy_all(page, "new")
    page.get_by_text("6 of 8 images copied to").wait_for()
    text = page.locator("#copy-state").inner_text()
    assert "2 images left out" in text
    assert "b/changed.png it isn't the one that the features are of" in text
    assert "b/gone.png it can't be read: No such file or directory" in text
    assert (folder / "new/b/plain.png").read_bytes() == (table.parent / "7.png").read_bytes()
    names = {str(each.relative_to(folder / "new")) for each in (folder / "new").rglob("*.png")}
    assert names == {*KEYS} - {"b/gone.png", "b/changed.png"}
    page.keyboard.press("Escape")
    assert page.locator("#selection b").inner_text() == "8 selected"


def test_hard_links_are_the_files(copying, table):
    page, folder = copying
    copy_all(page, str(folder / "new"), "Hard links")
    page.get_by_text("6 of 8 images linked to").wait_for()
    assert (folder / "new/b/plain.png").samefile(table.parent / "7.png")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "isn't empty: name a new or empty folder, or one below"),
        ("none/new", "there is no folder '"),
        ("root/../root/..", "isn't empty"),
        ("https://example.com", "is no folder of this machine"),
    ],
)
def test_other_folders_are_refused_and_may_be_named_anew(copying, name, said):
    page, folder = copying
    copy_all(page, name)
    page.locator("#copy-trouble", has_text=said).wait_for()
    page.get_by_label("Folder of this machine").fill("root/sub")
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_text("6 of 8 images copied to").wait_for()
    assert (folder / "root/sub/b/plain.png").exists()
    assert not (folder / "b").exists()


def test_one_selection_is_copied_at_a_time_and_may_be_stopped(table, tmp_path, monkeypatch):
    going = Event()
    whole = at_work.copies

    def slowly(*images, **options):
        for each in whole(*images, **options):
            yield each
            going.wait(20)

    monkeypatch.setattr(at_work, "copies", slowly)
    with penult.view(table) as viewer:
        content = viewer._content
        rows = {"edition": 1, "rows": in_bits(*range(8))}

        def copy(name):
            body = json.dumps(rows | {"folder": str(tmp_path / name)})
            return content.copy(content.edition, Request.read(body.encode()))

        assert copy("one")["at_work"]
        with pytest.raises(penult.UsageError, match=r"images are still being copied to '.*one'"):
            copy("two")
        content.copying.stop()
        going.set()
        content.copying.close()
        state = content.copying.state()
        assert (state["at_work"], state["trouble"]) == (False, "stopped")
        assert state["copied"] + state["left_out"] < 8
        assert copy("two")["at_work"]


def test_copying_is_stopped_in_the_page(copying, monkeypatch):
    page, folder = copying
    whole, going = at_work.copies, Event()

    def slowly(*images, **options):
        for each in whole(*images, **options):
            yield each
            going.wait(20)

    monkeypatch.setattr(at_work, "copies", slowly)
    copy_all(page, "new")
    page.get_by_text("1 of 8 images copied to").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_timeout(200)
    going.set()
    page.locator("#copy-trouble", has_text="stopped").wait_for()
    page.get_by_role("button", name="Done").last.click()
    assert len([*(folder / "new").rglob("*.png")]) < 6


def test_a_phone_has_room_to_copy(browser, viewer):
    with opened(browser, viewer.url, viewport={"width": 390, "height": 780}) as page:
        page.locator("#tile-0 .circle").click()
        page.get_by_role("button", name="Copy to folder…").click()
        page.get_by_label("Folder of this machine").wait_for()
        box = page.locator("#copy").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_pages_of_others_copy_nothing(viewer, tmp_path):
    body = json.dumps({"edition": 1, "rows": in_bits(7), "folder": str(tmp_path / "new")}).encode()
    parts = urlsplit(viewer.url)
    first = _asked(parts.port, "GET", f"/?{parts.query}", {})
    cookie = {"Cookie": first.headers["Set-Cookie"].partition(";")[0]}
    ours = {"Origin": f"http://{parts.netloc}"}
    for headers in (ours, cookie, cookie | {"Origin": "http://evil.example"}):
        assert _asked(parts.port, "POST", "/copy", headers, body).status == 403
    assert _asked(parts.port, "GET", "/copy", cookie).status == 200
    assert not (tmp_path / "new").exists()
