"""Lets PyPI's torchvision, built for CUDA's torch, be imported beside torch's build for the CPU.

Its compiled operators don't load there, which features have no need of; the import stops only at
the two operators for which it registers more in Python. Imported before torchvision.
"""

import torch

if torch.version.cuda is None:
    for name in ("nms", "qnms"):
        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{name}", arguments)
