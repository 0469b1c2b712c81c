"""Commands as people run them: most in this process, by all that `main` does, some in their own."""

import gc
import os
import signal
import subprocess
import sys
import warnings
from io import BytesIO, TextIOWrapper

import pytest

from penult.cli import main
from penult.cli.voice import speak

PENULT = [sys.executable, "-m", "penult"]
UNSEEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


@pytest.fixture
def place(tmp_path):
    """Where commands run."""
    return tmp_path


@pytest.fixture
def run(place, monkeypatch, capfd):
    """Run `penult ARGUMENTS`, without the start of a process."""

    def run(*arguments, stdin="", **environment):
        words = ["penult", *map(str, arguments)]
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("default")  # as Python has them where nobody says otherwise
            for category in UNSEEN:
                warnings.simplefilter("ignore", category)
            patch.chdir(place)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
            patch.setattr(os, "_exit", sys.exit)
            patch.setattr(gc, "set_threshold", lambda _: None)
            patch.setattr("penult.cli.one_heap", lambda: None)
            capfd.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        speak(quiet=False, as_json=False)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return subprocess.CompletedProcess(words, end.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def process(place):
    """Run `penult ARGUMENTS`, or a script, in a process of its own."""

    def run(*arguments, script=None, **environment):
        command = [sys.executable, "-c", script] if script else PENULT
        return subprocess.run(
            [*command, *map(str, arguments)],
            cwd=place,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
