"""What files of timm's networks of mobile convolutions don't tell.

From timm/models/efficientnet.py and mobilenetv3.py of timm 1.0.31: how each function there makes
networks, and what each of them is. The file's tensors say which rows fit (`mbconv_timm`).
"""

from typing import Literal, NamedTuple


class Family(NamedTuple):
    """What tensors don't tell of the networks that one function of timm's makes."""

    stages: str  # the first block of each: kind, largest kernel, s if there is a gate, /stride
    acts: str  # of the stem and the stages; the last one stands for the rest
    head: str = "unpooled"  # conv_head: before the pool, or after it bare, biased, normed; or none
    gate: Literal["sigmoid", "hard_sigmoid"] = "sigmoid"
    gate_act: Literal["", "re"] = ""  # empty: the block's
    alone: tuple[int, ...] = ()  # stages whose blocks never add their input
    joined: bool = False  # whether blocks of one convolution do

    @property
    def seen(self) -> list[str]:
        """The first blocks as tensors tell them."""
        return [stage.partition("/")[0].replace("dsa", "ds") for stage in self.stages.split()]


class Variant(NamedTuple):
    """A network by timm's name, and what its default weights expect."""

    family: str
    depths: str  # blocks of the stages
    stem: int  # channels
    last: int  # channels of the last stage
    size: int
    crop: float
    kernel: Literal["bilinear", "bicubic"] = "bicubic"
    scale: Literal["imagenet", "half"] = "imagenet"
    squash: bool = False


