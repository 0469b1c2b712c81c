"""Images being copied to a folder, beside all else that the page does."""

from collections.abc import Iterable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from penult.errors import PenultError, UsageError
from penult.exports.copying import copies
from penult.extraction.row_files import RowFile
from penult.util.text import quoted

TOLD = 100  # images left out that are named


class Copying:
    """Copies the images of a selection, one selection at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._state: dict[str, Any] = {"at_work": False}

    def begin(
        self, images: Iterable[tuple[str, RowFile]], count: int, folder: Path, *, link: bool
    ) -> dict[str, Any]:
        """Begin to copy; returns the state.

        Args:
            images: As of `penult.exports.copying.copies`.
            count: How many.
            folder: As there.
            link: As there.

        Raises:
            UsageError: Another selection is being copied.
        """
        with self._lock:
            if self._state["at_work"]:
                raise UsageError(
                    f"images are still being copied to {quoted(self._state['folder'])}"
                )
            self._stop.clear()
            self._state = {
                "at_work": True,
                "folder": str(folder),
                "of": count,
                "copied": 0,
                "left_out": 0,
                "told": [],
                "trouble": "",
            }
            self._thread = Thread(
                target=self._run, args=(images, folder), kwargs={"link": link}, daemon=True
            )
            self._thread.start()
        return self.state()

    def state(self) -> dict[str, Any]:
        """How far it is: how many are copied and left out, and the first of these with reasons."""
        with self._lock:
            return dict(self._state)

    def stop(self) -> None:
        """End it after the image at hand; what is copied stays."""
        self._stop.set()

    def close(self) -> None:
        """End it, and wait for that."""
        self.stop()
        if self._thread:
            self._thread.join()

    def _run(self, images: Iterable[tuple[str, RowFile]], folder: Path, *, link: bool) -> None:
        trouble = ""
        try:
            for each in copies(images, folder, link=link):
                if each.path:
                    self._add(copied=1)
                else:
                    self._add(left_out=1, told=[[each.key, each.left_out]])
                if self._stop.is_set():
                    trouble = "stopped"
                    break
        except PenultError as error:
            trouble = str(error)
        except BaseException:
            trouble = "a bug: penult has printed where"
            raise
        finally:
            with self._lock:
                self._state |= {"at_work": False, "trouble": trouble}

    def _add(self, *, copied: int = 0, left_out: int = 0, told: list[list[str]] = []) -> None:  # noqa: B006 -- is only read
        with self._lock:
            state = self._state
            state["copied"] += copied
            state["left_out"] += left_out
            state["told"] = (state["told"] + told)[:TOLD]
