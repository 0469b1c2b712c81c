"""The public surface: what `import penult` offers, and what it costs."""

import builtins
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import penult


def test_every_public_name_is_there_and_sorted():
    assert penult.__all__ == sorted(penult.__all__)
    for name in (*penult.__all__, "map", "open", "legacy", "sklearn"):
        assert getattr(penult, name).__doc__
        assert name in dir(penult)


def test_a_star_shadows_no_builtin():
    assert not set(penult.__all__) & set(dir(builtins))


def test_the_names_of_2018_say_where_they_are():
    with pytest.raises(AttributeError, match=r"use penult\.open, or .* penult\.legacy\.load_feat"):
        penult.load_features  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        penult.nothing  # noqa: B018


def test_types_are_told_to_checkers():
    assert (Path(penult.__file__).parent / "py.typed").is_file()


def test_importing_penult_loads_nothing_heavy():
    script = "import penult, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    heavy = {"numpy", "PIL", "lance", "onnx", "onnxruntime", "pyarrow", "rich", "typer"}
    assert not heavy & set(loaded.stdout.decode().split())


def test_nothing_but_the_table_is_written(photos, tmp_path):
    home, out = tmp_path / "home", tmp_path / "photos.lance"
    home.mkdir()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")}
    environment.pop("ORT_DISABLE_TELEMETRY")
    command = [sys.executable, "-m", "penult", "extract", photos, "-o", out]
    subprocess.run(command, env=environment | {"HOME": str(home)}, capture_output=True, check=True)
    assert list(home.iterdir()) == []
    assert [each.name for each in tmp_path.iterdir() if each != home] == ["photos.lance"]


def test_no_package_hides_a_public_name():
    assert not {module.name for module in pkgutil.iter_modules(penult.__path__)} & {*penult.__all__}
