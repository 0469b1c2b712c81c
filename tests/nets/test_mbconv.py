"""Networks of mobile convolutions, read off tensors; their numbers are in test_modern."""

import json
from dataclasses import replace

import pytest

from penult.errors import NetworkError, UsageError
from penult.graph import images, variables
from penult.nets.design import Card, design_of, document
from penult.nets.mbconv import MobileConvolutions, block_of
from penult.nets.mbconv_timm_table import FAMILIES, VARIANTS
from penult.nets.registry import DESIGNS, read_designs

# the rows of timm's `test_efficientnet`, with channels in place of ratios, and what is added
SMALL = MobileConvolutions(
    library="timm",
    variant="test_efficientnet",
    size=160,
    classes=1000,
    scheme="timm",
    stem="cn_k3_s2_c24_nsw",
    blocks=(
        "cn_k3_s1_c16_nsw",
        "er_k3_s2_e64_c24_nsw",
        "er_k3_s2_e96_c32_nsw",
        "ir_k3_s2_e128_c48_se8_g1_nsw",
        "ir_k3_s2_e192_c64_se12_g1_nsw",
    ),
    head="cn_k1_s1_c256_nsw",
    hidden=0,
    hidden_bias=False,
    hidden_norm=False,
    act="sw",
    epsilon=1e-5,
    padding="",
    gate="sigmoid",
    gate_act="",
    layer_scale=False,
    antialias="",
    resize=168,
    squash=False,
    kernel="bicubic",
    scale="imagenet",
)
B0 = replace(  # arXiv:1905.11946, table 1
    SMALL,
    variant="efficientnet_b0",
    size=224,
    stem="cn_k3_s2_c32_nsw",
    blocks=(
        "ds_k3_s1_c16_se8_g1_nsw",
        "ir_k3_s2_e96_c24_se4_g1_nsw ir_k3_s1_e144_c24_se6_g1_nsw_skip",
        "ir_k5_s2_e144_c40_se6_g1_nsw ir_k5_s1_e240_c40_se10_g1_nsw_skip",
        "ir_k3_s2_e240_c80_se10_g1_nsw" + " ir_k3_s1_e480_c80_se20_g1_nsw_skip" * 2,
        "ir_k5_s1_e480_c112_se20_g1_nsw" + " ir_k5_s1_e672_c112_se28_g1_nsw_skip" * 2,
        "ir_k5_s2_e672_c192_se28_g1_nsw" + " ir_k5_s1_e1152_c192_se48_g1_nsw_skip" * 3,
        "ir_k3_s1_e1152_c320_se48_g1_nsw",
    ),
    head="cn_k1_s1_c1280_nsw",
    resize=256,
)
TORCHVISION_B0 = replace(
    B0, library="torchvision", scheme="torchvision_efficientnet", hidden_bias=True
)
V2_ROWS = (  # arXiv:1801.04381, table 2
    "ds_k3_s1_c16_g1_nr6",
    "ir_k3_s2_e96_c24_g1_nr6",
    "ir_k3_s1_e144_c24_g1_nr6_skip",
    "ir_k3_s2_e144_c32_g1_nr6",
    *["ir_k3_s1_e192_c32_g1_nr6_skip"] * 2,
    "ir_k3_s2_e192_c64_g1_nr6",
    *["ir_k3_s1_e384_c64_g1_nr6_skip"] * 3,
    "ir_k3_s1_e384_c96_g1_nr6",
    *["ir_k3_s1_e576_c96_g1_nr6_skip"] * 2,
    "ir_k3_s2_e576_c160_g1_nr6",
    *["ir_k3_s1_e960_c160_g1_nr6_skip"] * 2,
    "ir_k3_s1_e960_c320_g1_nr6",
)
TORCHVISION_V2 = replace(
    TORCHVISION_B0,
    variant="mobilenet_v2",
    scheme="torchvision_mobilenetv2",
    stem="cn_k3_s2_c32_nr6",
    blocks=V2_ROWS,
    head="cn_k1_s1_c1280_nr6",
    act="r6",
    resize=232,
    kernel="bilinear",
)
TRANSFORMERS = replace(
    TORCHVISION_V2,
    library="transformers",
    scheme="transformers",
    classes=1001,
    hidden_bias=False,
    epsilon=1e-3,
    padding="SAME",
    resize=256,
    scale="half",
)
V3_SMALL = replace(  # arXiv:1905.02244, table 2
    TORCHVISION_V2,
    variant="mobilenet_v3_small",
    scheme="torchvision_mobilenetv3",
    stem="cn_k3_s2_c16_nhs",
    blocks=(
        "ds_k3_s2_c16_se8_g1_nre",
        "ir_k3_s2_e72_c24_g1_nre",
        "ir_k3_s1_e88_c24_g1_nre_skip",
        "ir_k5_s2_e96_c40_se24_g1_nhs",
        *["ir_k5_s1_e240_c40_se64_g1_nhs_skip"] * 2,
        "ir_k5_s1_e120_c48_se32_g1_nhs",
        "ir_k5_s1_e144_c48_se40_g1_nhs_skip",
        "ir_k5_s2_e288_c96_se72_g1_nhs",
        *["ir_k5_s1_e576_c96_se144_g1_nhs_skip"] * 2,
    ),
    head="cn_k1_s1_c576_nhs",
    hidden=1024,
    act="hs",
    epsilon=1e-3,
    gate="hard_sigmoid",
    gate_act="re",
    resize=256,
)
MNASNET = replace(  # arXiv:1807.11626, figure 7
    TORCHVISION_V2,
    variant="mnasnet1_0",
    scheme="torchvision_mnasnet",
    stem="cn_k3_s2_c32_nre",
    blocks=(
        "ds_k3_s1_c16_g1_nre",
        "ir_k3_s2_e48_c24_g1_nre" + " ir_k3_s1_e72_c24_g1_nre_skip" * 2,
        "ir_k5_s2_e72_c40_g1_nre" + " ir_k5_s1_e120_c40_g1_nre_skip" * 2,
        "ir_k5_s2_e240_c80_g1_nre" + " ir_k5_s1_e480_c80_g1_nre_skip" * 2,
        "ir_k3_s1_e480_c96_g1_nre ir_k3_s1_e576_c96_g1_nre_skip",
        "ir_k5_s2_e576_c192_g1_nre" + " ir_k5_s1_e1152_c192_g1_nre_skip" * 3,
        "ir_k3_s1_e1152_c320_g1_nre",
    ),
    head="cn_k1_s1_c1280_nre",
    act="re",
    resize=256,
)
V4_SMALL = replace(  # arXiv:2404.10518, table 11
    V3_SMALL,
    library="timm",
    variant="mobilenetv4_conv_small",
    scheme="timm_mobilenetv3",
    stem="cn_k3_s2_c32_nre",
    blocks=(
        "cn_k3_s2_c32_nre cn_k1_s1_c32_nre",
        "cn_k3_s2_c96_nre cn_k1_s1_c64_nre",
        "uir_k5_s2_e192_c96_a5_g1_nre"
        + " uir_k3_s1_e192_c96_g1_nre_skip" * 4
        + " uir_s1_e384_c96_a3_g1_nre_skip",
        "uir_k3_s2_e576_c128_a3_g1_nre uir_k5_s1_e512_c128_a5_g1_nre_skip"
        " uir_k5_s1_e512_c128_g1_nre_skip uir_k5_s1_e384_c128_g1_nre_skip"
        + " uir_k3_s1_e512_c128_g1_nre_skip"
        * 2,
        "cn_k1_s1_c960_nre",
    ),
    head="",
    hidden=1280,
    hidden_bias=False,
    hidden_norm=True,
    act="re",
    epsilon=1e-5,
    gate="sigmoid",
    gate_act="",
    kernel="bicubic",
)
ALL = [SMALL, B0, TORCHVISION_B0, TORCHVISION_V2, V3_SMALL, MNASNET, TRANSFORMERS, V4_SMALL]


