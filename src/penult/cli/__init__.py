"""The command line: a thin shell over the public Python API."""

import gc
import os
import sys
import warnings
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from penult.cli import (  # noqa: F401 -- they add their commands
    analysis,
    groups,
    original,
    probes,
    upkeep,
    view,
    weights,
)
from penult.cli.commands import REFUSED, app
from penult.cli.panels import arrange
from penult.cli.show import say
from penult.errors import PenultError
from penult.util.machine import one_heap
from penult.util.text import quoted

__all__ = ["app", "main"]

arrange(app)


def main() -> NoReturn:
    """Run the command line; an error is one line, with a traceback only under --debug."""
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; what fails is reported as such
    warnings.showwarning = lambda message, *_, **__: say(str(message))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # names that it has no letters for
    one_heap()
    gc.set_threshold(50_000)  # imports make no garbage: to look for it took a twentieth of a start
    code = _run()
    with suppress(BrokenPipeError):  # whoever read the output has seen enough
        sys.stdout.flush()
    os._exit(code)  # all is saved, and to take the libraries down takes a tenth of a second


def _run() -> int:
    debug = "--debug" in sys.argv  # anywhere: it is added to a command line that has failed
    try:
        app([argument for argument in sys.argv[1:] if argument != "--debug"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as error:  # noqa: BLE001 -- whatever it is, the user gets one line
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            say(_words(error))
        return REFUSED
    return 0


def _words(error: Exception) -> str:
    """One line: what Penult says, or what the system refuses; anything else is a bug."""
    if isinstance(error, PenultError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{quoted(str(error.filename))}: "
        return f"{place}{error.strerror.lower()}; --debug shows where"
    return f"{error!r}; this is a bug, --debug shows where"
