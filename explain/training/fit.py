"""The training loop, on one page."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import ImageSet, load_images
from ..errors import ExplainError
from ..figure import versions
from ..model import Model, Preprocess, choose_device
from ..nets import NETS
from .recipes import Recipe, recipe

__all__ = ["accuracy", "train"]

EVALUATION_BATCH = 1000


def train(
    name: str | Recipe,
    data: str | ImageSet | None = None,
    *,
    test: str | ImageSet = "fashion-mnist",
    device: str = "auto",
    progress: Callable[[dict[str, Any]], object] | None = None,
    **changes: Any,
) -> Model:
    """Train a recipe's network on greyscale 28 x 28 pictures and return it with its history in `about`.

    `progress` is called with one row an epoch; when it returns True, training stops there.
    Raises ExplainError for pictures without labels, and when the loss is no longer finite.
    """
    plan = recipe(name).changed(**changes)
    images, held_out = load_images(plan.data if data is None else data), load_images(test)
    place = choose_device(device)
    x, y = _tensors(images, place)
    x_test, y_test = _tensors(held_out, place)
    generator = torch.Generator().manual_seed(plan.seed)
    with torch.random.fork_rng(devices=[]):  # layers draw weights of their own, from the generator that all share
        net = NETS[plan.architecture](**plan.options, classes=len(images.classes)).to(place)
    initialise(net, generator)
    optimiser = torch.optim.SGD(net.parameters(), lr=plan.learning_rate)
    history: list[dict[str, Any]] = []
    for epoch in range(plan.epochs):
        start, total_loss, correct = time.perf_counter(), 0.0, 0
        net.train()
        for batch in torch.split(torch.randperm(len(x), generator=generator).to(place), plan.batch_size):
            scores = net(x[batch])
            loss = F.cross_entropy(scores, y[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if not math.isfinite(value := loss.item()):
                step = len(history) * math.ceil(len(x) / plan.batch_size)
                raise ExplainError(
                    f"The loss is {value} in epoch {epoch + 1} (step {step} or later) with "
                    f"learning_rate={plan.learning_rate}; try a smaller one or another seed."
                )
            total_loss += value * len(batch)
            correct += int((scores.argmax(1) == y[batch]).sum())
        row = {
            "epoch": epoch + 1,
            "loss": total_loss / len(x),
            "train_accuracy": correct / len(x),
            "test_accuracy": accuracy(net, x_test, y_test),
            "seconds": round(time.perf_counter() - start, 2),
        }
        history.append(row)
        if progress is not None and progress(row) is True:
            break
    about = {
        "architecture": plan.architecture,
        "options": dict(plan.options) | {"classes": len(images.classes)},
        "recipe": dataclasses.asdict(plan),
        "data": {"name": images.name, "digest": images.digest},
        "history": history,
        "accuracy": {"test": history[-1]["test_accuracy"], "train": history[-1]["train_accuracy"]},
        "versions": versions(),
    }
    preprocess = Preprocess(size=(28, 28), resize=28, mean=(0.0,), std=(1.0,), channels=1)
    return Model(plan.name, net, preprocess, images.classes, about)


def initialise(net: nn.Module, generator: torch.Generator) -> None:
    """Xavier-uniform weights for convolutions and linear layers, as in d2l; biases as torch draws them."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan_in = module.weight[0].numel()
            with torch.no_grad():
                weight = torch.empty(module.weight.shape)
                nn.init.xavier_uniform_(weight, generator=generator)
                module.weight.copy_(weight)
                if module.bias is not None:
                    bound = 1 / math.sqrt(fan_in)
                    module.bias.copy_(torch.empty(module.bias.shape).uniform_(-bound, bound, generator=generator))


@torch.no_grad()
def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of right predictions, in eval mode."""
    net.eval()
    batches = zip(torch.split(x, EVALUATION_BATCH), torch.split(y, EVALUATION_BATCH), strict=True)
    return sum(int((net(pictures).argmax(1) == labels).sum()) for pictures, labels in batches) / len(x)


def _tensors(images: ImageSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """A small labelled set as one tensor on the device: a loader that opens one by one is many times slower."""
    if images.array is None or images.labels is None:
        raise ExplainError(f"Image set {images.name!r} cannot be trained on: it needs labels and an array.")
    if not len(images) or images.array.shape[1:] != (28, 28):
        raise ExplainError(f"Image set {images.name!r} has shape {images.array.shape}; recipes train on (N, 28, 28).")
    if images.labels.min() < 0 or images.labels.max() >= len(images.classes):
        raise ExplainError(f"Image set {images.name!r} has pictures without a label; each needs one to be trained on.")
    x = torch.from_numpy(images.array).to(device).float().div(255)[:, None]
    return x, torch.from_numpy(images.labels).long().to(device)
