"""What a batch costs: seconds and memory, measured on CUDA, estimated elsewhere."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from .costs import activations
from .layers import FLOAT_BYTES
from .model import Model

__all__ = ["PATIENCE", "SIZES", "estimated_mebibytes", "time_and_peak"]

SIZES = (1, 2, 4, 8, 16)
PATIENCE, REPEATS = 4.0, 3  # seconds after which no larger batch is tried; runs of each size


def time_and_peak(model: Model, size: int, training: bool) -> tuple[float, float]:
    """Seconds, and the peak of allocated memory in MiB; 0 where there is no CUDA."""
    height, width = model.preprocess.size
    with model.exclusive() as net, torch.inference_mode(False), torch.set_grad_enabled(training):
        for parameter in net.parameters():
            parameter.requires_grad_(training)
        batch = torch.zeros(size, model.preprocess.channels, height, width, device=model.device, dtype=torch.float32)
        _run(net, batch, training)  # the first run also builds what later ones find
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
            torch.cuda.reset_peak_memory_stats(model.device)
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            _run(net, batch, training)
            if model.device.type == "cuda":
                torch.cuda.synchronize(model.device)
            times.append(time.perf_counter() - start)
            if sum(times) > PATIENCE:
                break
        peak = torch.cuda.max_memory_allocated(model.device) if model.device.type == "cuda" else 0
        for parameter in net.parameters():
            parameter.grad = None
    return min(times), peak / 2**20


def _run(net: nn.Module, batch: Tensor, training: bool) -> None:
    scores = net(batch)
    if training:
        scores.square().mean().backward()


def estimated_mebibytes(model: Model, size: int, training: bool) -> float:
    """MiB."""
    with model.exclusive() as net:
        weights = sum(value.numel() for value in net.state_dict().values())
    height, width = model.preprocess.size
    entering = model.preprocess.channels * height * width
    if training:
        values = 2 * weights + size * activations(model.layers, entering)
    else:
        values = weights + size * max((layer.taken + layer.units for layer in model.layers), default=entering)
    return float(values * FLOAT_BYTES / 2**20)
