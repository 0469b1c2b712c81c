"""Words to ids: the tokenizers of text towers, from files beside the weights or built in."""

from penult.text.tokenizer import Tokenizer, require_texts

__all__ = ["Tokenizer", "require_texts"]