def layers(design):
    return design.architecture().build(images(design.size), design.classes)


def shapes(design):
    """The tensors of a file of the design, with what training leaves beside them."""
    found = {each.name: each.shape for each in variables(layers(design).values())}
    return {**found, "bn1.num_batches_tracked": ()}


def read(tensors, card=None):
    return next(iter(read_designs(tensors, card or Card()).values()), None)


def card(design):
    name = "mobilenet_v2" if design.library == "transformers" else design.variant
    return Card(design.library, name)


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.name)
def test_a_network_is_read_off_its_tensors(design):
    assert read(shapes(design), card(design)) == design


@pytest.mark.parametrize("design", [d for d in ALL if d is not B0], ids=lambda design: design.name)
def test_a_network_that_nobody_names_is_recognised(design):
    assert read(shapes(design)) == design


def test_tensors_of_two_networks_need_a_name():
    with pytest.raises(
        UsageError, match=r"say -m timm/efficientnet_b0 or -m timm/tf_efficientnet_b0$"
    ):
        read(shapes(B0))


def test_the_name_tells_tensorflows_padding_and_epsilon():
    named = read(shapes(B0), Card("timm", "tf_efficientnet_b0"))
    assert named == replace(B0, variant="tf_efficientnet_b0", padding="SAME", epsilon=1e-3)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            Card("timm", "efficientnet_b1"),
            "aren't those of timm/efficientnet_b1; they fit timm/efficientnet_b0 and timm/tf_",
        ),
        (Card("timm", "hardcorenas_a"), "timm/hardcorenas_a is none of the networks"),
        (Card("timm", "efficientnet_b0", {"act_layer": "relu"}), "setting 'act_layer=relu'"),
    ],
)
def test_a_card_that_contradicts_timms_tensors_is_an_error(named, message):
    with pytest.raises(NetworkError, match=message):
        read(shapes(B0), named)


