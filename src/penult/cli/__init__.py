"""The command line: a thin shell over the public Python API."""

import gc
import os
import sys
import warnings
from io import TextIOWrapper
from typing import NoReturn

import typer

import penult
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
from penult.cli.commands import INTERRUPTED, REFUSED, app
from penult.cli.panels import arrange
from penult.cli.voice import Anywhere, complain, complain_of_stop, is_json, say, speak
from penult.errors import PenultError, UsageError
from penult.util.machine import one_heap, set_threads
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
    debug = "--debug" in sys.argv
    speak(quiet=False, as_json="--json" in sys.argv)
    try:
        streams.require_files()
        taken = Anywhere.take(sys.argv[1:])
        speak(quiet=taken.quiet, as_json="--json" in taken.rest)
        if taken.threads is not None:
            set_threads(taken.threads)
        if taken.remote:
            penult.allow_remote(*taken.remote)
        code = _exit_code(taken.rest)
        sys.stdout.flush()
    except BaseException as error:  # whatever it is, the user gets one line
        if isinstance(error, BrokenPipeError) and streams.is_unread():
            return 0  # whoever read the output has seen enough
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            complain(type(error).__name__, _words(error), REFUSED)
        return REFUSED
    if code >= INTERRUPTED:
        complain_of_stop(code)
    return code


def _exit_code(arguments: list[str]) -> int:
    try:
        if is_json():
            return _without_pictures(arguments)
        app(arguments)
    except SystemExit as end:
        cause = end.__context__
        if isinstance(cause, BrokenPipeError) and not streams.is_unread():
            raise cause from None  # Typer takes it for the output's
        return end.code if isinstance(end.code, int) else 0
    return 0


def _without_pictures(arguments: list[str]) -> int:
    """As Typer runs a command, but without its frame around what is wrong with the options."""
    try:
        return app(arguments, standalone_mode=False) or 0
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        words = getattr(error, "format_message", None)  # of what Typer finds wrong
        if words is None:
            raise
        raise UsageError(words()) from error


def _words(error: BaseException) -> str:
    """One line: what Penult says, or what the system refuses; anything else is a bug."""
    if isinstance(error, PenultError):
        return str(error)
    if reason := refusal(error):
        return f"{reason}; --debug shows where"
    return f"{error!r}; this is a bug, --debug shows where"
