"""What `penult view` costs with large tables, in a headless browser.

    python benchmarks/viewer.py PHOTOS [ROWS [POINTS]]

Makes two tables in a temporary folder here. The first has ROWS rows (100,000) of the photos, again
and again, in 200 folders: seconds until the first pictures, then frames per second while the grid
is scrolled slowly and fast. The second has POINTS rows (500,000) with places on a map and a
cluster, without files: seconds until it can be used, then frames per second while the map is
dragged and zoomed. What the page's own work takes of a frame is said apart from the rate: without
a graphics card the processor draws, which takes most of the time. Memory is what is resident, of
the server and of the page's process. Needs Chromium and Playwright.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from penult.store import Row, TableWriter

BATCH = 50_000  # rows made and stored at a time
FOLDERS = 200
WIDTH = 8  # values of a vector
SECONDS = 4  # of each motion
OPTIONS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
CHANGE = "{0}.value = '{1}'; {0}.dispatchEvent(new Event('change'))"
COUNT_FRAMES = """seconds => new Promise(done => {
    const [began, gaps] = [performance.now(), []];
    let last = began;
    const frame = (now) => {
        gaps.push(now - last);
        last = now;
        if (now - began < 1000 * seconds) requestAnimationFrame(frame);
        else done([gaps.length / seconds, Math.max(...gaps)]);
    };
    requestAnimationFrame(frame);
})"""


def photo_table(path: Path, photos: Path, rows: int) -> None:
    """Rows that show real files, each many times."""
    files = [photo for photo in sorted(photos.iterdir()) if photo.suffix.lower() in _SUFFIXES]
    known = [(str(file), file.stat(), Image.open(file).size) for file in files]
    random = np.random.default_rng(0)
    many = islice(cycle(known), rows)
    _fill(
        path,
        (
            Row(f"{number % FOLDERS:03}/{number:07}.jpg", state.st_size, state.st_mtime_ns, place,
                width=width, height=height, vectors={"features": random.random(WIDTH, np.float32)})
            for number, (place, state, (width, height)) in enumerate(many)
        ),
    )  # fmt: skip


def point_table(path: Path, rows: int) -> None:
    """Rows without files, in 20 clusters on a map."""
    random = np.random.default_rng(0)
    keys = [f"{number:07}.jpg" for number in range(rows)]
    vector = np.ones(WIDTH, np.float32)
    _fill(path, (Row(key, 1, 1, width=4, height=3, vectors={"features": vector}) for key in keys))
    cluster = random.integers(20, size=rows, dtype=np.int32)
    places = random.standard_normal((20, 2))[cluster] + random.standard_normal((rows, 2)) / 6
    with TableWriter.open(path) as table:
        x, y = places.astype(np.float32).T
        table.annotate(keys, {"cluster": cluster, "x": x, "y": y})


def _fill(path: Path, rows: Iterator[Row]) -> None:
    provenance = {"network": "synthetic"}
    with TableWriter.open_or_create(path, {"features": (WIDTH,)}, provenance) as table:
        while batch := list(islice(rows, BATCH)):
            table.append(batch)


_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@contextmanager
def serving(path: Path) -> Iterator[tuple[int, str]]:
    """Run `penult view`; its process and its address."""
    command = [sys.executable, "-m", "penult", "view", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            yield server.pid, server.stdout.readline().strip()
        finally:
            server.terminate()


def megabytes(process: int) -> float:
    """The memory that a process has resident."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1e3


def renderer(browser: Browser) -> int:
    """The process of the page, the largest of its kind."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return max((each["id"] for each in found if each["type"] == "renderer"), key=megabytes)


def measured(browser: Browser, name: str, path: Path, look: Callable[[Page], None]) -> None:
    """Open a table, print what that takes, and then look at it."""
    began = time.perf_counter()
    with serving(path) as (process, address):
        started = time.perf_counter() - began
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("body.ready", state="attached")
        ready = time.perf_counter() - began
        print(f"{name}: address after {started:.1f} s, page after {ready:.1f} s", end="")
        if name == "grid":
            page.wait_for_selector(".tile.loaded")
            print(f", first pictures after {time.perf_counter() - began:.1f} s", end="")
        print()
        look(page)
        used = megabytes(process), megabytes(renderer(browser))
        print(f"  memory: server {used[0]:.0f} MB, page {used[1]:.0f} MB")
        page.close()


def frames(page: Page, name: str, move: str) -> None:
    """Print how often the screen is drawn while a script moves what is on it."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")  # counts until the session is detached
    page.evaluate(f"window.moving = setInterval(() => {{{move}}}, 8)")
    before = busy(session)
    rate, longest = page.evaluate(COUNT_FRAMES, SECONDS)
    share = 1e3 * (busy(session) - before) / (rate * SECONDS)
    session.detach()
    page.evaluate("clearInterval(window.moving)")
    page.wait_for_timeout(1000)
    print(
        f"  {name:24} {rate:5.1f} frames/s, longest {longest:.0f} ms, "
        f"scripts and layout {share:.1f} ms a frame"
    )


def busy(session: CDPSession) -> float:
    """Seconds that a page has spent in scripts, styles and layout."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    found = {each["name"]: each["value"] for each in metrics}
    return sum(found[f"{name}Duration"] for name in ("Script", "RecalcStyle", "Layout"))


def scroll(page: Page) -> None:
    """Scroll slowly, so that pictures come, and fast, so that none do."""
    frames(page, "nothing moves", "")
    frames(page, "scrolled 1,000 px/s", "scroller.scrollBy(0, 8)")
    frames(page, "scrolled 100,000 px/s", "scroller.scrollBy(0, 800)")
    timed(page, "filter by name", "words.value = '17/'; words.dispatchEvent(new Event('input'))")
    timed(page, "sort by file size", CHANGE.format("sort", "bytes up"))


def pan(page: Page) -> None:
    """Drag and zoom the map."""
    page.keyboard.press("m")
    page.wait_for_timeout(1000)
    for way, name in (("Right", "dragged"), ("+", "zoomed in"), ("-", "zoomed out")):
        key = f"Arrow{way}" if way == "Right" else way
        frames(page, name, f"points.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")
    timed(page, "colour by file size", CHANGE.format("colour", "bytes"))


def timed(page: Page, name: str, action: str) -> None:
    """Print how long the page is busy with something."""
    took = page.evaluate(
        f"""async () => {{ const began = performance.now(); {action};
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        return performance.now() - began; }}"""
    )
    print(f"  {name:24} {took:5.0f} ms")


def main(photos: Path, rows: int = 100_000, points: int = 500_000) -> None:
    """Print what both tables cost."""
    with tempfile.TemporaryDirectory(dir=".") as folder, sync_playwright() as running:
        grid, map_ = Path(folder) / "grid.lance", Path(folder) / "map.lance"
        photo_table(grid, photos, rows)
        point_table(map_, points)
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        measured(browser, "grid", grid, scroll)
        measured(browser, "map", map_, pan)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
