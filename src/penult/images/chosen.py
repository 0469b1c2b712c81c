"""The images of a source that are asked for by their keys."""

from collections.abc import Iterator

from penult.images.items import Item, Source
from penult.util.keys import Asked


class Chosen:
    """Those images of a source whose keys are asked for; it is listed at once.

    Args:
        source: The source.
        asked: The keys.

    Attributes:
        metadata: As the source's.

    Raises:
        MissingKeyError: It lists no images of some of these keys.
    """

    def __init__(self, source: Source, asked: Asked) -> None:
        self.metadata = source.metadata
        wanted = {name for names in asked.names for name in names}
        listed = {item.key: item for item in source if item.key in wanted}
        found = asked.found(lambda names: [name in listed for name in names], "the source")
        chosen = set(found)
        self._items = [item for key, item in listed.items() if key in chosen]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def covers(self, place: str) -> bool:
        """Nothing: which images have gone, a list doesn't say."""
        return False
