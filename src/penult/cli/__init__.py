"""The command line: a thin shell over the public Python API."""

import sys
import warnings

from penult.cli.commands import REFUSED, app
from penult.cli.show import say
from penult.errors import PenultError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error is one line, with a traceback only under --debug."""
    warnings.filterwarnings("ignore", module="PIL")  # odd metadata; what fails is reported as such
    try:
        app()
    except Exception as error:  # whatever it is, the user gets one line
        if "--debug" in sys.argv:
            raise
        known = isinstance(error, PenultError)
        say(str(error) if known else f"{error!r}; this is a bug, --debug shows where")
        sys.exit(REFUSED)
