"""Lists of words and templates: those that come along, and those of strangers."""

import pytest

from penult.errors import UsageError
from penult.extraction.wordlists import MOST, read_templates, read_words


def test_what_comes_along():
    names, nouns = read_words("imagenet"), read_words("nouns")
    assert (names[0], names[-1], len(names)) == (
        "tench",
        "toilet paper",
        998,
    )  # two are there twice
    assert {"bicycle", "beach", "person"} <= {*nouns}
    assert len(nouns) == 711


def test_words_may_be_said_or_stand_in_a_file(tmp_path):
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeffcat\n\n dog \r\ncat\na bird, in flight\n".encode())
    assert read_words(file) == read_words(str(file)) == ["cat", "dog", "a bird, in flight"]
    assert read_words("cat, dog,,something else") == ["cat", "dog", "something else"]
    assert read_words("cat") == ["cat"]
    assert read_words(["cat", "a, b"]) == ["cat", "a, b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "gone.txt",
            r"'gone\.txt': no such file or directory; words are imagenet or nouns, a text",
        ),
        (" , ", "' , ' has no words: give a file with one a line, or several"),
        ([], "has no words"),
        ("", "'' has no words"),
        ([str(n) for n in range(MOST + 1)], "100,001 words are too many: 100,000 at a time"),
        (["x" * 1001], "has 1,001 characters, 1,000 at most"),
        ("\0.txt", "no name of a file"),
        (["cat", "d\0g"], r"^'d\\x00g' has a NUL character: remove it"),
        (5, "words is a text or several, not '5'"),
        (["cat", 5], "words is of texts, not of '5'"),
    ],
)
def test_words_that_are_none(words, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_words(words)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_lists(tmp_path):
    file = tmp_path / "words.bin"
    file.write_bytes(b"cat\n\xff\n")
    with pytest.raises(UsageError, match=r"words\.bin' isn't UTF-8 at byte 4: a list of words"):
        read_words(file)
    file.write_bytes(b"cat\nd\0g\n")
    with pytest.raises(UsageError, match=r"words\.bin': 'd\\x00g' has a NUL character"):
        read_words(file)
    file.write_bytes(b"a" * (4 << 20) + b"b")
    with pytest.raises(UsageError, match="has more than 4,194,304 bytes: no list of words"):
        read_words(file)


def test_templates():
    assert read_templates("imagenet")[0] == "a bad photo of a {}."
    assert len(read_templates("imagenet")) == 80
    assert read_templates(["simple", "{}"])[-2:] == ("a photo of the small {}.", "{}")
    assert len(read_templates("simple")) == 7
    assert read_templates("photo") == ("a photo of a {}.",)


@pytest.mark.parametrize("wrong", ["a photo", "{} and {}", "x" * 1000 + "{}"])
def test_templates_that_are_none(wrong):
    with pytest.raises(UsageError, match=r"a template has one \{\} for the word, as in 'a "):
        read_templates(["{}", wrong])
    with pytest.raises(UsageError, match="0 templates: give from 1 to 1,000"):
        read_templates([])
