"""The ConvNeXts that timm publishes: names, sizes, what their default weights take."""

from collections.abc import Mapping
from typing import NamedTuple

from penult.images.preprocess import CLIP, HALF, IMAGENET, Scaled

Numbers = tuple[int, ...]
SIZES: Mapping[
    tuple[Numbers, int], str
] = {  # by blocks of each stage, and channels of the first, which each stage doubles
    ((2, 2, 4, 2), 32): "zepto",
    ((2, 2, 6, 2), 40): "atto",
    ((2, 2, 6, 2), 48): "femto",
    ((2, 2, 6, 2), 64): "pico",
    ((2, 2, 8, 2), 80): "nano",
    ((3, 3, 9, 3), 96): "tiny",
    ((3, 3, 27, 3), 96): "small",
    ((3, 3, 27, 3), 128): "base",
    ((3, 3, 27, 3), 192): "large",
    ((3, 3, 27, 3), 256): "xlarge",
    ((3, 3, 27, 3), 352): "huge",
    ((3, 4, 30, 3), 384): "xxlarge",
}
TESTS: Mapping[tuple[Numbers, Numbers, int], str] = {  # by blocks, channels and the last kernel
    ((1, 2, 4, 2), (24, 32, 48, 64), 7): "test_convnext",
    ((1, 1, 1, 1), (32, 64, 96, 128), 7): "test_convnext2",
    ((1, 1, 1, 1), (32, 64, 96, 128), 3): "test_convnext3",
}


class Taken(NamedTuple):
    """What timm's default weights of a network take."""

    size: int  # pixels of the input
    share: float  # of the image's shorter side; 0 if it is squashed
    normalisation: Scaled = IMAGENET


TIMM = {
    name: taken
    for taken, names in {
        Taken(160, 0.95, HALF): "test_convnext test_convnext2 test_convnext3",
        Taken(224, 0.875): "convnext_atto convnext_atto_ols convnext_femto convnext_femto_ols"
        " convnext_pico convnext_base convnext_large convnext_xlarge convnextv2_atto"
        " convnextv2_femto convnextv2_pico convnextv2_nano convnextv2_tiny convnextv2_small"
        " convnextv2_base convnextv2_large",
        Taken(224, 0.875, HALF): "convnext_zepto_rms",
        Taken(224, 0.9, HALF): "convnext_zepto_rms_ols",
        Taken(224, 0.95): "convnext_nano convnext_nano_ols convnext_pico_ols convnext_tiny"
        " convnext_tiny_hnf convnext_small",
        Taken(256, 1, CLIP): "convnext_xxlarge",
        Taken(320, 1, CLIP): "convnext_large_mlp",
        Taken(384, 0): "convnextv2_huge",
    }.items()
    for name in names.split()
}
