"""What an index says of its labelled pictures: the class of each, its probability, and the scores of all classes.

An index keeps the five likeliest classes, and as the loss the probability of the right one. The scores of all classes
are the last layer's answer to the features that it keeps as well; what it answers is compared with what was kept, so
that they are those of the pass or none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import BadValue, NotSupported, shorten
from ..index import Index
from ..network.heads import HEADS

__all__ = ["ONE_IS_RIGHT", "Evidence", "evidence", "has_seen", "last_layer_scores"]

Floats = NDArray[np.floating]
ONE_IS_RIGHT = ("softmax", "probabilities", "binary")  # heads whose probabilities add up to one
CLOSE = 1e-3  # of a probability that was kept, and the same one computed again
ROWS = 4096  # at a time
TINY = 1e-300  # of a probability whose logarithm is taken


@dataclass(frozen=True, eq=False)
class Evidence:
    """Pictures (n,) by their numbers in the index, labels (n,) as classes of its model, and the likeliest classes
    (n, 5) with their probabilities, likeliest first."""

    index: Index
    images: NDArray[np.int64]
    labels: NDArray[np.int64]
    top: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.index.model.classes

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,), whether the likeliest class is the label."""
        return np.asarray(self.top[:, 0] == self.labels)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(n,), the probability of the likeliest class."""
        return self.probabilities[:, 0]

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """(n,), the probability of the label, however unlikely it is: the loss is its logarithm."""
        return np.exp(-self.index.loss[self.images].astype(np.float64))

    @cached_property
    def scores(self) -> NDArray[np.float64] | None:
        """(n, C), logarithms of the probabilities of all classes, see `last_layer_scores`."""
        return last_layer_scores(self.index, self.images)

    def among(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Evidence:
        """Some of its pictures."""
        return Evidence(
            self.index, self.images[chosen], self.labels[chosen], self.top[chosen], self.probabilities[chosen]
        )


def rows_judged(index: Index, where: str) -> list[int]:
    """The pictures that a condition holds for, where they are judged then. Raises BadValue, Unknown."""
    if index.judges(where):
        raise BadValue(f"Whether a picture is right is what is judged here: where={shorten(where)} says it beforehand.")
    return index.rows_where(where)


def evidence(index: Index, where: str = "", purpose: str = "") -> Evidence:
    """Of the pictures that have an answer and a label that is a class of the model, of those only where a condition
    holds.

    Raises NotSupported where no probabilities of classes of which one is right are kept, BadValue where there is no
    such picture, Unknown for a condition.
    """
    kind = index.model.head.kind
    purpose = purpose or "This"
    if kind not in ONE_IS_RIGHT:
        raise NotSupported(
            f"{purpose} needs probabilities of classes of which one is right; {index.model.name!r} gives "
            f"{HEADS[kind].says}."
        )
    images = np.flatnonzero((index.right >= 0) & np.isfinite(index.loss))
    if where:
        images = images[np.isin(images, rows_judged(index, where))]
    if not len(images):
        raise BadValue(
            f"{purpose} needs labels: none of the pictures of {index.manifest.data!r} that are asked about has a label "
            f"that is a class of {index.model.name!r}, and an answer."
        )
    top = index.predictions[images].astype(np.int64)
    return Evidence(index, images, index.truth[images], top, index.probabilities[images].astype(np.float64))


def has_seen(index: Index) -> bool | None:
    """Whether the model was trained on the pictures of the index, by what is known of its training; None where that is
    not known."""
    trained = index.model.about.get("data") or {}
    if not trained.get("digest") and not trained.get("name"):
        return None
    known = index.manifest
    return known.data == trained.get("name") or bool(known.data_digest and known.data_digest == trained.get("digest"))


def last_layer_scores(index: Index, images: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Logarithms of the probabilities (n, C) of pictures that have an answer, by the last layer and the features that
    were kept: no picture goes through the network. None where that is not how the network comes to its answers."""
    model, parts = index.model, list[torch.Tensor]()
    # A softmax within the network is left out: what goes into it are scores.
    head = replace(model.head, path=(), kind="binary" if model.head.kind == "binary" else "softmax")
    try:
        with model.exclusive() as net, torch.inference_mode():
            layer = net.get_submodule(index.manifest.head)
            kind = next((one.dtype for one in layer.parameters()), torch.float32)
            for start in range(0, len(images), ROWS):
                given = torch.from_numpy(index.features[images[start : start + ROWS]]).to(model.device, kind)
                answer = layer(given[:, :, None, None] if isinstance(layer, nn.Conv2d) else given)
                chances = head.probabilities(head.scores(answer.cpu().double(), len(given)))
                assert chances is not None
                parts.append(chances)
    except (RuntimeError, TypeError, ValueError, AttributeError, NotSupported):
        return None  # a layer that takes something else than the vector that is kept
    found = torch.cat(parts).numpy() if parts else np.zeros((0, len(model.classes)))
    if found.shape[1] != len(model.classes):
        return None
    kept = np.take_along_axis(found, index.predictions[images].astype(np.int64), 1)
    if np.abs(kept - index.probabilities[images]).max(initial=0) > CLOSE:
        return None
    return np.log(np.maximum(found, TINY))
