"""The files of transformers, timm and open_clip: sparse ones, and those of strangers."""

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penult.errors import UsageError
from penult.images.preprocess_files import (
    from_open_clip,
    from_timm,
    from_transformers,
)

CLIP = "mean 0.48145466 0.4578275 0.40821073, std 0.26862954 0.26130258 0.27577711"
IMAGENET = "mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
HALF = "mean 0.5 0.5 0.5, std 0.5 0.5 0.5"
INSTEAD = "say the preprocessing (--preprocess)"


def processor(name, **keys):
    return {"image_processor_type": f"{name}ImageProcessor", **keys}


def hf(name, **keys):
    return reads(from_transformers, processor(name, **keys))


def reads(function, *configs):
    return lambda size=None: function(*configs, size)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("CLIP", f"resize 224 bicubic, crop 224 floor, scale 1/255, {CLIP}"),
        ("ChineseCLIP", f"resize 224 bicubic, crop 224 floor, scale 1/255, {CLIP}"),
        ("Bit", f"resize 224 bicubic, crop 224 floor, scale 1/255, {CLIP}"),
        ("Siglip", f"squash 224 bicubic, scale 1/255, {HALF}"),
        ("ViT", f"squash 224 bilinear, scale 1/255, {HALF}"),
        ("DeiT", f"squash 256 bicubic, crop 224 floor, scale 1/255, {HALF}"),
        ("Beit", f"squash 224 bicubic, scale 1/255, {HALF}"),
        ("DINOv3ViT", f"squash 224 float_bilinear, scale 1/255, {IMAGENET}"),
        ("ConvNext", f"squash 384 bicubic, scale 1/255, {HALF}"),
        ("MobileNetV2", f"resize 256 bilinear, crop 224 floor, scale 1/255, {HALF}"),
    ],
)
def test_a_class_has_defaults_where_its_file_is_silent(name, printed):
    assert str(from_transformers(processor(name))) == printed
    assert str(from_transformers({"image_processor_type": f"{name}ImageProcessorFast"})) == printed
    assert str(from_transformers({"feature_extractor_type": f"{name}FeatureExtractor"})) == printed
    nulls = dict.fromkeys(
        ["size", "crop_size", "do_center_crop", "do_pad", "resample", "image_std"]
    )
    assert str(from_transformers(processor(name) | nulls)) == printed


@pytest.mark.parametrize(
    ("config", "geometry"),
    [
        (processor("ViT", size=384), "squash 384 bilinear"),
        (processor("CLIP", size=336, crop_size=336), "resize 336 bicubic, crop 336 floor"),
        (processor("CLIP", size=256), "resize 256 bicubic, crop 224 floor"),
        (processor("DeiT", size=438, crop_size=384), "squash 438 bicubic, crop 384 floor"),
        (processor("Bit", size={"shortest_edge": 256}), "resize 256 bicubic, crop 224 floor"),
        (processor("CLIP", size={"height": 224, "width": 224}), "squash 224 bicubic"),
        (
            processor("CLIP", size={"shortest_edge": 9, "longest_edge": None}, crop_size=8),
            "resize 9 bicubic, crop 8 floor",
        ),
        (
            processor("ChineseCLIP", size={"height": 224, "width": 224}, do_center_crop=False),
            "squash 224 bicubic",
        ),
        (
            processor("ViT", do_center_crop=True, crop_size={"height": 200, "width": 200}),
            "squash 224 bilinear, crop 200 floor",
        ),
        (processor("ConvNext", size={"shortest_edge": 224}), "resize 256 bicubic, crop 224 floor"),
        (processor("ConvNext", size=240, crop_pct=0.9), "resize 266 bicubic, crop 240 floor"),
        (processor("ConvNext", size=384, crop_pct=0.95), "squash 384 bicubic"),
        (processor("CLIP", do_resize=False), "pad 224 before"),
        (processor("Siglip", resample=0), "squash 224 nearest"),
        (processor("Siglip", resample=1), "squash 224 lanczos"),
        (processor("Siglip", resample=4), "squash 224 box"),
        (processor("Siglip", resample=5), "squash 224 hamming"),
    ],
)
def test_a_size_means_what_it_means_to_the_class(config, geometry):
    assert str(from_transformers(config).geometry) == geometry


