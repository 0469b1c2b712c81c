"""What is asked of the values of options."""

from collections.abc import Sequence

from penult.errors import UsageError


def require_at_least(least: int, name: str, value: int) -> None:
    """Raise a UsageError if a number is too small."""
    if value < least:
        raise UsageError(f"{name} must be at least {least}, not {value}")


def number_or_none(word: str, name: str, value: int | str) -> int | None:
    """The number, or None for the word that stands for another; a UsageError for other words."""
    if isinstance(value, str) and value != word:
        raise UsageError(f"{name} must be a number or {word}, not {value!r}")
    return None if isinstance(value, str) else value


def require_one_of(known: Sequence[str], name: str, value: str) -> None:
    """Raise a UsageError if a word isn't one of those that are known."""
    if value not in known:
        raise UsageError(f"{name} must be one of {', '.join(known)}, not {value!r}")


def require_store(store: bool, name: str, value: object) -> None:
    """Raise a UsageError if it's said where to store something that isn't stored."""
    if value is not None and not store:
        raise UsageError(f"{name} says where to store: give store=True too (--store)")
