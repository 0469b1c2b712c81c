"""What a model does with texts; `penult.model.text` is imported when it is asked for."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penult.model.recipe import Recipe

if TYPE_CHECKING:
    from penult.model.text import TextModel

Floats = NDArray[np.float32]


class WithText:
    """A model whose network may have a text tower beside it."""

    _asked: Recipe

    def _require_open(self) -> None:
        """Refuse a closed model."""
        raise NotImplementedError

    def embed_text(self, texts: Sequence[str], *, templates: Sequence[str] | None = None) -> Floats:
        """Return one row of features a text, to be compared with those of images by their cosine.

        Args:
            texts: Words in a language that the network was trained with; one that is too long for
                it is cut, as its library does.
            templates: Texts with `{}` in the place of the words, such as 'a photo of a {}.'. With
                them a row is the average over all, each normalised, and normalised again.

        Returns:
            float32 (n, width); not normalised, unless there are templates.

        Raises:
            NetworkError: The network has no text tower; the message names some that have.
            UsageError: A text can't be used, or there is no tokenizer beside the weights.
            MissingExtraError: `penult[text]` isn't installed.
        """
        self._require_open()
        return self.text.embed_text(texts, templates=templates)

    @cached_property
    def text(self) -> "TextModel":
        """The text tower beside the network, loaded when it is first used.

        Raises:
            NetworkError: There is none; the message names some networks that have one.
        """
        from penult.model.text import load_text

        return load_text(self._asked)
