"""What the files of torchvision's older networks have in common when they are read.

Each of these architectures is fixed but for a few numbers, so it is made as a design first, and
then held against the file: it is read if the file has all tensors that the design needs.
"""

from typing import TypeVar

from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets.design import Card, Design, Shapes

D = TypeVar("D", bound=Design)


def classes_of(shapes: Shapes, classifier: str) -> int:
    """Count the classes of a classifier's `weight`; 0 if there is none."""
    shape = shapes.get(f"{classifier}.weight", ())
    return shape[0] if len(shape) in {2, 4} else 0


def kernel(shapes: Shapes, name: str) -> tuple[int, ...]:
    """Return a convolution's (filters, channels, height, width).

    Raises:
        ValueError: There is none.
    """
    shape = shapes.get(f"{name}.weight", ())
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(f"{name} is no convolution")
    return shape


def held(design: D, shapes: Shapes, card: Card, known: frozenset[str]) -> D | None:
    """Return the design if a file has its tensors, else None.

    Args:
        design: What was made of the tensors.
        shapes: The file's.
        card: What is said beside them.
        known: Networks of such files, by the libraries' names.

    Raises:
        NetworkError: The card says another network of these.
    """
    try:
        layers = design.architecture().build(images(design.size), design.classes)
    except NetworkError:  # so many stages that nothing is left of the map
        return None
    needed = variables(layers.values())
    if any(shapes.get(variable.name) != variable.shape for variable in needed):
        return None
    title = design.name.partition("/")[2]
    if card.architecture in known - {title}:
        said = card.architecture
        raise NetworkError(f"the tensors are of {title}, not of {said} as is said beside them")
    return design
