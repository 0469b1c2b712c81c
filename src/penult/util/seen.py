"""Which of many texts were met before, in 20 to 65 bytes each whatever their length."""

import os
from hashlib import blake2b

DIGEST = 16  # bytes: by chance no two texts share one
_FEW = 1 << 10  # slots at first
_EMPTY = bytes(DIGEST)


class Seen:
    """A set of texts that knows only their digests: a hash table of open addresses."""

    def __init__(self) -> None:
        self._secret = os.urandom(DIGEST)  # so that nobody can choose names that share a slot
        self._slots = bytearray(DIGEST * _FEW)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> bool:
        """Note a text; tell whether it is a new one."""
        data = text.encode("utf-8", "surrogateescape")
        digest = blake2b(data, digest_size=DIGEST, key=self._secret).digest()
        if digest == _EMPTY:
            digest = b"\1" * DIGEST
        at = self._place(digest)
        if self._slots[at : at + DIGEST] == digest:
            return False
        self._slots[at : at + DIGEST] = digest
        self._count += 1
        if 4 * DIGEST * self._count > 3 * len(self._slots):
            self._grow()
        return True

    def _place(self, digest: bytes) -> int:
        """Where a digest is, or would be."""
        size = len(self._slots)
        at = DIGEST * int.from_bytes(digest[:8], "little") % size
        while self._slots[at : at + DIGEST] not in (digest, _EMPTY):
            at = (at + DIGEST) % size
        return at

    def _grow(self) -> None:
        before, self._slots = self._slots, bytearray(2 * len(self._slots))
        for start in range(0, len(before), DIGEST):
            digest = bytes(before[start : start + DIGEST])
            if digest != _EMPTY:
                at = self._place(digest)
                self._slots[at : at + DIGEST] = digest
