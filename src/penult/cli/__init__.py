"""The command line: a thin shell over the public Python API."""

import gc
import os
import sys
import warnings
from io import TextIOWrapper
from typing import NoReturn

from penult.cli import (  # noqa: F401 -- they add their commands
    analysis,
    groups,
    original,
    probes,
    streams,
    upkeep,
    view,
    weights,
)
from penult.cli.commands import REFUSED, app
from penult.cli.panels import arrange
from penult.cli.show import say
from penult.errors import PenultError
from penult.util.machine import one_heap
from penult.util.refusals import PANIC, refusal

__all__ = ["app", "main"]

arrange(app)


def main() -> NoReturn:
    """Run the command line; an error is one line, with a traceback only under --debug."""
    streams.keep_open()
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; what fails is reported as such
    warnings.showwarning = lambda message, *_, **__: say(str(message))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that it has no letters for
    one_heap()
    gc.set_threshold(50_000)  # imports make no garbage: to look for it took a twentieth of a start
    code = _run()
    os._exit(code)  # all is saved, and to take the libraries down takes a tenth of a second


def _run() -> int:
    debug = "--debug" in sys.argv  # anywhere: it is added to a command line that has failed
    try:
        streams.require_files()
        code = _exit_code([argument for argument in sys.argv[1:] if argument != "--debug"])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        return 0
    except BaseException as error:  # whatever it is, the user gets one line
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            say(_words(error))
        return REFUSED
    return code


def _exit_code(arguments: list[str]) -> int:
    try:
        app(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _words(error: BaseException) -> str:
    """One line: what Penult says, or what the system refuses; anything else is a bug."""
    if isinstance(error, PenultError):
        return str(error)
    if reason := refusal(error):
        return f"{reason}; --debug shows where"
    return f"{error!r}; this is a bug, --debug shows where"
