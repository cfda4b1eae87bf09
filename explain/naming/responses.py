"""How strongly the channels of a layer answer to each picture of an index: one more pass, as far as the layer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadFile
from ..index import Index
from ..index.responses import respond
from ..network.copying import is_alone
from ..network.trace import reached
from ..progress import Progress, unheard

__all__ = ["peaks"]

AT_ONCE = 16


def peaks(
    index: Index, layer: str, numbers: NDArray[np.int64], progress: Progress = unheard
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The numbers (N,) of those that can still be read, and each channel's strongest response to them (N, C)."""
    model, kept, found = index.model, [], []
    preprocess = model.preprocess
    with model.exclusive() as net, torch.inference_mode(False), torch.no_grad():
        step = 1 if is_alone(net) else AT_ONCE
        for start in range(0, len(numbers), step):
            progress(start, len(numbers))
            batch = []
            for number in numbers[start : start + step].tolist():
                try:
                    batch.append(preprocess.scaled(preprocess.crop(index.images[number])))
                except BadFile:
                    continue
                kept.append(number)
            if batch:
                found.append(respond(reached(net, torch.stack(batch).to(model.device), layer)).peak)
    empty = np.zeros((0, model.layer(layer).channels), np.float32)
    return np.array(kept, np.int64), np.concatenate([empty, *found])
