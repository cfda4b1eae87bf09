"""What is to be raised of a layer's output: a channel of each picture, and how unlike pictures of one channel are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .ascent import Score

__all__ = ["OBJECTIVES", "raised"]

OBJECTIVES = ("channel", "unit")

APART = 1.0  # of the likeness of two facets against the channel's response


def raised(channels: Sequence[int], objective: str = "channel", sign: float = 1.0, facets: int = 1) -> Score:
    """Picture k raises sign times channels[k], on average over its map or in its middle; each `facets` pictures after
    each other are kept unlike, by what all channels do together (Olah et al. 2017, "Diversity")."""

    def score(output: Tensor) -> Tensor:
        rows = torch.arange(len(output), device=output.device)
        own = output[rows, torch.tensor(channels, device=output.device)]
        if own.dim() > 1:
            places = own.flatten(1)
            middle = own.shape[1] // 2 * own.shape[2] + own.shape[2] // 2 if own.dim() == 3 else places.shape[1] // 2
            # Of a convolution the mean over all places would be that of the weights: what is below zero does not count.
            own = sign * places[:, middle] if objective == "unit" else F.relu(sign * places).mean(1)
            found = own
        else:
            found = sign * own
        if facets > 1:
            found = found - APART * found.detach().abs() * _likeness(output, facets)
        return found

    return score


def _likeness(output: Tensor, facets: int) -> Tensor:
    """(N,): the mean cosine of a picture's Gram matrix, of what channels do together, with the other facets'."""
    flat = output.flatten(2) if output.dim() > 2 else output[:, :, None]
    gram = F.normalize((flat @ flat.transpose(1, 2)).flatten(1), dim=1)
    groups = gram.view(-1, facets, gram.shape[1])
    alike = groups @ groups.transpose(1, 2)
    return ((alike.sum(2) - alike.diagonal(dim1=1, dim2=2)) / (facets - 1)).flatten()
