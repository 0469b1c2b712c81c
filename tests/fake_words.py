"""A stand-in for text towers: a known word is a direction, a text the sum of its known words."""

import numpy as np


class Words:
    """As `penult.model.text.TextModel`, with vectors to be computed by hand."""

    library = "open_clip"

    def __init__(self, vectors, logit_scale=100.0, logit_bias=None):
        self.vectors = {word: np.array(vector, np.float32) for word, vector in vectors.items()}
        self.logit_scale, self.logit_bias = logit_scale, logit_bias
        self.asked = []  # texts, a list a call

    def embed_text(self, texts, *, templates=None):
        self.asked.append([*texts])
        none = np.zeros_like(next(iter(self.vectors.values())))
        filled = [[each.replace("{}", text) for each in templates or ["{}"]] for text in texts]
        return np.stack(
            [
                sum(
                    (
                        self.vectors.get(word, none)
                        for each in texts
                        for word in each.replace(".", " ").split()
                    ),
                    none,
                )
                for texts in filled
            ]
        )
