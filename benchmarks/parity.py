"""How far features and logits are from the published implementation's, on the example photos.

    python benchmarks/parity.py
    python benchmarks/parity.py --libraries FOLDER

Compares with tests/reference, made once by the script beside the stored arrays, and prints relative
errors (L2). A network whose weights aren't installed is left out by name. With `--libraries`, all
references of torchvision's, timm's, transformers' and OpenCLIP's networks in a folder like
tests/reference/modern, as rows of Markdown: of features, logits, and the largest difference at a
place of any layer, in deviations of that layer.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import penult

ROOT = Path(__file__).parents[1]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The L2 norm of the difference over that of the expected array."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def libraries(folder: Path) -> None:
    """Print a row a network that is read."""
    sys.path.insert(0, str(ROOT / "tests/nets"))
    import modern

    from penult.nets.registry import read_designs

    print("| network | features | logits | layers |\n| --- | --- | --- | --- |")
    for name in modern.names(folder):
        reference = modern.Reference(name, folder)
        if read_designs(reference.shapes, reference.card):
            errors = modern.differences(reference)
            layers = max((error for _, error in modern.prints(reference)), default=0)
            logits = f"{errors['logits']:.0e}" if "logits" in errors else ""
            print(f"| {name} | {errors['features']:.0e} | {logits} | {layers:.0e} |", flush=True)


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--libraries", type=Path, metavar="FOLDER")
    if folder := parser.parse_args().libraries:
        libraries(folder)
        return
    print(f"{'network':20}{'photos':>8}{'features':>12}{'logits':>12}")
    for file in sorted(ROOT.glob("tests/reference/*.npz")):
        reference = np.load(file)
        photos = [ROOT / "examples/photos" / key for key in reference["keys"]]
        try:
            model = penult.load_model(file.stem)
        except penult.UsageError as error:
            print(f"{file.stem:20}{error}")
            continue
        features = relative_error(model.features(photos), reference["pooled_features"])
        logits = relative_error(model.logits(photos), reference["head"])
        print(f"{file.stem:20}{len(photos):8}{features:12.1e}{logits:12.1e}")


if __name__ == "__main__":
    main()
