"""Make preprocess/libraries.json: what four libraries make of two photos, and by which settings.

Needs reference data that is not in the repository: a folder with `manifests/LIBRARY/NAME.json`, of
networks that the libraries made, and `preprocess/KIND.npz`, the photos chelsea and coffee after the
networks' own preprocessing, float32, channels first. Of each preprocessing the SHA-256 of both is
kept (little endian), beside the settings as the library's file has them. DINOv3's, on which no two
programs agree to the bit, is kept as every seventh row and column. Run from the repository's root:

    python tests/reference/make_preprocess_libraries.py FOLDER
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PHOTOS = {"img1": "chelsea", "img2": "coffee"}
FLOATS = "hf_dinov3_square224_bilinear_imagenet_torchvision"
TIMM = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
OPEN_CLIP = ("size", "mean", "std", "interpolation", "resize_mode")
TORCHVISION = ("resize_size", "crop_size", "interpolation", "mean", "std")


def main(folder: Path) -> None:
    """Write both files."""
    cases: dict[str, dict[str, object]] = {}
    for path in sorted((folder / "manifests").glob("*/*.json")):
        manifest = json.loads(path.read_text("utf-8"))
        for settings, digests in found(path.parent.name, manifest, folder / "preprocess"):
            case = {"network": f"{path.parent.name}/{path.stem}", **settings, "sha256": digests}
            cases.setdefault(json.dumps(settings), case)
    lines = ",\n".join(map(json.dumps, cases.values()))
    (HERE / "preprocess" / "libraries.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    with np.load(folder / "preprocess" / f"{FLOATS}.npz") as arrays:
        kept = {PHOTOS[name]: arrays[name][:, ::7, ::7].transpose(1, 2, 0) for name in PHOTOS}
    np.savez_compressed(HERE / "preprocess" / "dinov3_224_every_7th.npz", **kept)


def found(library: str, manifest: dict, arrays: Path):
    """Yield settings with what they give; of transformers for both of its backends."""
    batch, said = manifest["batch"], manifest.get("preprocessing")
    if library == "timm":
        cfg = {k: v for k in TIMM if (v := manifest["pretrained_cfg"].get(k)) is not None}
        yield {"timm": cfg, "size": manifest["input_size"][1]}, digests_of(batch, arrays)
    elif library == "open_clip":
        cfg = {k: said[k] for k in OPEN_CLIP if k in said}
        yield {"open_clip": cfg}, digests_of(batch, arrays)
    elif library == "torchvision":
        (weights,) = (
            w for w in manifest["published_weights"] if w["name"] == batch["weights_enum"]
        )
        preset = {k: weights["transforms"][k] for k in TORCHVISION}
        yield {"torchvision": preset}, digests_of(batch, arrays)
    elif library == "transformers" and said["image_processor"] != "Siglip2ImageProcessor":
        left_out = {"image_processor", "backend_max_abs_difference", "how"}
        config = {"image_processor_type": said["image_processor"]}
        config |= {k: v for k, v in said.items() if k not in left_out}
        if batch["preprocess"] != FLOATS:
            yield {"transformers": config, "backend": "torchvision"}, digests_of(batch, arrays)
        if "pil_backend_sha256" in batch:
            yield {"transformers": config, "backend": "pillow"}, batch["pil_backend_sha256"]


def digests_of(batch: dict, arrays: Path) -> dict[str, str]:
    """Take the digests of the manifest, or make them of the arrays."""
    if "preprocess_sha256" in batch:
        return batch["preprocess_sha256"]
    with np.load(arrays / f"{batch['preprocess']}.npz") as values:
        return {name: sha256(values[name].astype("<f4").tobytes()).hexdigest() for name in PHOTOS}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
