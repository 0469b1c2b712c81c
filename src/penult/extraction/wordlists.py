"""Words that images are compared with: lists that come with Penult, files, and templates."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from penult.errors import UsageError
from penult.util.text import quoted

Words: TypeAlias = str | Path | Sequence[str]
Templates: TypeAlias = str | Sequence[str]

LISTS = {"imagenet": "imagenet_names.txt", "nouns": "everyday_nouns.txt"}
FILE_BYTES = 4 << 20  # of a list
MOST, LONGEST = 100_000, 1000  # words, and characters of one
MOST_TEMPLATES = 1000

PHOTO = "a photo of a {}."
SIMPLE = (  # the seven that OpenAI found to do nearly as well as all
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)


def several_texts(name: str, texts: object) -> list[str]:
    """List the texts that an option was given.

    Raises:
        UsageError: It is no text and no sequence of texts.
    """
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise UsageError(f"{name} is a text or several, not {quoted(texts)}")
    for each in (listed := list(texts)):
        if not isinstance(each, str):
            raise UsageError(f"{name} is of texts, not of {quoted(each)}")
    return listed


def read_words(words: Words) -> list[str]:
    """List words, each once.

    Args:
        words: `imagenet` (OpenAI's names of its 1000 classes) or `nouns` (711 of everyday life),
            which come with Penult; a text file, a word a line; words with commas between; or a
            sequence of words.

    Raises:
        UsageError: There are none, too many, or too long ones, or the file can't be read.
    """
    found = [word.strip() for word in _listed(words)]
    each_once = list(dict.fromkeys(filter(None, found)))
    if not each_once:
        raise UsageError(f"{quoted(words)} has no words: give a file with one a line, or several")
    if len(each_once) > MOST:
        raise UsageError(f"{len(each_once):,} words are too many: {MOST:,} at a time are the most")
    longest = max(each_once, key=len)
    if len(longest) > LONGEST:
        raise UsageError(f"{quoted(longest)} has {len(longest):,} characters, {LONGEST:,} at most")
    if damaged := next((word for word in each_once if "\0" in word), None):
        where = f"{quoted(words)}: " if isinstance(words, str | Path) else ""
        raise UsageError(f"{where}{quoted(damaged)} has a NUL character: remove it")
    return each_once


def read_templates(templates: Templates) -> tuple[str, ...]:
    """List templates, in which `{}` stands for a word.

    Args:
        templates: One or several; `photo` stands for "a photo of a {}.", `imagenet` for OpenAI's
            80, `simple` for 7 of them.

    Raises:
        UsageError: One has no `{}` or two of them, or there are too many.
    """
    given = [templates] if isinstance(templates, str) else several_texts("template", templates)
    found = tuple(each for one in given for each in _templates_named(one))
    for each in found:
        if each.count("{}") != 1 or len(each) > LONGEST:
            raise UsageError(
                f"a template has one {{}} for the word, as in {PHOTO!r}, not {quoted(each)}; "
                "or it is photo, simple or imagenet"
            )
    if not 0 < len(found) <= MOST_TEMPLATES:
        raise UsageError(f"{len(found):,} templates: give from 1 to {MOST_TEMPLATES:,}")
    return found


def _listed(words: Words) -> Sequence[str]:
    if not isinstance(words, str | Path):
        return several_texts("words", words)
    if isinstance(words, str) and words in LISTS:
        return _shipped(LISTS[words])
    if isinstance(words, str) and "," in words and not _is_file(words):
        return words.split(",")
    if isinstance(words, str) and not (set("./") & {*words} or _is_file(words)):
        return [words]
    return _read(Path(words)).splitlines()


def _is_file(words: str) -> bool:
    try:
        return Path(words).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL byte
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except (OSError, ValueError) as exc:  # ValueError: a NUL byte
        reason = getattr(exc, "strerror", None) or "no name of a file"
        hint = f"words are {' or '.join(LISTS)}, a text file, or have commas between"
        raise UsageError(f"{quoted(path)}: {reason.lower()}; {hint}") from exc
    if len(data) > FILE_BYTES:
        raise UsageError(f"{quoted(path)} has more than {FILE_BYTES:,} bytes: no list of words")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(
            f"{quoted(path)} isn't UTF-8 at byte {exc.start}: a list of words is a text file"
        ) from exc


def _templates_named(name: str) -> Sequence[str]:
    match name:
        case "imagenet":
            return _shipped("imagenet_templates.txt")
        case "simple":
            return SIMPLE
    return [PHOTO if name == "photo" else name]


def _shipped(name: str) -> list[str]:
    return files("penult.extraction").joinpath("words", name).read_text("utf-8").splitlines()
