"""A picture and a small network as a user might bring one, for tests of what is wrapped."""

import numpy as np
import torch
from PIL import Image
from torch import nn

import explain

SIZE = (48, 40)
CLASSES = ("a", "b", "c", "d")
PREPROCESS = explain.Preprocess(SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)


def picture(seed=0):
    low = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(low).resize((60, 66), Image.Resampling.BICUBIC)


def plain(outputs=4, *more):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, outputs), *more,
    ).eval()  # fmt: skip
