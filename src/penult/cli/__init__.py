"""The command line: a thin shell over the public Python API."""

import gc
import os
import sys
import warnings
from contextlib import suppress
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
from penult.cli.show import say
from penult.errors import PenultError
from penult.util.machine import one_heap

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command line; an error is one line, with a traceback only under --debug."""
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; what fails is reported as such
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
            known = isinstance(error, PenultError)
            say(str(error) if known else f"{error!r}; this is a bug, --debug shows where")
        return REFUSED
    return 0