FAMILIES = {
    "efficientnet": Family("ds3s/1 ir3s/2 ir5s/2 ir3s/2 ir5s/1 ir5s/2 ir3s/1", "sw"),
    "efficientnet_lite": Family("ds3/1 ir3/2 ir5/2 ir3/2 ir5/1 ir5/2 ir3/1", "r6"),
    "efficientnet_edge": Family("er3/1 er3/2 er3/2 ir5/2 ir5/1 ir5/2", "re", alone=(0,)),
    "efficientnetv2": Family("cn3/1 er3/2 er3/2 ir3s/2 ir3s/1 ir3s/2", "sw", joined=True),
    "efficientnetv2_m": Family("cn3/1 er3/2 er3/2 ir3s/2 ir3s/1 ir3s/2 ir3s/1", "sw", joined=True),
    "efficientnetv2_rw": Family("er3/1 er3/2 er3/2 ir3s/2 ir3s/1 ir3s/2", "sw"),
    "efficientnet_test": Family("cn3/1 er3/2 er3/2 ir3s/2 ir3s/2", "sw", joined=True),
    "mobilenet_edgetpu_v2": Family("cn1/1 er3/2 er3/2 er3/2 ir3/1 ir3/2 ir3/1", "re"),
    "mobilenetv1": Family("dsa3/1 dsa3/2 dsa3/2 dsa3/2 dsa3/2", "r6", "none unpooled"),
    "mobilenetv2": Family("ds3/1 ir3/2 ir3/2 ir3/2 ir3/1 ir3/2 ir3/1", "r6"),
    "mobilenetv3": Family(
        "ds3/1 ir3/2 ir5s/2 ir3/2 ir3s/1 ir5s/2 cn1/1",
        "hs re re re hs",
        "biased",
        "hard_sigmoid",
        "re",
    ),
    "mobilenetv3_rw": Family(
        "ds3/1 ir3/2 ir5s/2 ir3/2 ir3s/1 ir5s/2 cn1/1",
        "hs re re re hs",
        "bare",
        "hard_sigmoid",
        alone=(0,),
    ),
    "mobilenetv3_small": Family(
        "ds3s/2 ir3/2 ir5s/2 ir5s/1 ir5s/2 cn1/1", "hs re re hs", "biased", "hard_sigmoid", "re"
    ),
    "mobilenetv3_minimal": Family("ds3/1 ir3/2 ir3/2 ir3/2 ir3/1 ir3/2 cn1/1", "re", "biased"),
    "mobilenetv3_small_minimal": Family("ds3/2 ir3/2 ir3/2 ir3/1 ir3/2 cn1/1", "re", "biased"),
    "mobilenetv4_small": Family("cn3/2 cn3/2 uir5/2 uir3/2 cn1/1", "re", "normed"),
    "mobilenetv4": Family("er3/2 uir5/2 uir5/2 uir5/2 cn1/1", "re", "normed"),
    "mobilenetv4_hybrid": Family("er3/2 uir5/2 uir5/2 uir5/2 cn1/1", "re", "normed"),
    "mobilenetv4_hybrid_large": Family("er3/2 uir5/2 uir5/2 uir5/2 cn1/1", "ge", "normed"),
    "mnasnet": Family("ds3/1 ir3/2 ir5/2 ir5/2 ir3/1 ir5/2 ir3/1", "re", alone=(0, 6)),
    "mnasnet_small": Family("ds3/1 ir3/2 ir3/2 ir5s/2 ir3s/1 ir5s/2 ir3/1", "re"),
    "semnasnet": Family("ds3/1 ir3/2 ir5s/2 ir3/2 ir3s/1 ir5s/2 ir3/1", "re", alone=(0,)),
    "spnasnet": Family("ds3/1 ir3/2 ir5/2 ir5/2 ir5/1 ir5/2 ir3/1", "re", alone=(0, 6)),
    "fbnetc": Family("ir3/1 ir3/2 ir5/2 ir5/2 ir5/1 ir5/2 ir3/1", "re"),
    "fbnetv3": Family("ds3/1 ir5/2 ir5s/2 ir5/2 ir3s/1 ir3s/2 cn1/1", "hs", "bare", "hard_sigmoid"),
    "fbnetv3_d": Family(
        "ds3/1 ir3/2 ir5s/2 ir3/2 ir3s/1 ir3s/2 cn1/1", "hs", "bare", "hard_sigmoid"
    ),
    "lcnet": Family(
        "dsa3/1 dsa3/2 dsa3/2 dsa3/2 dsa5/1 dsa5s/2", "hs", "biased", "hard_sigmoid", "re"
    ),
}
VARIANTS = {
    # family, blocks of the stages, channels of stem and last stage, size, crop
    "efficientnet_b0": Variant("efficientnet", "1 2 2 3 3 4 1", 32, 320, 224, 0.875),
    "efficientnet_b1": Variant("efficientnet", "2 3 3 4 4 5 2", 32, 320, 240, 0.9, scale="half"),
    "efficientnet_b1_pruned": Variant(
        "efficientnet", "2 3 3 4 4 5 2", 32, 320, 240, 0.882, scale="half"
    ),
    "efficientnet_b2": Variant("efficientnet", "2 3 3 4 4 5 2", 32, 352, 256, 0.875),
    "efficientnet_b2_pruned": Variant(
        "efficientnet", "2 3 3 4 4 5 2", 32, 352, 260, 0.89, scale="half"
    ),
    "efficientnet_b3": Variant("efficientnet", "2 3 3 5 5 6 2", 40, 384, 288, 0.875),
    "efficientnet_b3_pruned": Variant(
        "efficientnet", "2 3 3 5 5 6 2", 40, 384, 300, 0.904, scale="half"
    ),
    "efficientnet_b4": Variant("efficientnet", "2 4 4 6 6 8 2", 48, 448, 320, 0.875),
    "efficientnet_b5": Variant("efficientnet", "3 5 5 7 7 9 3", 48, 512, 448, 1.0, squash=True),
    "efficientnet_b6": Variant("efficientnet", "3 6 6 8 8 11 3", 56, 576, 528, 0.942),
    "efficientnet_b7": Variant("efficientnet", "4 7 7 10 10 13 4", 64, 640, 600, 0.949),
    "efficientnet_b8": Variant("efficientnet", "4 8 8 11 11 15 4", 72, 704, 672, 0.954),
    "efficientnet_el": Variant("efficientnet_edge", "2 3 6 7 6 3", 40, 232, 300, 0.904),
    "efficientnet_el_pruned": Variant("efficientnet_edge", "2 3 6 7 6 3", 40, 232, 300, 0.904),
    "efficientnet_em": Variant("efficientnet_edge", "2 3 5 6 5 3", 32, 192, 240, 0.882),
    "efficientnet_es": Variant("efficientnet_edge", "1 2 4 5 4 2", 32, 192, 224, 0.875),
    "efficientnet_es_pruned": Variant("efficientnet_edge", "1 2 4 5 4 2", 32, 192, 224, 0.875),
    "efficientnet_l2": Variant("efficientnet", "6 11 11 16 16 22 6", 136, 1376, 800, 0.961),
    "efficientnet_lite0": Variant("efficientnet_lite", "1 2 2 3 3 4 1", 32, 320, 224, 0.875),
    "efficientnet_lite1": Variant("efficientnet_lite", "1 3 3 4 4 5 1", 32, 320, 240, 0.882),
    "efficientnet_lite2": Variant("efficientnet_lite", "1 3 3 4 4 5 1", 32, 352, 260, 0.89),
    "efficientnet_lite3": Variant("efficientnet_lite", "1 3 3 5 5 6 1", 32, 384, 300, 0.904),
    "efficientnet_lite4": Variant("efficientnet_lite", "1 4 4 6 6 8 1", 32, 448, 380, 0.922),
    "efficientnetv2_l": Variant("efficientnetv2_m", "4 7 7 10 19 25 7", 32, 640, 384, 1.0),
    "efficientnetv2_m": Variant("efficientnetv2_m", "3 5 5 7 14 18 5", 24, 512, 320, 1.0),
    "efficientnetv2_rw_m": Variant("efficientnetv2_rw", "3 5 5 8 15 24", 32, 328, 320, 1.0),
    "efficientnetv2_rw_s": Variant("efficientnetv2_rw", "2 4 4 6 9 15", 24, 272, 288, 1.0),
    "efficientnetv2_rw_t": Variant("efficientnetv2", "2 4 4 6 9 14", 24, 208, 224, 1.0),
    "efficientnetv2_s": Variant("efficientnetv2", "2 4 4 6 9 15", 24, 256, 288, 1.0),
    "efficientnetv2_xl": Variant("efficientnetv2_m", "4 8 8 16 24 32 8", 32, 640, 384, 1.0),
    "fbnetc_100": Variant("fbnetc", "1 3 4 4 4 4 1", 16, 352, 224, 0.875, "bilinear"),
    "mnasnet_050": Variant("mnasnet", "1 3 3 3 2 4 1", 16, 160, 224, 0.875),
    "mnasnet_075": Variant("mnasnet", "1 3 3 3 2 4 1", 24, 240, 224, 0.875),
    "mnasnet_100": Variant("mnasnet", "1 3 3 3 2 4 1", 32, 320, 224, 0.875),
    "mnasnet_140": Variant("mnasnet", "1 3 3 3 2 4 1", 48, 448, 224, 0.875),
    "mnasnet_small": Variant("mnasnet_small", "1 1 2 4 3 3 1", 8, 144, 224, 0.875),
    "mobilenet_edgetpu_v2_l": Variant("mobilenet_edgetpu_v2", "1 2 4 4 4 4 1", 64, 384, 224, 0.9),
    "mobilenet_edgetpu_v2_m": Variant(
        "mobilenet_edgetpu_v2", "1 2 4 4 4 4 1", 64, 320, 224, 0.9, scale="half"
    ),
    "mobilenet_edgetpu_v2_s": Variant("mobilenet_edgetpu_v2", "1 2 4 4 4 4 1", 64, 256, 224, 0.9),
    "mobilenet_edgetpu_v2_xs": Variant("mobilenet_edgetpu_v2", "1 2 4 4 4 4 1", 32, 192, 224, 0.9),
    "mobilenetv1_100": Variant("mobilenetv1", "1 2 2 6 2", 32, 1024, 224, 0.875, scale="half"),
    "mobilenetv1_100h": Variant("mobilenetv1", "1 2 2 6 2", 32, 1024, 224, 0.875, scale="half"),
    "mobilenetv1_125": Variant("mobilenetv1", "1 2 2 6 2", 40, 1280, 224, 0.9, scale="half"),
    "mobilenetv2_035": Variant("mobilenetv2", "1 2 3 4 3 3 1", 16, 112, 224, 0.875),
    "mobilenetv2_050": Variant("mobilenetv2", "1 2 3 4 3 3 1", 16, 160, 224, 0.875),
    "mobilenetv2_075": Variant("mobilenetv2", "1 2 3 4 3 3 1", 24, 240, 224, 0.875),
    "mobilenetv2_100": Variant("mobilenetv2", "1 2 3 4 3 3 1", 32, 320, 224, 0.875),
    "mobilenetv2_110d": Variant("mobilenetv2", "1 3 4 5 4 4 1", 32, 352, 224, 0.875),
    "mobilenetv2_120d": Variant("mobilenetv2", "1 3 5 6 5 5 1", 32, 384, 224, 0.875),
    "mobilenetv2_140": Variant("mobilenetv2", "1 2 3 4 3 3 1", 48, 448, 224, 0.875),
    "semnasnet_050": Variant("semnasnet", "1 2 3 4 2 3 1", 16, 160, 224, 0.875),
    "semnasnet_075": Variant("semnasnet", "1 2 3 4 2 3 1", 24, 240, 224, 0.875),
    "semnasnet_100": Variant("semnasnet", "1 2 3 4 2 3 1", 32, 320, 224, 0.875),
    "semnasnet_140": Variant("semnasnet", "1 2 3 4 2 3 1", 48, 448, 224, 0.875),
    "spnasnet_100": Variant("spnasnet", "1 3 4 4 4 4 1", 32, 320, 224, 0.875, "bilinear"),
    "test_efficientnet": Variant("efficientnet_test", "1 1 1 1 1", 24, 64, 160, 0.95),
    "tf_efficientnet_b0": Variant("efficientnet", "1 2 2 3 3 4 1", 32, 320, 224, 0.875),
    "tf_efficientnet_b1": Variant("efficientnet", "2 3 3 4 4 5 2", 32, 320, 240, 0.882),
    "tf_efficientnet_b2": Variant("efficientnet", "2 3 3 4 4 5 2", 32, 352, 260, 0.89),
    "tf_efficientnet_b3": Variant("efficientnet", "2 3 3 5 5 6 2", 40, 384, 300, 0.904),
    "tf_efficientnet_b4": Variant("efficientnet", "2 4 4 6 6 8 2", 48, 448, 380, 0.922),
    "tf_efficientnet_b5": Variant("efficientnet", "3 5 5 7 7 9 3", 48, 512, 456, 0.934),
    "tf_efficientnet_b6": Variant("efficientnet", "3 6 6 8 8 11 3", 56, 576, 528, 0.942),
    "tf_efficientnet_b7": Variant("efficientnet", "4 7 7 10 10 13 4", 64, 640, 600, 0.949),
    "tf_efficientnet_b8": Variant(
        "efficientnet", "4 8 8 11 11 15 4", 72, 704, 672, 0.954, scale="half"
    ),
    "tf_efficientnet_el": Variant(
        "efficientnet_edge", "2 3 6 7 6 3", 40, 232, 300, 0.904, scale="half"
    ),
    "tf_efficientnet_em": Variant(
        "efficientnet_edge", "2 3 5 6 5 3", 32, 192, 240, 0.882, scale="half"
    ),
    "tf_efficientnet_es": Variant(
        "efficientnet_edge", "1 2 4 5 4 2", 32, 192, 224, 0.875, scale="half"
    ),
    "tf_efficientnet_l2": Variant("efficientnet", "6 11 11 16 16 22 6", 136, 1376, 475, 0.936),
    "tf_efficientnet_lite0": Variant(
        "efficientnet_lite", "1 2 2 3 3 4 1", 32, 320, 224, 0.875, scale="half"
    ),
    "tf_efficientnet_lite1": Variant(
        "efficientnet_lite", "1 3 3 4 4 5 1", 32, 320, 240, 0.882, scale="half"
    ),
    "tf_efficientnet_lite2": Variant(
        "efficientnet_lite", "1 3 3 4 4 5 1", 32, 352, 260, 0.89, scale="half"
    ),
    "tf_efficientnet_lite3": Variant(
        "efficientnet_lite", "1 3 3 5 5 6 1", 32, 384, 300, 0.904, "bilinear", "half"
    ),
    "tf_efficientnet_lite4": Variant(
        "efficientnet_lite", "1 4 4 6 6 8 1", 32, 448, 380, 0.92, "bilinear", "half"
    ),
    "tf_efficientnetv2_b0": Variant("efficientnetv2", "1 2 2 3 5 8", 32, 192, 192, 0.875),
    "tf_efficientnetv2_b1": Variant("efficientnetv2", "2 3 3 4 6 9", 32, 192, 192, 0.882),
    "tf_efficientnetv2_b2": Variant("efficientnetv2", "2 3 3 4 6 10", 32, 208, 208, 0.89),
    "tf_efficientnetv2_b3": Variant(
        "efficientnetv2", "2 3 3 5 7 12", 40, 232, 240, 0.9, scale="half", squash=True
    ),
    "tf_efficientnetv2_l": Variant(
        "efficientnetv2_m", "4 7 7 10 19 25 7", 32, 640, 384, 1.0, scale="half", squash=True
    ),
    "tf_efficientnetv2_m": Variant(
        "efficientnetv2_m", "3 5 5 7 14 18 5", 24, 512, 384, 1.0, scale="half", squash=True
    ),
    "tf_efficientnetv2_s": Variant(
        "efficientnetv2", "2 4 4 6 9 15", 24, 256, 300, 1.0, scale="half"
    ),
    "tf_efficientnetv2_xl": Variant(
        "efficientnetv2_m", "4 8 8 16 24 32 8", 32, 640, 384, 1.0, scale="half", squash=True
    ),
    "tinynet_a": Variant("efficientnet", "1 2 2 4 4 5 1", 32, 320, 192, 0.875),
    "tinynet_b": Variant("efficientnet", "1 2 2 3 3 4 1", 32, 240, 188, 0.875),
    "tinynet_c": Variant("efficientnet", "1 2 2 3 3 3 1", 32, 176, 184, 0.875),
    "tinynet_d": Variant("efficientnet", "1 1 1 2 2 3 1", 32, 176, 152, 0.875),
    "tinynet_e": Variant("efficientnet", "1 1 1 2 2 2 1", 32, 160, 106, 0.875),
    "fbnetv3_b": Variant("fbnetv3", "2 4 5 5 6 7 1", 16, 1344, 224, 0.95, "bilinear"),
    "fbnetv3_d": Variant("fbnetv3_d", "2 6 5 5 7 7 1", 24, 1440, 224, 0.95, "bilinear"),
    "fbnetv3_g": Variant("fbnetv3", "3 5 5 5 9 9 1", 32, 1728, 240, 0.95, "bilinear"),
    "lcnet_035": Variant("lcnet", "1 2 2 2 4 2", 8, 176, 224, 0.875, "bilinear"),
    "lcnet_050": Variant("lcnet", "1 2 2 2 4 2", 8, 256, 224, 0.875),
    "lcnet_075": Variant("lcnet", "1 2 2 2 4 2", 16, 384, 224, 0.875),
    "lcnet_100": Variant("lcnet", "1 2 2 2 4 2", 16, 512, 224, 0.875),
    "lcnet_150": Variant("lcnet", "1 2 2 2 4 2", 24, 768, 224, 0.875, "bilinear"),
    "mobilenetv3_large_075": Variant(
        "mobilenetv3", "1 2 3 4 2 3 1", 16, 720, 224, 0.875, "bilinear"
    ),
    "mobilenetv3_large_100": Variant("mobilenetv3", "1 2 3 4 2 3 1", 16, 960, 224, 0.875),
    "mobilenetv3_large_150d": Variant(
        "mobilenetv3", "2 3 4 5 3 4 2", 24, 1440, 256, 0.95, "bilinear", "half"
    ),
    "mobilenetv3_rw": Variant("mobilenetv3_rw", "1 2 3 4 2 3 1", 16, 960, 224, 0.875),
    "mobilenetv3_small_050": Variant("mobilenetv3_small", "1 2 3 2 3 1", 16, 288, 224, 0.875),
    "mobilenetv3_small_075": Variant("mobilenetv3_small", "1 2 3 2 3 1", 16, 432, 224, 0.875),
    "mobilenetv3_small_100": Variant("mobilenetv3_small", "1 2 3 2 3 1", 16, 576, 224, 0.875),
    "mobilenetv4_conv_aa_large": Variant("mobilenetv4", "1 2 11 13 1", 24, 960, 448, 0.95),
    "mobilenetv4_conv_blur_medium": Variant("mobilenetv4", "1 2 8 11 1", 32, 960, 224, 0.95),
    "mobilenetv4_conv_large": Variant("mobilenetv4", "1 2 11 13 1", 24, 960, 384, 0.95),
    "mobilenetv4_conv_medium": Variant("mobilenetv4", "1 2 8 11 1", 32, 960, 256, 0.95),
    "mobilenetv4_conv_small": Variant("mobilenetv4_small", "2 2 6 6 1", 32, 960, 224, 0.875),
    "mobilenetv4_conv_small_035": Variant(
        "mobilenetv4_small", "2 2 6 6 1", 32, 336, 224, 0.875, scale="half"
    ),
    "mobilenetv4_conv_small_050": Variant(
        "mobilenetv4_small", "2 2 6 6 1", 32, 480, 224, 0.875, scale="half"
    ),
    "mobilenetv4_hybrid_large": Variant(
        "mobilenetv4_hybrid_large", "1 2 15 18 1", 24, 960, 384, 0.95
    ),
    "mobilenetv4_hybrid_large_075": Variant(
        "mobilenetv4_hybrid_large", "1 2 15 18 1", 24, 720, 256, 0.95
    ),
    "mobilenetv4_hybrid_medium": Variant("mobilenetv4_hybrid", "1 2 12 16 1", 32, 960, 256, 0.95),
    "mobilenetv4_hybrid_medium_075": Variant(
        "mobilenetv4_hybrid", "1 2 12 16 1", 32, 720, 224, 0.95
    ),
    "tf_mobilenetv3_large_075": Variant(
        "mobilenetv3", "1 2 3 4 2 3 1", 16, 720, 224, 0.875, "bilinear", "half"
    ),
    "tf_mobilenetv3_large_100": Variant(
        "mobilenetv3", "1 2 3 4 2 3 1", 16, 960, 224, 0.875, "bilinear", "half"
    ),
    "tf_mobilenetv3_large_minimal_100": Variant(
        "mobilenetv3_minimal", "1 2 3 4 2 3 1", 16, 960, 224, 0.875, "bilinear", "half"
    ),
    "tf_mobilenetv3_small_075": Variant(
        "mobilenetv3_small", "1 2 3 2 3 1", 16, 432, 224, 0.875, "bilinear", "half"
    ),
    "tf_mobilenetv3_small_100": Variant(
        "mobilenetv3_small", "1 2 3 2 3 1", 16, 576, 224, 0.875, "bilinear", "half"
    ),
    "tf_mobilenetv3_small_minimal_100": Variant(
        "mobilenetv3_small_minimal", "1 2 3 2 3 1", 16, 576, 224, 0.875, "bilinear", "half"
    ),
}
