"""What networks of the lectures cost, each counted once, and what others published of theirs."""

from __future__ import annotations

from functools import cache
from urllib.parse import parse_qsl

import torch

from ..nets import NETS
from ..network.costs import Counts, count

__all__ = ["counts_of", "input_of", "published"]


@cache
def counts_of(name: str) -> Counts:
    """Of a network of NETS with options, as in `resnet?depth=50`, without its values."""
    architecture, _, query = name.partition("?")
    options = NETS[architecture].check(dict(parse_qsl(query)))
    with torch.device("meta"):
        net = NETS[architecture](**options).eval()
        return count(net, torch.zeros(1, options["channels"], options["size"], options["size"]))


def input_of(name: str) -> int:
    """The side of the pictures that a network is for."""
    architecture, _, query = name.partition("?")
    return int(NETS[architecture].check(dict(parse_qsl(query)))["size"])


def published(name: str) -> float:
    """Top-5 error in per cent of torchvision's first weights, as published with them."""
    from torchvision import models

    metrics = models.get_model_weights(name)["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]
    return round(100 - float(metrics["acc@5"]), 3)
