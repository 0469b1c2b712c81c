"""What an HDF5 file consists of: groups, and in them datasets, as far as weights need it.

    superblock      at the file's beginning; leads to the root group
    object header   messages about one group or dataset: links, type, shape, layout, filters
    group           old: a B-tree over tables of links, their names in a heap; new: link messages
    chunks          a B-tree over the places of a dataset's chunks

The files of h5py, as Keras writes them, need no more. What would lead out of the file (external and
soft links, external storage, virtual datasets) is refused, as are committed types and the indices
of HDF5's latest layouts. No object has two names, the levels of trees go down, and all that is read
about the tensors is at most `MAX_METADATA` bytes, whatever the file declares.

HDF5's own library isn't used: on damaged files it hangs and, now and then, crashes.
Source: HDF5 File Format Specification 3.0, https://support.hdfgroup.org/documentation/hdf5
"""

from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from penult.checkpoints.base import MAX_NAME, WeightsFile
from penult.util.budget import Budget, unpacked_limit
from penult.util.text import quoted

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_METADATA = 8 << 20  # bytes; ResNet-152 with its optimizer has 2 MB
NOWHERE = 2**64 - 1  # an address
MAX_DEPTH = 32

_COST = 64  # bytes that each structure counts for at least
_MESSAGE_COST = 16
_MAX_LINK = 4 * MAX_NAME  # bytes in the name of a link
_MAX_LEVEL = 8  # of a tree; each level has many times the entries of the one above
_RESAVE = "save the weights again with h5py's default settings"

_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _EXTERNAL, _LAYOUT = 1, 2, 3, 6, 7, 8
_FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 11, 12, 16, 17
_ONCE = {_DATASPACE, _LINK_INFO, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS, _SYMBOL_TABLE}
_SHARED = 1 << 1  # flag of a message: its content is elsewhere
_LINKS, _CHUNKS = b"TREE\0", b"TREE\1"
_SOFT = 2  # how an old group marks a soft link; others have 0 or 1


class Piece:
    """A stretch of the file, whose numbers are read one after another, and nothing beyond it."""

    def __init__(self, file: WeightsFile, start: int, end: int) -> None:
        self.file, self.at, self.end = file, start, end

    @property
    def left(self) -> int:
        """How many bytes haven't been read."""
        return self.end - self.at

    def skip(self, size: int) -> int:
        """Pass over some bytes; returns where they begin."""
        if size > self.left:
            self.fail(f"{size} bytes expected where {self.left} are left")
        self.at += size
        return self.at - size

    def take(self, size: int) -> bytes:
        """The next bytes."""
        return self.file.data[self.skip(size) : self.at]

    def number(self, size: int) -> int:
        """The next bytes as a number without sign."""
        return int.from_bytes(self.take(size), "little")

    def part(self, size: int) -> "Piece":
        """The next bytes, to be read by themselves."""
        return Piece(self.file, self.skip(size), self.at)

    def expect(self, content: bytes, what: str) -> None:
        """Read what can only be this."""
        if self.take(len(content)) != content:
            self.fail(f"no {what} where one should be")

    def fail(self, reason: str) -> NoReturn:
        """Say that no writer would have written this."""
        raise self.file.damaged(reason, self.at)

    def refuse(self, what: str) -> NoReturn:
        """Say that it is something that isn't read."""
        raise self.file.error(f"{what}, which isn't supported; {_RESAVE}", self.at)


class Chunk(NamedTuple):
    """Where a chunk is in the dataset and in the file; bits of `skipped` are filters not used."""

    place: tuple[int, ...]
    start: int
    size: int
    skipped: int


class Dataset(NamedTuple):
    """The messages that describe a dataset, to be read."""

    shape: Piece
    dtype: Piece
    layout: Piece
    filters: Piece | None


class Group(NamedTuple):
    """The names of a group's attributes, and where its members' headers are."""

    attributes: set[str]
    members: dict[str, int]


