"""Designs of networks as files of tensors."""

from penult.graph import images, variables
from penult.nets.design import Design


def shapes_of(design: Design) -> dict[str, tuple[int, ...]]:
    """The tensors of a file of the design."""
    graph = design.architecture().build(images(64), design.classes)
    return {each.name: each.shape for each in variables(graph.values())}