@pytest.mark.parametrize(
    ("keys", "levels"),
    [
        ({"do_rescale": False}, HALF.replace("mean", "scale 1, mean")),
        ({"do_normalize": False}, "scale 1/255"),
        ({"do_normalize": False, "do_rescale": False}, "scale 1"),
        ({"do_normalize": False, "rescale_factor": 1 / 127.5}, "scale 1/127.5"),
        (
            {"image_mean": 0.25, "image_std": [1, 1, 2]},
            "scale 1/255, mean 0.25 0.25 0.25, std 1 1 2",
        ),
    ],
)
def test_levels_are_scaled_as_the_flags_say(keys, levels):
    assert str(from_transformers(processor("ViT", **keys)).normalisation) == levels


def test_the_newer_backend_is_said_by_name():
    made = from_transformers(
        processor("ViT", image_mean=[0.485, 0.456, 0.406]), backend="torchvision"
    )
    assert str(made) == (
        "squash 224 torch_bilinear, scale 1, mean 123.675 116.28 103.53, std 127.5 127.5 127.5"
    )
    unresized = processor("CLIP", do_resize=False)
    assert str(from_transformers(unresized, backend="torchvision").geometry) == "pad 224"
    with pytest.raises(UsageError, match="backend must be one of pillow, torchvision, not 'PIL'"):
        from_transformers(processor("ViT"), backend="PIL")
    with pytest.raises(UsageError, match="resample is 1, lanczos, which tensors can't be"):
        from_transformers(processor("ViT", resample=1), backend="torchvision")


@pytest.mark.parametrize(
    ("make", "size", "geometry"),
    [
        (hf("ViT"), 384, "squash 384 bilinear"),
        (hf("Bit", size=256), 299, "resize 341 bicubic, crop 299 floor"),
        (hf("DeiT"), 448, "squash 512 bicubic, crop 448 floor"),
        (hf("ConvNext", size=224), 288, "resize 329 bicubic, crop 288 floor"),
        (hf("ConvNext", size=224), 384, "squash 384 bicubic"),
        (hf("CLIP", do_resize=False), 96, "pad 96 before"),
        (
            reads(from_timm, {"input_size": [3, 224, 224], "crop_pct": 0.9}),
            240,
            "resize 266 bicubic, crop 240",
        ),
        (
            reads(from_open_clip, {}, {"vision_cfg": {"image_size": 224}}),
            336,
            "resize 336 bicubic, crop 336",
        ),
    ],
)
def test_another_size_of_the_network_scales_what_is_seen(make, size, geometry):
    made = make(size)
    assert (made.size, str(made.geometry)) == (size, geometry)


@pytest.mark.parametrize(
    ("cfg", "printed"),
    [
        ({}, f"resize 256 bicubic, crop 224, scale 1/255, {IMAGENET}"),
        (
            {"crop_pct": None, "mean": None, "license": "mit", "classifier": "head"},
            f"resize 256 bicubic, crop 224, scale 1/255, {IMAGENET}",
        ),
        (
            {"input_size": (3, 518, 518), "crop_pct": 1.0, "interpolation": "bilinear"},
            f"resize 518 bilinear, crop 518, scale 1/255, {IMAGENET}",
        ),
        ({"crop_pct": 1, "crop_mode": "squash"}, f"squash 224 bicubic, scale 1/255, {IMAGENET}"),
        ({"crop_mode": "squash"}, f"squash 256 bicubic, crop 224, scale 1/255, {IMAGENET}"),
        (
            {"crop_pct": 0.95, "crop_mode": "border"},
            f"fit 235 bicubic, pad 224 124 116 104, scale 1/255, {IMAGENET}",
        ),
    ],
)
def test_timms_settings(cfg, printed):
    assert str(from_timm(cfg)) == printed


