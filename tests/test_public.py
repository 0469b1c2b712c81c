"""The public surface: what `import penult` offers, and what it costs."""

import subprocess
import sys

import penult


def test_every_public_name_is_there_and_sorted():
    assert penult.__all__ == sorted(penult.__all__)
    for name in penult.__all__:
        assert getattr(penult, name).__doc__
    assert set(penult.__all__) <= set(dir(penult))


def test_importing_penult_loads_nothing_heavy():
    script = "import penult, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    heavy = {"numpy", "PIL", "lance", "onnx", "onnxruntime", "pyarrow", "rich", "typer"}
    assert not heavy & set(loaded.stdout.decode().split())
