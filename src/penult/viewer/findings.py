"""What was found in a table, as sections of a contact sheet."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from penult.analysis.clusters import Cluster, Clusters, central
from penult.analysis.near_duplicates import Duplicates, Image
from penult.analysis.neighbours import Match
from penult.analysis.outliers import Outlier
from penult.extraction.row_files import files_of, same_images
from penult.images import Readable
from penult.store import TableReader
from penult.viewer.sheet import MAX_IMAGES, Item, Section


def of_matches(
    features: TableReader,
    matches: Sequence[Match],
    queries: Sequence[str] = (),
    exclude: Sequence[str] = (),
    words: str = "",
) -> list[Section]:
    """A section of what was looked for, keys, files or words, and a section of what was found.

    Example:
        >>> import penult
        >>> from penult.viewer.findings import of_matches
        >>> from penult.viewer.sheet import write_sheet
        >>> features = penult.open("photos.lance")  # doctest: +SKIP
        >>> matches = features.search("query.jpg")  # doctest: +SKIP
        >>> sections = of_matches(features, matches, ["query.jpg"])  # doctest: +SKIP
        >>> write_sheet("found.html", "Like query.jpg", sections)  # doctest: +SKIP
    """
    wanted = [_query_item(features, query, "query") for query in queries]
    unwanted = [_query_item(features, query, "not") for query in exclude]
    keys = [match.key for match in matches]
    items = _items(features, keys, [f"{match.score:.3f}" for match in matches])
    sections = [Section("Looked for", wanted + unwanted, words), Section("Found", items)]
    return sections if queries or exclude or words else sections[1:]


def of_table(features: TableReader, limit: int = MAX_IMAGES) -> list[Section]:
    """A section a cluster, or a folder if the table has no column `cluster`.

    If there are more images than the limit, each section shows as many as there is room for.
    """
    groups: dict[Any, list[str]] = {}
    for key, group in zip(features.keys, _group_labels(features), strict=True):
        groups.setdefault(group, []).append(key)
    clusters = "cluster" in features.columns
    most = _max_of_each([*map(len, groups.values())], limit)
    sections = [
        _spread_section(features, _cluster_title(group) if clusters else group, groups[group], most)
        for group in sorted(groups, key=lambda group: (group in (None, -1), group is None, group))
    ]
    failed = len(features.failures)
    text = f"{failed:,} gave no features; `penult failures {features.path.name}` lists them"
    return [*sections, Section("Failed", (), text)] if failed else sections


def _max_of_each(sizes: Sequence[int], limit: int) -> int:
    """How many images each group may show so that all groups show `limit` at most; at least 1."""
    shares = range(1, max(sizes, default=0) + 1)
    return max(1, bisect_right(shares, limit, key=lambda n: sum(min(n, size) for size in sizes)))


def _spread_section(features: TableReader, title: str, keys: Sequence[str], most: int) -> Section:
    """A section of `most` images of a group, evenly spread over it."""
    shown = min(most, len(keys))
    items = _items(features, [keys[i * len(keys) // shown] for i in range(shown)])
    left_out = len(keys) - shown
    text = f"{shown:,} of {len(keys):,}, evenly spread" if left_out else ""
    return Section(title, items, text, left_out=left_out)


def _group_labels(features: TableReader) -> list[Any]:
    """The cluster of each key, or its folder."""
    if "cluster" in features.columns:
        labels: list[Any] = features.facts(["cluster"])["cluster"].to_pylist()
        return labels
    return [key.rpartition("/")[0] or features.path.name for key in features.keys]


def _cluster_title(label: Any) -> str:  # noqa: ANN401 -- people may have columns of their own
    if label is None:
        return "Without a cluster"
    return "Noise" if label == -1 else f"Cluster {label}"


def of_duplicates(features: TableReader, duplicates: Duplicates) -> list[Section]:
    """A section a group, the image to keep first."""
    images = [image for group in duplicates.groups for image in (group.keep, *group.drop)]
    pictures = same_images(files_of(features, [image.key for image in images]))
    files = dict(zip(images, pictures, strict=True))
    return [
        Section(
            group.keep.key.rpartition("/")[2],
            [
                _duplicate_item(group.keep, files[group.keep], "keep"),
                *(_duplicate_item(image, files[image], "") for image in group.drop),
            ],
        )
        for group in duplicates.groups
    ]


def of_clusters(features: TableReader, clusters: Clusters, most: int = 12) -> list[Section]:
    """A section a cluster: its most central images, the nearest to its centre first."""
    return [_cluster_section(features, clusters, cluster, most) for cluster in clusters.clusters]


def of_outliers(features: TableReader, outliers: Sequence[Outlier]) -> list[Section]:
    """One section, the farthest image first."""
    keys = [outlier.key for outlier in outliers]
    captions = [f"{outlier.distance:.3f}" for outlier in outliers]
    return [Section("Unlike all others", _items(features, keys, captions))]


def of_sample(features: TableReader, keys: Sequence[str]) -> list[Section]:
    """One section, in the order of the sample."""
    return [Section("Sample", _items(features, keys))]


def _cluster_section(
    features: TableReader, clusters: Clusters, cluster: Cluster, most: int
) -> Section:
    members = central(clusters.labels, clusters.distances, cluster.label)
    keys = [clusters.keys[place] for place in members[:most]]
    captions = [f"{clusters.distances[place]:.3f}" for place in members[:most]]
    items = _items(features, keys, captions)
    left_out = len(members) - len(items)
    text = f"The {len(items)} most central of {len(members):,} images" if left_out else ""
    called = "" if cluster.label < 0 else f": {', '.join(cluster.names or (cluster.name,))}"
    return Section(_cluster_title(cluster.label) + called, items, text, left_out=left_out)


def _items(
    features: TableReader, keys: Sequence[str], captions: Sequence[str] | None = None
) -> list[Item]:
    captions = captions or [""] * len(keys)
    files = same_images(files_of(features, keys))
    return [Item(*fields) for fields in zip(keys, files, captions, strict=True)]


def _query_item(features: TableReader, query: str, badge: str) -> Item:
    place = bisect_left(features.keys, query)
    if features.keys[place : place + 1] == [query]:
        (image,) = same_images(files_of(features, [query]))
    else:
        image = None if "://" in query else query
    return Item(query, image, badge=badge)


def _duplicate_item(image: Image, picture: Readable | None, badge: str) -> Item:
    likeness = "" if badge else "the same file" if image.exact else f"{image.similarity:.3f}"
    alone = "by features alone" if image.features_alone else ""
    facts = [f"{image.width}×{image.height}", f"{image.bytes:,} bytes", likeness, alone]
    return Item(image.key, picture, " · ".join(filter(None, facts)), badge)
