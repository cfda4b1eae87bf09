"""What becomes of a channel on the pictures that excite it when one that feeds it is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..index.channels import replaced
from ..network.copying import is_alone
from ..network.graph import INPUT
from ..network.trace import call_of, calls, reached, record
from ..progress import Progress, part, unheard
from ..trust.bootstrap import bootstrap
from .expanded import started
from .straight import Straight

__all__ = ["Effect", "effects", "foreseen"]


class Effect(NamedTuple):
    """The mean over pictures of how much a unit's response changes, with its 95 % interval; `direct` the mean where all
    other channels that feed it stay as they are, so that nothing works through them."""

    value: float
    low: float
    high: float
    direct: float


Positions = Sequence[Sequence[int]]


def effects(
    net: nn.Module,
    batch: Tensor,
    layer: str,
    channel: int,
    positions: Positions,
    sources: Sequence[str],
    taken: Sequence[tuple[str, int, float]],
    *,
    seed: int = 0,
    progress: Progress = unheard,
) -> list[Effect]:
    """For each (source, its channel, the value that stands in its place) of `taken`: the response of the layer's unit
    at each picture's own position, without it less with it. batch (N, C, H, W) of at least two pictures; `sources` are
    all that feed the layer."""
    step = 1 if is_alone(net) else len(batch)
    changes = np.concatenate(
        [
            _changes(
                net,
                batch[k : k + step],
                layer,
                channel,
                positions[k : k + step],
                sources,
                taken,
                part(progress, k / len(batch), min(1.0, (k + step) / len(batch))),
            )
            for k in range(0, len(batch), step)
        ],
        2,
    )
    return [Effect(*bootstrap(whole, seed), float(direct.mean())) for whole, direct in changes]


def _changes(
    net: nn.Module,
    batch: Tensor,
    layer: str,
    channel: int,
    positions: Positions,
    sources: Sequence[str],
    taken: Sequence[tuple[str, int, float]],
    progress: Progress,
) -> NDArray[np.float64]:
    """(taken, 2, N): in all ways, and with the other sources held, where there are any."""
    named = [name for name in sources if name != INPUT] if len(sources) > 1 else []
    held = record(net, batch, named)[1] if named else {}
    kept = {call_of(net, name): value for name, value in held.items()}

    def responses(given: Tensor, own: tuple[str, int | None] | None, hold: bool) -> NDArray[np.float64]:
        def on_output(module: str, call: int, _output: Tensor) -> Tensor | None:
            place = (module, call) if (module, call) in kept else (module, None)
            return None if place == own or place not in kept else kept[place].clone()

        holding = calls(net, [module for module, _ in kept], on_output) if hold else nullcontext()
        with torch.inference_mode(False), torch.no_grad(), holding:
            found = reached(net, given, layer)
        return np.array([float(found[(k, channel, *place)]) for k, place in enumerate(positions)])

    before, found = responses(batch, None, False), []
    for k, (source, one, value) in enumerate(taken):
        progress(k, len(taken))
        given, own = batch, None
        if source == INPUT:
            given = batch.clone()
            given[:, one] = value
        else:
            own = call_of(net, source)
        with nullcontext() if source == INPUT else replaced(net, source, {one: value}):
            after = responses(given, own, False)
            alone = responses(given, own, True) if kept else after  # what feeds it alone has no other way
        found.append([after - before, alone - before])
    return np.array(found).reshape(len(taken), 2, len(batch))


def foreseen(
    net: nn.Module,
    batch: Tensor,
    layer: str,
    channel: int,
    positions: Positions,
    means: Mapping[str, NDArray[np.float64]],
    *,
    straight: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """The same to first order, for all channels (C,) of each source at once: slope times what the mean is more than the
    value, summed over places and averaged over pictures. By the network's own slopes, which say what is worth
    measuring, or by the straight ones, which say what the expanded weights foresee."""
    step, found = 1 if is_alone(net) else len(batch), dict[str, NDArray[np.float64]]()
    for k in range(0, len(batch), step):
        some = _summed(net, batch[k : k + step], layer, channel, positions[k : k + step], means, straight)
        found = {name: found.get(name, 0) + value for name, value in some.items()}
    return {name: value / len(batch) for name, value in found.items()}


def _summed(
    net: nn.Module,
    batch: Tensor,
    layer: str,
    channel: int,
    positions: Positions,
    means: Mapping[str, NDArray[np.float64]],
    straight: bool,
) -> dict[str, NDArray[np.float64]]:
    mode = Straight() if straight else nullcontext()
    with torch.inference_mode(False), torch.enable_grad(), started(net, batch, list(means)) as (leaves, own), mode:
        output = reached(net, own, layer)
    score = torch.stack([output[(k, channel, *place)] for k, place in enumerate(positions)]).sum()
    held = {name: leaves[name] for name in means if name in leaves}
    slopes = torch.autograd.grad(score, list(held.values()), allow_unused=True)
    found = {}
    for (name, value), slope in zip(held.items(), slopes, strict=True):
        if slope is None:
            found[name] = np.zeros(value.shape[1])
            continue
        mean = torch.as_tensor(means[name], dtype=value.dtype, device=value.device)
        more = mean.view(1, -1, *[1] * (value.dim() - 2)) - value.detach()
        change = (slope * more).cpu().double().reshape(*value.shape[:2], -1)
        found[name] = change.sum((0, 2)).numpy()
    return found
