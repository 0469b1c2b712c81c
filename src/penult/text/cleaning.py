"""What libraries do to a text before it is tokenized.

open_clip 3.3.0 (`tokenizer.py`), transformers 5.24.0 (`tokenization_siglip.py`); the rules for
SigLIP are those of big_vision.
"""

import html
import re
import string

from penult.text.extra import needed

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def mended(text: str) -> str:
    """Mend what wrong decoding and HTML left, as all of open_clip's do first."""
    with needed():
        import ftfy
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def spaced(text: str) -> str:
    """Mend, with one space between words (open_clip's `whitespace`)."""
    return " ".join(mended(text).split())


def lowered(text: str) -> str:
    """Mend, with one space between words, in lower case (open_clip's `lower`)."""
    return spaced(text).lower()


def canonical(text: str) -> str:
    """Mend, without punctuation, in lower case (open_clip's `canonicalize`, for SigLIPs)."""
    bare = mended(text).replace("_", " ").translate(_PUNCTUATION).lower()
    return " ".join(bare.split())


def unpunctuated(text: str) -> str:
    """Without punctuation, in lower case (transformers' `SiglipTokenizer`)."""
    return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()


def lower_each(text: str) -> str:
    """In lower case, each character by itself (transformers' `Siglip2Tokenizer`)."""
    return "".join(character.lower() for character in text)


def as_it_is(text: str) -> str:
    """Leave the text alone, where the tokenizer does all (transformers)."""
    return text
