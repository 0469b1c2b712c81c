"""What becomes of proposed duplicates: rows of a list, another folder. Nothing is ever deleted."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from penult.analysis.near_duplicates import Duplicates, Image
from penult.errors import ImageError, SourceError
from penult.images.addresses import is_address
from penult.images.formats import format_of
from penult.images.names import parts_below
from penult.util.text import quoted

COLUMNS = (
    "group", "action", "key", "similarity", "exact", "features_alone", "width", "height", "bytes",
    "path",
)  # fmt: skip
START = 4096  # bytes that tell a format


def rows(duplicates: Duplicates) -> Iterator[dict[str, Any]]:
    """One row an image, by `COLUMNS`: groups are counted from 1, and begin with the one to keep."""
    for number, group in enumerate(duplicates.groups, 1):
        for image in (group.keep, *group.drop):
            yield {
                "group": number,
                "action": "keep" if image is group.keep else "drop",
                "key": image.key,
                "similarity": round(image.similarity, 4),
                "exact": image.exact,
                "features_alone": image.features_alone,
                "width": image.width,
                "height": image.height,
                "bytes": image.bytes,
                "path": image.file.shown,
            }


def move(
    duplicates: Duplicates,
    folder: str | Path,
    *,
    root: str | Path,
    features_alone: bool = False,
) -> int:
    """Move the files to drop to the places in a folder that their keys say; return how many.

    Nothing is done unless every file of these groups, those to keep too, is an image below `root`,
    no link leads to it, it is what it was when its features were extracted, and every new place is
    free: a table may be a stranger's, and nothing in it could show whose it is. No file is
    overwritten, whatever happens meanwhile.

    Args:
        duplicates: What was proposed.
        folder: Where to move them; it is made.
        root: The folder that they may be moved out of.
        features_alone: Whether to move those too that only their features say this of. Pictures
            that a network finds alike may be different ones: pages of text, say, or icons.

    Raises:
        SourceError: A file has changed or gone, or is elsewhere, a place is taken, or the system
            refuses.
    """
    dropped = _to_drop(duplicates, features_alone=features_alone)
    return _file(dropped, Path(folder), Path(root), _move)


def hard_link(
    duplicates: Duplicates,
    folder: str | Path,
    *,
    root: str | Path,
    features_alone: bool = False,
) -> int:
    """As `move`, but the files to drop stay where they are, and get a second name to look at."""
    dropped = _to_drop(duplicates, features_alone=features_alone)
    return _file(dropped, Path(folder), Path(root), os.link)


def _to_drop(duplicates: Duplicates, *, features_alone: bool) -> list[tuple[Image, Image]]:
    """Each image to drop, after the one that is kept for it."""
    return [
        (group.keep, image)
        for group in duplicates.groups
        for image in group.drop
        if features_alone or not image.features_alone
    ]


def _file(
    dropped: list[tuple[Image, Image]],
    folder: Path,
    root: Path,
    put: Callable[[Path, Path], None],
) -> int:
    for image in dict.fromkeys(image for pair in dropped for image in pair):
        _require_below(root, _path(image))
        _require_unchanged(image)
        _require_image(_path(image))
    places: dict[Path, Path] = {}
    for _, image in dropped:
        target = folder.joinpath(*parts_below(image.key))
        if target in places or os.path.lexists(target):
            raise SourceError(f"{quoted(target)} exists: nothing was done, name another folder")
        places[target] = _path(image)
    for done, (target, path) in enumerate(places.items()):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            put(path, target)
        except OSError as exc:
            raise SourceError(
                f"{quoted(path)}: {_refusal(exc)}; {done} of {len(places)} are in {quoted(folder)}"
            ) from exc
    return len(places)


def _move(path: Path, target: Path) -> None:
    os.link(path, target)  # fails if there is something, where a rename would replace it
    path.unlink()


def _refusal(exc: OSError) -> str:
    if exc.errno == errno.EXDEV:
        return "on another disk: name a folder on the same one"
    return exc.strerror or type(exc).__name__


def _require_below(root: Path, path: Path) -> None:
    if not path.is_relative_to(root.resolve()):
        raise SourceError(
            f"{quoted(path)} isn't below {quoted(root.resolve())}: nothing was done, name the "
            "folder that its images are in (--root)"
        )
    if os.path.realpath(path) != str(path):
        raise SourceError(f"{quoted(path)} is or leads over a link: nothing was done, remove it")


def _require_image(path: Path) -> None:
    try:
        with path.open("rb") as file:
            format_of(file.read(START))
    except (OSError, ImageError) as exc:
        raise SourceError(f"{quoted(path)}: {exc}: nothing was done, extract again") from exc


def _require_unchanged(image: Image) -> None:
    path, state = _path(image), image.file.state()
    if state != "same":
        how = " with --prune" if state == "gone" else ""
        raise SourceError(
            f"{quoted(path)} has {state} since its features were extracted: nothing was done, "
            f"extract again{how}"
        )


def _path(image: Image) -> Path:
    if not image.place:
        raise SourceError(f"the table doesn't say where {quoted(image.key)} is: extract it again")
    if is_address(image.file.path):
        raise SourceError(
            f"{quoted(image.file.path)} is in a bucket: nothing was done, as Penult writes to none"
        )
    if image.file.is_within:
        raise SourceError(
            f"{quoted(image.file.path)} holds many images: nothing was done, as one can't be moved "
            "out of it; write a list (-o) instead"
        )
    return Path(image.file.path)
