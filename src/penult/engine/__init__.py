"""Engines run a network that was cut out for them; ONNX Runtime is the one that Penult installs."""

from penult.engine.base import Cut, Engine, EngineFactory, Inputs
from penult.engine.devices import DeviceName
from penult.engine.runtime import OnnxRuntime, engine_on

__all__ = ["Cut", "DeviceName", "Engine", "EngineFactory", "Inputs", "OnnxRuntime", "engine_on"]
