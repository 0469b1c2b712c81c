"""How much disk the locked run-time installation takes, package by package.

    python benchmarks/installed_size.py

Counts the files that the installed packages of requirements/run.txt list as theirs, compiled
bytecode included, so extras and developers' tools beside them don't count.
"""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements/run.txt"


def megabytes(name: str) -> float:
    """Sum the sizes of a package's files that exist, in 10^6 bytes."""
    files = (file.locate() for file in distribution(name).files or ())
    return sum(Path(file).stat().st_size for file in files if Path(file).exists()) / 1e6


def main() -> None:
    """Print the packages by size, and their sum."""
    sizes = {}
    for name in set(re.findall(r"^([\w-]+)==", LOCK.read_text(), re.MULTILINE)):
        try:
            sizes[name] = megabytes(name)
        except PackageNotFoundError:  # for another system or Python
            continue
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size >= 5:
            print(f"{name:36}{size:7.0f} MB")
    print(f"{f'all {len(sizes)} packages':36}{sum(sizes.values()):7.0f} MB")


if __name__ == "__main__":
    main()
