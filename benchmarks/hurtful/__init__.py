"""Weights files that are made to hurt: of each kind, one count that can grow for ever.

A file of a kind is all right up to some count, and then costs the reader time or memory without end
unless it stops. `KINDS` has each with the largest count that is of use; what they are for is
measured by `made_to_hurt.py`, and at small counts by tests/checkpoints/test_made_to_hurt.py.
"""

from hurtful import archives, keras_numpy, onnx, pytorch, safetensors, tensorflow

KINDS = {
    **archives.KINDS,
    **tensorflow.KINDS,
    **onnx.KINDS,
    **safetensors.KINDS,
    **pytorch.KINDS,
    **keras_numpy.KINDS,
}
