"""What a run knows and has listed takes little memory, even if nothing of it can be done yet."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/planning.py"
SOME = 20e6  # bytes that reading a table takes, however many rows it has


@pytest.fixture(scope="module")
def planning():
    spec = importlib.util.spec_from_file_location("planning", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["planning"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["planning"]


@pytest.mark.parametrize("images", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("case", "compute", "bytes_each"),
    [
        ("new", 1, 70),
        ("unchanged", 0, 80),
        ("half", 0.5, 120),  # what was known and isn't listed, and what is new
        ("changed", 1, 130),  # known, and listed anew
    ],
)
def test_memory_of_a_plan(planning, case, compute, bytes_each, images, tmp_path):
    planning.write(tmp_path / "small.lance", 1)
    planning.write(tmp_path / "large.lance", images)
    jobs, most, _, _ = planning.measured(tmp_path, case, images)
    assert jobs == compute * images - (case == "new")  # of which one is known
    assert most < SOME + bytes_each * images


@pytest.mark.slow
def test_memory_of_a_plan_for_a_folder_that_moved(planning, tmp_path):
    planning.write(tmp_path / "small.lance", 1)
    planning.write(tmp_path / "large.lance", 300_000)
    jobs, most, _, _ = planning.measured(tmp_path, "moved", 300_000)
    assert jobs == 0
    assert most < 150e6
