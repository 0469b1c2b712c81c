"""Engines run a network that was cut out for them; ONNX Runtime is the one that Penult installs."""

from penult.engine.base import Cut, Engine, EngineFactory, Inputs
from penult.engine.runtime import OnnxRuntime

__all__ = ["Cut", "Engine", "EngineFactory", "Inputs", "OnnxRuntime"]
