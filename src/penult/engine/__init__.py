"""Engines run an ONNX model; ONNX Runtime is the one that Penult installs."""

from penult.engine.runtime import Cut, Engine

__all__ = ["Cut", "Engine"]
