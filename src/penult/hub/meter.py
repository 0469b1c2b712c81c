"""Counts the bytes that huggingface_hub receives, in the place of the bars that it would show."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from penult.errors import DownloadError
from penult.hub.names import RepositoryName

Progress: TypeAlias = Callable[[int, int], object]  # bytes there, bytes in all


class Meter:
    """Bytes of several files, none of which may become larger than the hub has said.

    Args:
        name: Their repository.
        sizes: Bytes of each file, by name.
        progress: Called for every piece.
    """

    def __init__(self, name: RepositoryName, sizes: Mapping[str, int], progress: Progress) -> None:
        self._name = name
        self._total = sum(sizes.values())
        self._sizes = sizes
        self._progress = progress
        self._finished = 0

    def bar(self, file: str, begun: Callable[[], object] = lambda: None) -> type:
        """A class like tqdm's for the next download, which is of that file.

        Args:
            file: Its name.
            begun: Called when there is something to write to.
        """
        meter, most, before = self, self._sizes[file], self._finished

        class Bar:
            def __init__(self, *, initial: int = 0, **options: object) -> None:
                self._there = initial
                begun()

            def __enter__(self) -> "Bar":
                return self

            def __exit__(self, *error: object) -> None:
                pass

            def update(self, more: float | None = 1) -> None:
                """Count bytes of the file, or take them back when it begins anew."""
                self._there += int(more or 0)
                if self._there > most:
                    raise DownloadError(
                        f"{meter._name}: {file} has more than the {most} bytes named: try again"
                    )
                meter._count(before + self._there)

            def update_transfer(self, more: float | None = 1) -> None:
                """Bytes on the wire, which may be fewer than those of the file."""

            def set_postfix_str(self, *text: object, **options: object) -> None:
                """Speed, which `progress` knows itself."""

            set_transfer_postfix_str = set_postfix_str

            def close(self) -> None:
                """Nothing is to be closed."""

        return Bar

    def finish(self, file: str) -> None:
        """Count a file as whole, whether its bytes have come or were here already."""
        self._finished += self._sizes[file]
        self._count(self._finished)

    def _count(self, there: int) -> None:
        self._progress(there, self._total)
