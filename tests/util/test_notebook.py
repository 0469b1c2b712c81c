"""The bar in a notebook, by what IPython is asked to display."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

import penult
from penult.util import notebook
from penult.util.progress import Counts, show_nothing


@pytest.fixture
def displayed(monkeypatch):
    """Be in a notebook; lists what its cell shows, each drawing after the other."""
    drawn = []
    handle = SimpleNamespace(update=drawn.append)

    def display(page, display_id):
        drawn.append(page)
        return handle if display_id else None

    ipython, pages = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    pages.display, pages.HTML = display, str
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", pages)
    return drawn


@pytest.fixture
def clock(monkeypatch):
    """A clock that is put forward by hand."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(notebook, "monotonic", lambda: clock.now)
    return clock


def test_steps_are_drawn_now_and_then_and_at_the_end(displayed, clock):
    bar = notebook.shown(None)
    for step, now in enumerate((0.1, 0.6, 0.7, 0.9, 0.95), start=1):
        clock.now = now
        bar(step, 5)
    assert [page.rpartition("> ")[2] for page in displayed] == ["2 of 5", "4 of 5", "5 of 5"]
    assert displayed[0].startswith('<progress value="2" max="5">')


def test_what_is_over_soon_shows_nothing(displayed, clock):
    notebook.shown(None)(5, 5)
    assert displayed == []


def test_images_are_counted(displayed, clock):
    bar = notebook.shown(None)
    clock.now = 1.0
    bar(Counts(listed=3000, ok=1500, skipped=2))
    assert displayed[0].endswith(" 1,502 of 3,000")


def test_extract_draws_one(displayed, monkeypatch, photos, tmp_path):
    monkeypatch.setattr(notebook, "SECONDS_BEFORE", 0)
    penult.extract(photos / "hens.jpg", out=tmp_path / "t.lance")
    assert displayed[-1].endswith(" 1 of 1")


def test_a_function_of_the_callers_is_called_instead(displayed):
    assert notebook.shown(print) is print


@pytest.mark.parametrize("shell", [None, object()])
def test_elsewhere_nothing_is_shown(displayed, monkeypatch, shell):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    assert notebook.shown(None) is show_nothing
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook.shown(None) is show_nothing
