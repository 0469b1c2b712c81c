"""How far features and logits are from the published implementation's, on the example photos.

    python benchmarks/parity.py

Compares with tests/reference, made once by the script beside the stored arrays, and prints relative
errors (L2). A network whose weights aren't installed is left out by name.
"""

from pathlib import Path

import numpy as np

import penult

ROOT = Path(__file__).parents[1]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The L2 norm of the difference over that of the expected array."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def main() -> None:
    """Print a row a network."""
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
