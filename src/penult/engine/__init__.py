"""Engines run an ONNX model; ONNX Runtime is the one that Penult installs."""

from penult.engine.runtime import Engine, cores

__all__ = ["Engine", "cores"]
