"""Images that harm their decoder: a colour in the first pixel says how."""

import os
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from PIL import Image

HARMS = {"crash": (255, 0, 1), "hang": (255, 0, 2), "memory": (255, 0, 3)}


@dataclass(frozen=True)
class Poisoned:
    """A preprocessing during which marked images do as a faulty decoder would."""

    inner: Any
    shorter: ClassVar[None] = None

    def __call__(self, rgb: Image.Image) -> Any:  # noqa: ANN401 - as the inner one
        """Prepare an image, or do harm."""
        colour = rgb.getpixel((0, 0))
        if colour == HARMS["crash"]:
            os.abort()
        if colour == HARMS["hang"]:
            time.sleep(60)
        if colour == HARMS["memory"]:
            bytearray(4 << 30)
        return self.inner(rgb)
