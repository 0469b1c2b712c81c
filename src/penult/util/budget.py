"""What reading one file may take, counted over all of its parts."""

from collections.abc import Callable


class Budget:
    """How much of one kind a file has had so far, and the most that it may have.

    Readers spend before they build, so what a file costs is bounded however it is cut into parts:
    a limit on each part bounds nothing where the number of parts is the file's to choose.

    Args:
        most: The limit, far above what any file in use has.
        what: What is counted, in the plural.
        error: Makes what is raised beyond it of a reason.
    """

    def __init__(self, most: int, what: str, error: Callable[[str], Exception]) -> None:
        self._most, self._what, self._error = most, what, error
        self._spent = 0

    def spend(self, count: int = 1) -> None:
        """Count so many more; raises the error if they are too many."""
        self._spent += count
        if self._spent > self._most:
            raise self._error(f"more than {self._most} {self._what}")


def unpacked_limit(packed: int) -> int:
    """How many bytes may come of `packed` ones: weights hardly shrink, and small files may."""
    return _SMALL + _EXPANSION * packed


_SMALL = 64 << 20  # bytes
_EXPANSION = 4  # times; halves of floats in 32 bits, as zlib packs them, are 2.3