def test_settings_that_change_nothing_are_no_contradiction():
    assert read(shapes(B0), Card("timm", "efficientnet_b0", {"num_classes": 7})) == B0


def test_a_card_that_contradicts_torchvisions_tensors_is_an_error():
    with pytest.raises(NetworkError, match=r"those of torchvision/mobilenet_v2, not of 'resnet50'"):
        read(shapes(TORCHVISION_V2), Card("torchvision", "resnet50"))


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.name)
@pytest.mark.parametrize("classes", [0, 7])
def test_the_classifier_may_be_of_any_size_or_cut_off(design, classes):
    expected = replace(design, classes=classes)
    found = read(shapes(expected), card(design))
    assert found == expected
    architecture = found.architecture()
    assert architecture.embedding in layers(found)
    assert (architecture.logits is None) == (architecture.classifier is None) == (classes == 0)


def test_a_cut_off_mobilenet_v3_ends_at_the_pool():
    cut = {name: shape for name, shape in shapes(V3_SMALL).items() if "classifier" not in name}
    found = read(cut)
    assert found.architecture().embedding == "flatten"
    assert layers(found)["flatten"].shape == (576,)


@pytest.mark.parametrize("shape", [(), (7,), (0, 1280), (10**9, 1280), (7, 1280, 1, 1)])
def test_a_strange_classifier_is_none(shape):
    tensors = {**shapes(B0), "classifier.weight": shape}
    assert read(tensors, card(B0)).classes == 0


@pytest.mark.parametrize("shape", [(), (32,), (32, 3, 3, 5), (0, 3, 3, 3), (10**9, 3, 3, 3)])
@pytest.mark.parametrize("name", ["conv_stem.weight", "blocks.3.1.conv_dw.weight"])
def test_strange_kernels_are_of_no_network(name, shape):
    assert read({**shapes(B0), name: shape}, card(B0)) is None


def test_transformers_settings_tell_what_tensors_dont():
    settings = {"layer_norm_eps": 1e-2, "tf_padding": False, "image_size": 96, "hidden_act": "relu"}
    found = read(shapes(TRANSFORMERS), Card("transformers", "mobilenet_v2", settings))
    assert (found.epsilon, found.padding, found.size, found.act) == (1e-2, "", 96, "re")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"output_stride": 8}, "'output_stride': 8"),
        ({"hidden_act": "mish"}, "'hidden_act': 'mish'"),
        ({"image_size": [96, 128]}, "image_size can't be"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps can't be 'small'"),
    ],
)
def test_transformers_settings_that_cant_be_followed_are_errors(setting, message):
    with pytest.raises(NetworkError, match=message):
        read(shapes(TRANSFORMERS), Card("transformers", "mobilenet_v2", setting))


