"""Make words.json: what open_clip 3.3.0 makes of a small CLIP, photos and words.

python tests/tiny_clip.py clip.safetensors   # with Penult
python tests/reference/make_words.py clip.safetensors   # with open_clip
"""

import json
import sys
from pathlib import Path

import open_clip
import torch
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from PIL import Image
from safetensors.torch import load_file

HERE = Path(__file__).parent
PHOTOS = HERE.parents[1] / "examples/photos"
NAMES = ("cat_chelsea.jpg", "red_panda.jpg", "rocket.jpg")
LABELS = ["cat", "a red panda", "rocket at night", "something else"]
QUERIES = ["a red bicycle", "two cats, sleeping", "rocket"]
BIAS = -3.0


def main(weights: str) -> None:
    """Write features, probabilities and scores of three photos."""
    model = open_clip.CLIP(
        embed_dim=32,
        vision_cfg={"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
    ).eval()
    model.load_state_dict(load_file(weights))
    transform = open_clip.image_transform(
        32, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    pixels = torch.stack([transform(Image.open(PHOTOS / name)) for name in NAMES])
    with torch.no_grad():
        images = model.encode_image(pixels, normalize=True)
        texts = model.encode_text(open_clip.tokenize(QUERIES), normalize=True)
        scale = model.logit_scale.exp()
        made = {"photos": NAMES, "labels": LABELS, "queries": QUERIES, "bias": BIAS}
        made["scores"] = (images @ texts.T).tolist()
        for name, templates in {
            "simple": SIMPLE_IMAGENET_TEMPLATES,
            "imagenet": OPENAI_IMAGENET_TEMPLATES,
        }.items():
            classifier = open_clip.build_zero_shot_classifier(
                model, open_clip.tokenize, LABELS, templates, device="cpu"
            )
            logits = scale * images @ classifier
            made[name] = {
                "softmax": logits.softmax(dim=-1).tolist(),
                "sigmoid": torch.sigmoid(logits + BIAS).tolist(),
            }
    (HERE / "words.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