class Objects:
    """The groups and datasets of the HDF5 file that takes these bytes of a file.

    Chunks may become `room` bytes; as many as of a file of these by default.
    """

    def __init__(self, file: WeightsFile, start: int, end: int, room: int | None = None) -> None:
        self.file, self.start, self.end = file, start, end
        self._metadata = Budget(MAX_METADATA, "bytes about the tensors", file.damaged)
        self._unpacked = Budget(
            unpacked_limit(end - start) if room is None else room,
            "bytes in chunks",
            lambda reason: file.error(f"{reason}; save the weights again without compression"),
        )
        self._root = self._superblock()

    def walk(self) -> Iterator[tuple[str, Group | Dataset]]:
        """All groups and datasets by their paths; each group comes before its members."""
        seen: set[int] = set()
        waiting = [("", self._root)]
        while waiting:
            path, address = waiting.pop()
            if address in seen:
                raise self.file.error(f"{quoted(path)} is another name of an object; {_RESAVE}")
            if path.count("/") > MAX_DEPTH or len(path) > MAX_NAME:
                raise self.file.damaged(
                    f"groups deeper than {MAX_DEPTH}, or a path of more than {MAX_NAME} characters"
                )
            seen.add(address)
            item = self._object(address)
            yield path, item
            if isinstance(item, Group):
                prefix = f"{path}/" if path else ""
                self._spend(len(prefix) * len(item.members))
                members = reversed(item.members.items())
                waiting += [(prefix + name, place) for name, place in members]

    def chunks(self, address: int, dimensions: int) -> Iterator[Chunk]:
        """The chunks of a dataset, by the tree at this address."""
        for key, child in self._tree(address, _CHUNKS, 8 * dimensions + 16):
            size, skipped = key.number(4), key.number(4)
            place = tuple(key.number(8) for _ in range(dimensions))
            yield Chunk(place, self.locate(child, size), size, skipped)

    def locate(self, address: int, size: int) -> int:
        """The offset of so many bytes at an address; they are all in the file."""
        start = self.start + address
        if size > self.end - start:
            raise self.file.damaged(
                f"{size} bytes expected at {start}, the file ends at {self.end}"
            )
        return start

    def _piece(self, address: int, size: int) -> Piece:
        self._spend(max(size, _COST))
        start = self.locate(address, size)
        return Piece(self.file, start, start + size)

    def _spend(self, size: int) -> None:
        self._metadata.spend(size)

    def spend_unpacked(self, size: int) -> None:
        """Count bytes that chunks become, of all datasets together."""
        self._unpacked.spend(size)

    def _superblock(self) -> int:
        """Check the file's length; returns the address of the root group."""
        block = self._piece(0, min(96, self.end - self.start))
        block.expect(SIGNATURE, "signature of HDF5")
        version = block.number(1)
        if version > 3:
            block.refuse(f"a superblock of version {version}")
        block.skip(4 if version < 2 else 0)
        sizes = block.take(2)
        block.skip({0: 9, 1: 13}.get(version, 1))
        base, _, end = block.number(8), block.number(8), block.number(8)
        if sizes != b"\x08\x08" or base != 0:
            block.refuse("addresses that aren't of 64 bits, or don't count from the beginning")
        if end > self.end - self.start:
            block.fail(f"{self.end - self.start} bytes of the {end} that were written")
        self.end = self.start + end
        block.skip(16 if version < 2 else 0)
        return block.number(8)

    def _object(self, address: int) -> Group | Dataset:
        found: dict[int, Piece] = {}
        members: dict[str, int] = {}
        attributes = set()
        for kind, piece in self._messages(address):
            if kind == _ATTRIBUTE:
                attributes.add(_attribute_name(piece))
            elif kind == _LINK:
                _add(members, piece, *_link(piece))
            elif found.setdefault(kind, piece) is not piece:
                piece.fail("a second message of one kind about one object")
        if _LAYOUT in found:
            return _dataset(found)
        if _SYMBOL_TABLE in found:
            self._read_symbols(found[_SYMBOL_TABLE], members)
        elif _LINK_INFO in found:
            _check_link_info(found[_LINK_INFO])
        else:
            raise self.file.error(f"neither a group nor a dataset; {_RESAVE}", self.start + address)
        return Group(attributes, members)

    def _messages(self, address: int) -> Iterator[tuple[int, Piece]]:
        """Those messages of an object header that matter."""
        prefix = self._piece(address, 16)
        new = prefix.take(4) == b"OHDR"
        block, ordered = self._new_block(address) if new else self._old_block(address)
        blocks = [block]
        for block in blocks:  # a continuation adds one
            while block.left >= (4 + ordered if new else 8):
                self._spend(_MESSAGE_COST)
                kind, size, flags = block.number(1 if new else 2), block.number(2), block.number(1)
                block.skip(ordered if new else 3)
                content = block.part(size)
                if kind == _CONTINUATION:
                    blocks.append(self._continuation(content, new=new))
                elif kind in _ONCE and flags & _SHARED:
                    content.refuse("a committed type or another shared message")
                elif kind in _ONCE or kind in (_LINK, _ATTRIBUTE):
                    yield kind, content

    def _old_block(self, address: int) -> tuple[Piece, int]:
        header = self._piece(address, 16)
        header.expect(b"\1", "object header")
        header.skip(7)
        return self._piece(address + 16, header.number(4)), 0

    def _new_block(self, address: int) -> tuple[Piece, int]:
        """The messages, and how many bytes each takes to say when it was made."""
        header = self._piece(address, 6)
        header.expect(b"OHDR\2", "object header")
        flags = header.number(1)
        size = self._piece(address + 6, (16 if flags & 32 else 0) + (4 if flags & 16 else 0) + 8)
        width = 1 << (flags & 3)
        size.skip(size.left - 8)
        start = size.at + width - self.start
        return self._piece(start, size.number(width)), 2 if flags & 4 else 0

    def _continuation(self, message: Piece, *, new: bool) -> Piece:
        block = self._piece(message.number(8), message.number(8))
        if new:
            block.expect(b"OCHK", "continuation")
            block.end -= 4  # the checksum
        return block

    def _read_symbols(self, message: Piece, members: dict[str, int]) -> None:
        """The links of an old group: offsets of their names in a heap, and addresses."""
        tree, address = message.number(8), message.number(8)
        heap = self._piece(address, 32)
        heap.expect(b"HEAP\0\0\0\0", "heap of names")
        size, _, start = heap.number(8), heap.number(8), heap.number(8)
        names = self._piece(start, size).take(size)
        for _, child in self._tree(tree, _LINKS, 8):
            table = self._piece(child, 8)
            table.expect(b"SNOD\1\0", "table of links")
            count = table.number(2)
            links = self._piece(child + 8, 40 * count)
            for _ in range(count):
                at, place, kind = links.number(8), links.number(8), links.number(4)
                if kind == _SOFT:
                    links.refuse("a soft link")
                links.skip(20)
                name, _, _ = names[at : at + _MAX_LINK].partition(b"\0")
                self._spend(len(name))  # names in a heap can overlap
                _add(members, links, name, place)

    def _tree(
        self, address: int, kind: bytes, key_size: int, level: int | None = None
    ) -> Iterator[tuple[Piece, int]]:
        """The keys and children of a B-tree's leaves."""
        node = self._piece(address, 24)
        node.expect(kind, "B-tree")
        own, count = node.number(1), node.number(2)
        if own > _MAX_LEVEL or level not in (None, own):
            node.fail(f"a B-tree's node of level {own}")
        entries = self._piece(address + 24, count * (key_size + 8))
        for _ in range(count):
            key, child = entries.part(key_size), entries.number(8)
            if own == 0:
                yield key, child
            else:
                yield from self._tree(child, kind, key_size, own - 1)


