"""OPTIMISERS: torch's, by name, with the options that the lectures name and torch's own defaults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import nn
from torch.optim import Optimizer

from ..errors import BadValue
from ..options import Choices, Range
from ..registry import Registry

__all__ = ["OPTIMISERS"]

OPTIMISERS = Registry("optimiser")

Parameters = Iterable[nn.Parameter]
DECAY = Annotated[float, Range(0, 10, help="weight decay: twice the factor of the squared weights in the loss")]
EPS = Annotated[float, Range(1e-16, 1, help="added to the root, so that nothing is divided by zero")]
BETA = Annotated[float, Range(0, 0.999999)]


@OPTIMISERS.register(label="SGD")
def sgd(
    parameters: Parameters,
    rate: float,
    *,
    momentum: Annotated[float, Range(0, 0.9999, help="share of the last step that is taken again")] = 0.0,
    nesterov: Annotated[bool, Choices(True, False, help="look ahead by the momentum")] = False,
    weight_decay: DECAY = 0.0,
) -> Optimizer:
    """Gradient descent, by batch, mini-batch or picture as the batch size says; with momentum a sum of past steps."""
    if nesterov and not momentum:
        raise BadValue("Option nesterov=True needs a momentum above 0.")
    return torch.optim.SGD(parameters, rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


@OPTIMISERS.register(label="AdaGrad")
def adagrad(parameters: Parameters, rate: float, *, eps: EPS = 1e-10, weight_decay: DECAY = 0.0) -> Optimizer:
    """Steps divided by the root of the sum of all squared gradients so far (Duchi et al. 2011)."""
    return torch.optim.Adagrad(parameters, rate, eps=eps, weight_decay=weight_decay)


@OPTIMISERS.register(label="RMSProp")
def rmsprop(
    parameters: Parameters,
    rate: float,
    *,
    beta: Annotated[float, Range(0, 0.999999, help="of the running mean of squared gradients")] = 0.99,
    eps: EPS = 1e-8,
    momentum: Annotated[float, Range(0, 0.9999)] = 0.0,
    weight_decay: DECAY = 0.0,
) -> Optimizer:
    """AdaGrad that forgets: a running mean in the place of the sum (Tieleman and Hinton 2012)."""
    return torch.optim.RMSprop(parameters, rate, alpha=beta, eps=eps, momentum=momentum, weight_decay=weight_decay)


@OPTIMISERS.register(label="Adam")
def adam(
    parameters: Parameters,
    rate: float,
    *,
    beta1: BETA = 0.9,
    beta2: BETA = 0.999,
    eps: EPS = 1e-8,
    weight_decay: DECAY = 0.0,
) -> Optimizer:
    """Running means of gradients and of their squares, corrected for beginning at zero (Kingma and Ba 2015)."""
    return torch.optim.Adam(parameters, rate, (beta1, beta2), eps, weight_decay)


@OPTIMISERS.register(label="AdamW")
def adamw(
    parameters: Parameters,
    rate: float,
    *,
    beta1: BETA = 0.9,
    beta2: BETA = 0.999,
    eps: EPS = 1e-8,
    weight_decay: DECAY = 0.01,
) -> Optimizer:
    """Adam whose weight decay is not divided by the gradients' size (Loshchilov and Hutter 2019)."""
    return torch.optim.AdamW(parameters, rate, (beta1, beta2), eps, weight_decay)


@OPTIMISERS.register(label="L-BFGS")
def lbfgs(
    parameters: Parameters,
    rate: float,
    *,
    inner: Annotated[int, Range(1, 1000, help="iterations a step")] = 20,
    history: Annotated[int, Range(1, 1000, help="steps from which the curvature is estimated")] = 10,
) -> Optimizer:
    """A quasi-Newton method; the gradient has to be that of all pictures, so it takes full batches only."""
    return torch.optim.LBFGS(parameters, rate, inner, history_size=history, line_search_fn="strong_wolfe")