def test_a_file_of_the_model_without_a_task_has_names_without_it():
    base = {
        name.removeprefix("mobilenet_v2."): shape
        for name, shape in shapes(TRANSFORMERS).items()
        if not name.startswith("classifier.")
    }
    assert read(base) == replace(TRANSFORMERS, classes=0, scheme="transformers_base")


@pytest.mark.parametrize("design", ALL, ids=lambda design: design.name)
def test_a_design_is_read_back_from_its_document(design):
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design


@pytest.mark.parametrize(
    "change",
    [
        {"blocks": ()},
        {"blocks": ("ir_k3_s2_c24_nsw",)},
        {"blocks": ("ir_k3_s3_e96_c24_nsw",)},
        {"blocks": ("ir_k3_s2_e9999999_c24_nsw",)},
        {"blocks": ("ds_k3_s1_c16_nxx",)},
        {"scheme": "transformers"},  # whose blocks have no gates
        {"stem": "ds_k3_s2_c32_g1_nsw"},
        {"stem": ""},
        {"scheme": "keras"},
        {"hidden": 5},
        {"act": "mish"},
        {"variant": "efficientnet\nb0"},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"size": 0},
        {"classes": -1},
    ],
)
def test_a_strangers_document_is_checked(change):
    with pytest.raises(ValueError, match=r"can't be|can be|no network has|none can have"):
        design_of({**document(B0), **change}, DESIGNS)


@pytest.mark.parametrize("row", [*V3_SMALL.blocks, "uir_k3_s2_e96_c24_a5_p3_g1_nre"])
def test_a_row_is_read_as_it_is_written(row):
    assert str(block_of(row)) == row


def test_maps_are_halved_after_the_blocks_convolutions_and_not_after_the_stem():
    strided, pooled = layers(SMALL), layers(replace(SMALL, antialias="avg"))
    added = [f"blocks.{stage}.0.aa" for stage in (1, 2, 3, 4)]
    assert [name for name in pooled if name not in strided] == added
    assert pooled["blocks.1.0.bn1"].shape == (64, 80, 80)
    assert pooled["blocks.1.0.aa"].shape == (64, 40, 40)
    assert all(pooled[name].shape == strided[name].shape for name in strided if "bn" not in name)


def test_each_variant_has_as_many_stages_as_its_family():
    for variant in VARIANTS.values():
        assert len(variant.depths.split()) == len(FAMILIES[variant.family].seen)


@pytest.mark.parametrize(
    ("design", "size", "text"),
    [
        (V3_SMALL, 224, "resize 256 bilinear, crop 224, scale"),
        (V3_SMALL, 299, "resize 342 bilinear, crop 299, scale"),
        (TRANSFORMERS, 224, "resize 256 bilinear, crop 224 floor, scale 1/255, mean 0.5, std 0.5"),
        (replace(B0, size=448, resize=448, squash=True), 448, "squash 448 bicubic, scale"),
        (
            replace(B0, size=240, resize=266, squash=True),
            240,
            "squash 266 bicubic, crop 240, scale",
        ),
    ],
    ids=str,
)
def test_images_are_prepared_as_the_library_does(design, size, text):
    assert str(design.preprocess(size)).startswith(text)


def test_attention_and_layer_scale_belong_to_a_block():
    row = "mqa_k3_s1_e64_c64_h4_nsw_skip"
    blocks = (*SMALL.blocks[:-1], f"{SMALL.blocks[-1]} {row}")
    found = layers(replace(SMALL, blocks=blocks, layer_scale=True))
    assert [name for name in found if name.startswith("blocks.4.1")] == [
        "blocks.4.1.norm",
        "blocks.4.1.attn",
        "blocks.4.1.layer_scale",
        "blocks.4.1",
    ]
