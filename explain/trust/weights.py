"""Maps while the weights are randomised: what stays the same was not learned (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..attribution.passes import generator
from ..errors import BadValue, NotSupported
from ..network.model import Model
from ..network.trace import calls
from ..progress import Progress, unheard
from .question import Heat, Question, likeness, phase, private, similarity

__all__ = ["Stage", "check_control", "randomisation", "randomise", "relabelled", "stages_of", "untrained"]

STAGES = 8
"""Stages of the randomisation: enough to see where a map gives way, few enough to wait for."""
DRAWS = 4
"""Untrained nets whose maps a map is compared with in the end."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The map (H, W) after these layers have been randomised, and how like the original it is still."""

    layers: tuple[str, ...]
    heat: Heat
    absolute: float
    signed: float
    ssim: float | None


def stages_of(net: nn.Module, batch: Tensor, most: int = STAGES) -> list[list[str]]:
    """The modules with weights of their own, from the head down: the head, then the others in groups."""
    own = [name for name, module in net.named_modules() if next(module.parameters(recurse=False), None) is not None]
    seen: dict[str, None] = {}

    def note(name: str, _call: int, _output: Any) -> None:
        seen.pop(name, None)  # its last call counts
        seen[name] = None

    with torch.inference_mode(False), torch.no_grad(), calls(net, own, note):
        net(batch.clone())
    order = [*reversed(seen), *(name for name in own if name not in seen)]
    if not order:
        raise NotSupported("This network has no weights, so there is nothing to randomise.")
    rest = np.array_split(np.array(order[1:], object), min(most - 1, max(len(order) - 1, 1)))
    return [group for group in ([order[0]], *(list(part) for part in rest)) if group]


def randomise(net: nn.Module, names: Sequence[str], chance: torch.Generator) -> None:
    """Weights as before any training, those of a kind at a scale that lets signals through (He et al. 2015).

    A module's own `reset_parameters` would draw from the generator of all sessions, and PyTorch's default scale lets
    the signal of a deep net fade to nothing once batch norm has forgotten its statistics: the maps of such a net
    differ from the original for no good reason. Where nothing is drawn, as in norms, the module resets itself.
    """
    with torch.inference_mode(False), torch.no_grad():
        for name in names:
            module = net.get_submodule(name)
            own = dict(module.named_parameters(recurse=False))
            reset = getattr(module, "reset_parameters", None)
            if callable(reset) and all(parameter.dim() < 2 for parameter in own.values()):
                reset()
                continue
            for kind, parameter in own.items():
                noise = torch.randn(parameter.shape, generator=chance, dtype=torch.float32)
                if parameter.dim() > 1:
                    noise *= (2 / parameter[0].numel()) ** 0.5
                elif kind == "bias":
                    noise.zero_()
                else:
                    spread = float(parameter.float().std()) if parameter.numel() > 1 else float(parameter.abs())
                    noise *= spread or 1.0
                parameter.copy_(noise.to(parameter))


def randomisation(
    net: nn.Module,
    question: Question,
    heat: Heat,
    *,
    seed: int = 0,
    cascading: bool = True,
    most: int = STAGES,
    progress: Progress = unheard,
) -> tuple[Stage, ...]:
    """The map while the layers of this net forget what they learned, from the head down (Adebayo et al. 2018).

    Cascading, each stage adds to those before it, and the net ends wholly random; else each is randomised alone.
    """
    chance, groups, found = generator(seed), stages_of(net, question.batch, most), []
    original = question.large(heat)
    for k, group in enumerate(groups):
        modules = [net.get_submodule(name) for name in group]
        kept = [] if cascading else [copy.deepcopy(module.state_dict()) for module in modules]
        randomise(net, group, chance)
        what = f"layer {group[0]}" if len(group) == 1 else f"layers {group[-1]} to {group[0]}"
        with phase(progress, k, k + 1, len(groups), f"randomising {what}"):
            now = question.large(np.nan_to_num(question.answer(net)))
        found.append(_stage(group, original, now))
        for module, state in zip(modules, kept, strict=False):
            module.load_state_dict(state)
    return tuple(found)


def untrained(
    net: nn.Module, question: Question, heat: Heat, *, seed: int = 0, progress: Progress = unheard
) -> tuple[tuple[float, float], ...]:
    """Rank correlation (absolute, signed) of the map with those of nets of other weights throughout.

    Several, since two coarse maps that have nothing to do with each other are often alike by chance.
    """
    chance, found, original = generator(seed + 1), [], question.large(heat)
    names = [name for group in stages_of(net, question.batch) for name in group]
    for k in range(DRAWS):
        randomise(net, names, chance)
        with phase(progress, k, k + 1, DRAWS, f"untrained network {k + 1} of {DRAWS}"):
            now = question.large(np.nan_to_num(question.answer(net)))
        found.append((likeness(np.abs(original), np.abs(now)), likeness(original, now)))
    return tuple(found)


def check_control(model: Model, control: Model) -> None:
    """Raises BadValue for one that is not the same network but for its weights."""
    ours, theirs = ([(layer.name, layer.shape) for layer in one.layers] for one in (model, control))
    if ours != theirs:
        raise BadValue(
            f"Model {control.name!r} is no control for {model.name!r}: its layers are others. Train the same network "
            "on shuffled labels: shuffle_labels=True."
        )
    if model.preprocess != control.preprocess:
        raise BadValue(f"Model {control.name!r} is no control for {model.name!r}: it prepares pictures in another way.")


def relabelled(control: Model, question: Question, heat: Heat) -> Stage:
    """The map of a network that was trained on shuffled labels: what stays the same needs no labels (Adebayo et al.
    2018)."""
    return _stage([], question.large(heat), question.large(np.nan_to_num(question.answer(private(control)))))


def _stage(layers: Sequence[str], original: Heat, now: Heat) -> Stage:
    absolute, signed = likeness(np.abs(original), np.abs(now)), likeness(original, now)
    return Stage(tuple(layers), now, absolute, signed, similarity(original, now))