def _dataset(messages: dict[int, Piece]) -> Dataset:
    layout = messages[_LAYOUT]
    if _EXTERNAL in messages:
        layout.refuse("a dataset whose values are in another file")
    if _DATASPACE not in messages or _DATATYPE not in messages:
        layout.fail("a dataset without a shape or a type")
    return Dataset(messages[_DATASPACE], messages[_DATATYPE], layout, messages.get(_FILTERS))


def _attribute_name(message: Piece) -> str:
    version = message.number(1)
    message.skip(1)
    size = message.number(2)
    message.skip(5 if version == 3 else 4)
    return message.take(size).rstrip(b"\0").decode("utf-8", "replace")


def _link(message: Piece) -> tuple[bytes, int]:
    message.expect(b"\1", "link")
    flags = message.number(1)
    kind = message.number(1) if flags & 8 else 0
    message.skip((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = message.take(message.number(1 << (flags & 3)))
    if kind:
        message.refuse({1: "a soft link", 64: "a link into another file"}.get(kind, "a link"))
    return name, message.number(8)


def _check_link_info(message: Piece) -> None:
    message.expect(b"\0", "facts about links")
    flags = message.number(1)
    message.skip(8 if flags & 1 else 0)
    if message.number(8) != NOWHERE:
        message.refuse("a group whose links are in a heap, as HDF5's latest layout has it")


def _add(members: dict[str, int], place: Piece, raw: bytes, address: int) -> None:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        place.fail("a name that isn't Unicode text")
    if name in ("", ".", "..") or "/" in name or name in members:
        place.fail(f"a link of the name {quoted(name)}, which is impossible or there twice")
    members[name] = address
