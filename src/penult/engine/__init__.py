"""Engines run an ONNX model; ONNX Runtime is the one that Penult installs."""

from penult.engine.onnx_file import Cut, OnnxFile, Pool
from penult.engine.runtime import Engine

__all__ = ["Cut", "Engine", "OnnxFile", "Pool"]
