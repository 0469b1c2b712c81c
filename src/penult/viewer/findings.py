"""What was found in a table, as sections of a contact sheet."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penult.analysis.clusters import Clusters, central
from penult.analysis.near_duplicates import Duplicates, Image
from penult.analysis.neighbours import Match
from penult.analysis.outliers import Outlier
from penult.extraction.row_files import files_of, same_paths
from penult.store import TableReader
from penult.viewer.sheet import LIMIT, Item, Section


def of_matches(
    features: TableReader,
    found: Sequence[Match],
    queries: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> list[Section]:
    """What was looked for, as far as it is keys or files, and then what was found.

    Example:
        >>> import penult
        >>> from penult.viewer.findings import of_matches
        >>> from penult.viewer.sheet import write_sheet
        >>> features = penult.open("photos.lance")  # doctest: +SKIP
        >>> found = features.search("query.jpg")  # doctest: +SKIP
        >>> sections = of_matches(features, found, ["query.jpg"])  # doctest: +SKIP
        >>> write_sheet("found.html", "Like query.jpg", sections)  # doctest: +SKIP
    """
    wanted = [_query(features, query, "query") for query in queries]
    unwanted = [_query(features, query, "not") for query in exclude]
    keys = [match.key for match in found]
    items = _items(features, keys, [f"{match.score:.3f}" for match in found])
    sections = [Section("Looked for", wanted + unwanted), Section("Found", items)]
    return sections if queries or exclude else sections[1:]


def of_table(features: TableReader, limit: int = LIMIT) -> list[Section]:
    """A section a cluster, or a folder if the table has no column `cluster`.

    Where images are more than the limit, as many of each are shown as there is room for.
    """
    groups: dict[Any, list[str]] = {}
    for key, group in zip(features.keys, _groups(features), strict=True):
        groups.setdefault(group, []).append(key)
    clusters = "cluster" in features.columns
    most = _share([*map(len, groups.values())], limit)
    sections = [
        _some(features, _cluster(group) if clusters else group, groups[group], most)
        for group in sorted(groups, key=lambda group: (group in (None, -1), group is None, group))
    ]
    failed = len(features.failures)
    text = f"{failed:,} gave no features; `penult failures {features.path.name}` lists them"
    return [*sections, Section("Failed", (), text)] if failed else sections


def _share(sizes: Sequence[int], limit: int) -> int:
    """How many of each group at most make so many in all; one of each is the least."""
    shares = range(1, max(sizes, default=0) + 1)
    return max(1, bisect_right(shares, limit, key=lambda n: sum(min(n, size) for size in sizes)))


def _some(features: TableReader, title: str, keys: Sequence[str], most: int) -> Section:
    """A section of some images of a group, from all over it."""
    shown = min(most, len(keys))
    items = _items(features, [keys[i * len(keys) // shown] for i in range(shown)])
    return Section(title, items, f"{shown:,} of {len(keys):,}" if shown < len(keys) else "")


def _groups(features: TableReader) -> list[Any]:
    """The cluster of each key, or its folder."""
    if "cluster" in features.columns:
        labels: list[Any] = features.facts(["cluster"])["cluster"].to_pylist()
        return labels
    return [key.rpartition("/")[0] or features.path.name for key in features.keys]


def _cluster(label: Any) -> str:  # noqa: ANN401 -- people may have columns of their own
    if label is None:
        return "Without a cluster"
    return "Noise" if label == -1 else f"Cluster {label}"


def of_duplicates(features: TableReader, found: Duplicates) -> list[Section]:
    """A section a group, the image to keep first."""
    images = [image for group in found.groups for image in (group.keep, *group.drop)]
    files = dict(
        zip(images, same_paths(files_of(features, [image.key for image in images])), strict=True)
    )
    return [
        Section(
            group.keep.key.rpartition("/")[2],
            [
                _copy(group.keep, files[group.keep], "keep"),
                *(_copy(image, files[image], "") for image in group.drop),
            ],
        )
        for group in found.groups
    ]


def of_clusters(features: TableReader, found: Clusters, most: int = 12) -> list[Section]:
    """A section a cluster: its most central images, the nearest to its centre first."""
    return [_group(features, found, each.label, most) for each in found.clusters]


def of_outliers(features: TableReader, found: Sequence[Outlier]) -> list[Section]:
    """One section, the farthest image first."""
    captions = [f"{each.distance:.3f}" for each in found]
    return [Section("Unlike all others", _items(features, [each.key for each in found], captions))]


def of_sample(features: TableReader, keys: Sequence[str]) -> list[Section]:
    """One section, in the order of the sample."""
    return [Section("Sample", _items(features, keys))]


def _group(features: TableReader, found: Clusters, label: int, most: int) -> Section:
    mine = central(found.labels, found.distances, label)
    keys = [found.keys[place] for place in mine[:most]]
    items = _items(features, keys, [f"{found.distances[place]:.3f}" for place in mine[:most]])
    text = f"The {len(items)} most central of {len(mine):,} images" if len(mine) > most else ""
    return Section(_cluster(label), items, text)


def _items(
    features: TableReader, keys: Sequence[str], captions: Sequence[str] | None = None
) -> list[Item]:
    captions = captions or [""] * len(keys)
    files = same_paths(files_of(features, keys))
    return [Item(*each) for each in zip(keys, files, captions, strict=True)]


def _query(features: TableReader, query: str, badge: str) -> Item:
    place = bisect_left(features.keys, query)
    if features.keys[place : place + 1] == [query]:
        (path,) = same_paths(files_of(features, [query]))
    else:
        path = None if "://" in query else Path(query)
    return Item(query, path, badge=badge)


def _copy(image: Image, path: Path | None, badge: str) -> Item:
    likeness = "" if badge else "the same file" if image.exact else f"{image.similarity:.3f}"
    facts = [f"{image.width}×{image.height}", f"{image.bytes:,} bytes", likeness]
    return Item(image.key, path, " · ".join(filter(None, facts)), badge)
