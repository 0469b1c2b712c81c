"""What transformers' classes take where config.json says nothing, by `model_type`.

Source: configuration_*.py in github.com/huggingface/transformers/tree/main/src/transformers/models.
"""

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # of transformers' classes, by `model_type`
    "vit": {"layer_norm_eps": 1e-12, "hidden_act": "gelu"},
    "deit": {"layer_norm_eps": 1e-12, "hidden_act": "gelu"},
    "vit_mae": {"layer_norm_eps": 1e-12, "hidden_act": "gelu"},
    "dinov2": {"layer_norm_eps": 1e-6, "hidden_act": "gelu"},
    "dinov2_with_registers": {"layer_norm_eps": 1e-6, "hidden_act": "gelu"},
    "dinov3_vit": {"layer_norm_eps": 1e-5, "hidden_act": "gelu", "image_size": 224},
    "clip": {"layer_norm_eps": 1e-5, "hidden_act": "quick_gelu", "image_size": 224},
    "chinese_clip": {"layer_norm_eps": 1e-5, "hidden_act": "quick_gelu", "image_size": 224},
    "siglip": {"layer_norm_eps": 1e-6, "hidden_act": "gelu_pytorch_tanh", "image_size": 224},
}
TOWERS = {"clip_vision_model": "clip", "siglip_vision_model": "siglip"}  # of one kind with both