@pytest.mark.parametrize(
    ("cfg", "model", "printed"),
    [
        ({}, {}, f"resize 224 bicubic, crop 224, scale 1/255, {CLIP}"),
        (
            {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
            {"vision_cfg": {"image_size": 256}},
            f"resize 256 bicubic, crop 256, scale 1/255, {HALF}",
        ),
        (
            {"size": 336},
            {"vision_cfg": {"timm_model_name": "x"}},
            f"resize 336 bicubic, crop 336, scale 1/255, {CLIP}",
        ),
        (
            {"size": [224, 224]},
            {"vision_cfg": {"image_size": [336, 336]}},
            f"resize 336 bicubic, crop 336, scale 1/255, {CLIP}",
        ),
        (
            {"resize_mode": "squash", "interpolation": "bilinear", "fill_color": 9, "mode": "RGB"},
            {},
            f"squash 224 bilinear, scale 1/255, {CLIP}",
        ),
        (
            {"resize_mode": "longest", "fill_color": 9, "interpolation": "random"},
            {},
            f"fit 224 bicubic, pad 224 9 9 9, scale 1/255, {CLIP}",
        ),
    ],
)
def test_open_clips_settings(cfg, model, printed):
    assert str(from_open_clip(cfg, model)) == printed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (reads(from_transformers, []), "the file is [], expected keys with values"),
        (reads(from_transformers, {}), "image_processor_type is missing"),
        (hf("Swin\x1b[2J"), "image_processor_type is 'Swin\\x1b"),
        (hf("Siglip2"), "image_processor_type is 'Siglip2ImagePro"),
        (
            reads(from_transformers, {"feature_extractor_type": 3}),
            "feature_extractor_type is 3, which",
        ),
        (
            reads(from_transformers, {"image_processor_type": ["ViT"]}),
            "type is ['ViT'], which isn't",
        ),
        (hf("ViT", size=0), "size is 0, expected a whole number fr"),
        (hf("ViT", size=10**9), "size is 1000000000, expected a wh"),
        (hf("ViT", size=True), "size is True, expected a whole num"),
        (hf("ViT", size=224.0), "size is 224.0, expected a whole n"),
        (hf("ViT", size="224"), "size is '224', expected a whole nu"),
        (hf("ViT", size={}), "size is {}, expected a whole number"),
        (hf("ViT", size=5000), "geometry.size is 5000, expected a "),
        (hf("ViT", size={"height": 224}), "size is {'height': 224}"),
        (
            hf("ViT", size={"height": 224, "width": 192}),
            "size is {'height': 224, 'width': 192}, which is no square",
        ),
        (
            hf("CLIP", size={"shortest_edge": [224]}),
            "size.shortest_edge is [224], expected a whole number",
        ),
        (
            hf("CLIP", size={"shortest_edge": 9, "longest_edge": 99}),
            "size is {'longest_edge': 99, 'shortest_edge': 9}, expected ",
        ),
        (hf("CLIP", crop_size=336), "crop_size is 336, more than"),
        (hf("CLIP", crop_size=-1), "crop_size is -1, expected a wh"),
        (hf("ViT", do_center_crop=True), "crop_size is missing, but"),
        (hf("CLIP", do_center_crop=False), "size is of the shorter "),
        (hf("Siglip", size={"shortest_edge": 224}), "size is of the"),
        (hf("Siglip", size=224), "size is of the shorter side, and nothing is cropped"),
        (hf("ViT", do_resize=False), "do_resize is false, so images"),
        (hf("ViT", do_resize="no"), "do_resize is 'no', expected tr"),
        (hf("ViT", do_pad=True), "do_pad is true, which isn't supp"),
        (hf("ViT", resample=6), "resample is 6, expected a whole"),
        (hf("ViT", resample="bicubic"), "resample is 'bicubic', exp"),
        (hf("DINOv3ViT", resample=0), "resample is 0, nearest, which"),
        (hf("ConvNext", size=224, crop_pct=0), "crop_pct is 0, expe"),
        (hf("ViT", rescale_factor=0), "rescale_factor is 0, expect"),
        (hf("ViT", image_mean=[0.5]), "image_mean is [0.5], expecte"),
        (hf("ViT", image_mean=["0.5"] * 3), "image_mean is ['0.5', "),
        (hf("ViT", image_std=[0, 1, 1]), "image_std is [0, 1, 1], e"),
        (hf("ViT", image_std=float("nan")), "image_std is nan, expe"),
        (reads(from_timm, "resnet"), "pretrained_cfg is 'resnet', expected keys with values"),
        (reads(from_timm, {"input_size": 224}), "input_size is 224, expected three, each a whole"),
        (reads(from_timm, {"input_size": [1, 28, 28]}), "input_size is of 1 channels, not of 3"),
        (
            reads(from_timm, {"input_size": [3, 224, 192]}),
            "input_size is [224, 192], which is no squ",
        ),
        (
            reads(from_timm, {"crop_pct": 1.5}),
            "crop_pct is 1.5, expected a number from 0.0625 to 1",
        ),
        (
            reads(from_timm, {"crop_pct": 0.0625, "input_size": [3, 4096, 4096]}),
            "geometry.shorter is",
        ),
        (
            reads(from_timm, {"crop_mode": "centre"}),
            "crop_mode is 'centre', expected one of center, ",
        ),
        (
            reads(from_timm, {"interpolation": "random"}),
            "interpolation is 'random', expected one of",
        ),
        (
            reads(from_timm, {"crop_mode": "border", "mean": 2}),
            "geometry.fill is [510, 510, 510], ex",
        ),
        (reads(from_open_clip, [], {}), "preprocess_cfg is [], expected keys with values"),
        (
            reads(from_open_clip, {}, {"vision_cfg": 3}),
            "vision_cfg is 3, expected keys with values",
        ),
        (
            reads(from_open_clip, {}, {"vision_cfg": {"image_size": [2, 3]}}),
            "image_size is [2, 3], wh",
        ),
        (reads(from_open_clip, {"size": 0}, {}), "size is 0, expected a whole number from 1 to"),
        (reads(from_open_clip, {"mode": "L"}, {}), "mode is 'L', expected one of RGB"),
        (
            reads(from_open_clip, {"resize_mode": 3}, {}),
            "resize_mode is 3, expected one of shortest,",
        ),
        (
            reads(from_open_clip, {"fill_color": 256}, {}),
            "fill_color is 256, expected a whole number",
        ),
        (
            reads(from_open_clip, {"std": [1, 1, 1e-9]}, {}),
            "std is [1, 1, 1e-09], expected a number",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(make, message):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        make()
    assert str(caught.value).endswith(INSTEAD)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 400)
    | st.floats()
    | st.sampled_from(["bicubic", "squash"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shortest_edge", "height", "width", "image_size"]), inner
        )
    ),
    max_leaves=5,
)
KEYS = [
    *("size", "crop_size", "do_resize", "do_center_crop", "do_rescale", "do_normalize", "resample"),
    *("crop_pct", "crop_mode", "rescale_factor", "image_mean", "image_std", "mean", "std"),
    *("input_size", "interpolation", "fill_color", "resize_mode"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["CLIP", "ViT", "ConvNext"]), st.dictionaries(st.sampled_from(KEYS), values))
def test_strange_values_get_nothing_but_an_error_of_ours(name, keys):
    made = []
    for read in (
        hf(name, **keys),
        reads(from_timm, keys),
        reads(from_open_clip, keys, {"vision_cfg": keys}),
    ):
        with suppress(UsageError):
            made.append(read())
    assert all(1 <= transform.size <= 4096 for transform in made)
