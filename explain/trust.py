"""How far a saliency map can be trusted: what can be measured of it instead of looked at.

    question = Question(model, METHODS["gradient"], {}, batch, target, layer)
    check(question).verdict

All is measured on a copy of the net, so that the model is left bit for bit as it is and other sessions need not wait.

Curves (Petsiuk et al. 2018). Which pixels come first matters less to a network than how finely they are scattered: a
tenth of the pixels taken out by chance ruins any photograph. So a map is compared with itself moved elsewhere, which
is exactly as fine, and with a plain edge map averaged to the map's own cells; pixels by chance are told as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .attribution import COMPLETE, METHODS, of_channel, watched
from .attribution.gradients import baseline_of
from .attribution.passes import generator, outputs_of
from .errors import ExplainError, NotSupported
from .images import resize
from .model import Model
from .registry import Choices, Entry
from .trace import calls

__all__ = [
    "EDGES",
    "Completeness",
    "Curve",
    "Question",
    "Spread",
    "Stage",
    "Trust",
    "Verdict",
    "check",
    "completeness",
    "curves",
    "edges_like",
    "method_of",
    "private",
    "randomisation",
    "randomise",
    "similarity",
    "spearman",
    "stages_of",
    "untrained",
]

Heat = NDArray[np.float32]
Floats = NDArray[np.float64]
Progress = Callable[[float, str], object]

# Limits of the verdict.
WEIGHTS = 0.5
"""Rank correlation with the map of a net that has learned nothing, above which a map fails: more than half of it was
there before any training. The plain gradient stays below on trained nets (REQUIREMENTS V24), an edge map is at 1."""
GAP = 0.05
"""Share of the promised sum that a map may miss: what is missing is then less than the eye sees on the map."""
STEADY = 0.5
"""Rank correlation between maps of two seeds or baselines below which less than half of the map is the picture's."""

STAGES = 8
"""Stages of the randomisation: enough to see where a map gives way, few enough to wait for."""
MOVED = 5
"""Places that a map is moved to by chance; one that beats itself at all of them does so by luck once in six times."""
DRAWS = 4
"""Untrained nets whose maps a map is compared with in the end."""
OTHERS = ("gradient", "integrated_gradients", "grad_cam", "guided_backprop")
"""Methods that a map is compared with: each of another kind, each quick."""


# What is asked -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Question:
    """What a map answers: a method with all its options, asked about one picture (1, C, H, W) and one target.

    `layer` is where class activation maps look. With `unit`, a layer's name, the target is a channel of that layer.
    """

    model: Model
    entry: Entry
    options: Mapping[str, Any]
    batch: Tensor
    target: int
    layer: str
    unit: str | None = None

    def answer(self, net: nn.Module, entry: Entry | None = None, **options: Any) -> Heat:
        """The raw map (h, w) of this net; with an entry that of another method, with options those in place."""
        entry = entry or self.entry
        given = {**(self.options if entry is self.entry else entry.check({})), **options}
        heat = entry.function(*self._given(net), **given)[0]
        return np.asarray(heat.detach().float().cpu().numpy(), np.float32)

    def promise(self, net: nn.Module) -> float | None:
        """What the map says that it adds up to."""
        if self.entry.name not in COMPLETE or METHODS.get(self.entry.name) is not self.entry:
            return None
        of, _, *given = self._given(net)
        return float(COMPLETE[self.entry.name](of, *given, **self.options)[0])

    def asked(self, net: nn.Module) -> nn.Module:
        """The net whose outputs hold the target."""
        return of_channel(net, self.unit) if self.unit else net

    def large(self, heat: Heat) -> Heat:
        """A map at the picture's size."""
        height, width = self.batch.shape[-2:]
        return heat if heat.shape == (height, width) else np.asarray(resize(heat, (height, width)), np.float32)

    def _given(self, net: nn.Module) -> tuple[Any, ...]:
        place = f"net.{self.layer}" if self.unit else self.layer
        return self.asked(net), place, self.batch, torch.tensor([self.target]), self.model.ends


def private(model: Model) -> nn.Module:
    """A copy of the net, in eval mode with its weights frozen, that nobody else has. Raises NotSupported."""
    with model.exclusive() as net:
        try:
            return copy.deepcopy(net)
        except Exception as error:  # whatever a module's own copying raises
            raise NotSupported(f"Model {model.name!r} cannot be copied, as this check needs: {error}.") from error


def edges(_net: nn.Module, _layer: str, batch: Tensor, _target: Tensor, _ends: Any) -> Tensor:
    """Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of the network.

    It looks as convincing as many a map, which is why all are compared with it (Adebayo et al. 2018).
    """
    from skimage.filters import sobel

    grey = batch.mean(1).cpu().double().numpy()
    return torch.from_numpy(np.stack([sobel(one) for one in grey])).float()  # type: ignore[no-untyped-call]


EDGES = Entry("edges", edges, {}, "Edge detector")


def method_of(name: str) -> Entry:
    """One of METHODS, or "edges", the control. Raises Unknown."""
    return EDGES if name == EDGES.name else METHODS[name]


# Likeness of maps ----------------------------------------------------------------------------------------------------


def spearman(one: Heat, other: Heat) -> float:
    """Rank correlation of two maps; 0 with a map that is the same everywhere, unless both are equal."""
    from scipy.stats import rankdata

    if np.array_equal(one, other):
        return 1.0
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def similarity(one: Heat, other: Heat) -> float | None:
    """SSIM of two maps, each scaled to 0..1; None for maps too small for its window."""
    from skimage.metrics import structural_similarity

    window = min(7, *one.shape) - (min(7, *one.shape) + 1) % 2
    if window < 3:
        return None
    scaled = _unit(one), _unit(other)
    return float(structural_similarity(*scaled, data_range=1.0, win_size=window))  # type: ignore[no-untyped-call]


def _unit(heat: Heat) -> Floats:
    low, reach = float(heat.min()), float(np.ptp(heat))
    return (heat.astype(np.float64) - low) / (reach or 1.0)


# Deletion and insertion ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Curve:
    """The target's value (S+1,) while pixels are replaced in the order of a map."""

    values: Floats

    @property
    def area(self) -> float:
        """The mean of the value over the way."""
        return float(np.trapezoid(self.values, dx=1 / (len(self.values) - 1)))


def curves(
    net: nn.Module, question: Question, orders: Sequence[Heat], steps: int = 32
) -> tuple[list[Curve], list[Curve]]:
    """For each map (H, W) what deletion and what insertion make of the target's value, its highest pixels first.

    Deletion replaces them by the data's mean colour; insertion puts them into the blurred picture. The value is the
    probability of a class, or a channel's own.
    """
    batch, ends = question.batch, question.model.ends
    count, inner = batch.shape[-2] * batch.shape[-1], steps - 1
    ranks = torch.from_numpy(np.stack([_ranks(order) for order in orders])).to(batch.device).view(-1, *batch.shape[-2:])
    grey, blurred = baseline_of("mean", batch, ends), baseline_of("blur", batch, ends)
    # The ends are those of all orders, so they are asked for once; then each order's steps, first deleting.
    total = 3 + 2 * len(orders) * inner

    def make(start: int, stop: int) -> Tensor:
        return torch.cat([one(k) for k in range(start, stop)]).contiguous(memory_format=torch.channels_last)

    def one(k: int) -> Tensor:
        if k < 3:
            return (batch, grey, blurred)[k].contiguous()
        inserting, rest = divmod(k - 3, len(orders) * inner)
        order, step = divmod(rest, inner)
        first = ranks[order] < round((step + 1) * count / steps)
        return torch.where(first, batch, blurred) if inserting else torch.where(first, grey, batch)

    outputs = outputs_of(question.asked(net), total, make)
    values = (outputs if question.unit else outputs.softmax(1))[:, question.target].double().cpu().numpy()
    (whole, nothing, start), steps_of = values[:3], values[3:].reshape(2, len(orders), inner)
    return (
        [Curve(np.concatenate([[whole], between, [nothing]])) for between in steps_of[0]],
        [Curve(np.concatenate([[start], between, [whole]])) for between in steps_of[1]],
    )


def _ranks(heat: Heat) -> NDArray[np.int64]:
    """Each pixel's place when the highest comes first; equal ones in reading order."""
    ranks = np.empty(heat.size, np.int64)
    ranks[np.argsort(-heat.ravel(), kind="stable")] = np.arange(heat.size)
    return ranks


def edges_like(question: Question, shape: tuple[int, ...]) -> Heat:
    """The picture's edge map, as coarse as a map of this shape, at the picture's size."""
    found = edges(nn.Identity(), "", question.batch, torch.zeros(1), ())[:, None]
    if shape != tuple(found.shape[-2:]):
        found = nn.functional.adaptive_avg_pool2d(found, shape)  # type: ignore[arg-type]
    return question.large(found[0, 0].numpy())


def _moved(heat: Heat, chance: np.random.Generator) -> Heat:
    """The map elsewhere: what leaves it on one side comes in on the other. By at least a quarter of a side."""
    while True:
        by = [int(chance.integers(side)) for side in heat.shape]
        if any(min(step, side - step) >= side // 4 for step, side in zip(by, heat.shape, strict=True)):
            return np.roll(heat, by, (0, 1))


# Randomisation -------------------------------------------------------------------------------------------------------


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
    progress: Progress = lambda *_: None,
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
        with _phase(progress, k / len(groups), (k + 1) / len(groups), f"randomising {what}"):
            now = question.large(np.nan_to_num(question.answer(net)))
        absolute, signed = spearman(np.abs(original), np.abs(now)), spearman(original, now)
        found.append(Stage(tuple(group), now, absolute, signed, similarity(original, now)))
        for module, state in zip(modules, kept, strict=False):
            module.load_state_dict(state)
    return tuple(found)


def untrained(
    net: nn.Module, question: Question, heat: Heat, *, seed: int = 0, progress: Progress = lambda *_: None
) -> tuple[tuple[float, float], ...]:
    """Rank correlation (absolute, signed) of the map with those of nets of other weights throughout.

    Several, since two coarse maps that have nothing to do with each other are often alike by chance.
    """
    chance, found, original = generator(seed + 1), [], question.large(heat)
    names = [name for group in stages_of(net, question.batch) for name in group]
    for k in range(DRAWS):
        randomise(net, names, chance)
        with _phase(progress, k / DRAWS, (k + 1) / DRAWS, f"untrained network {k + 1} of {DRAWS}"):
            now = question.large(np.nan_to_num(question.answer(net)))
        found.append((spearman(np.abs(original), np.abs(now)), spearman(original, now)))
    return tuple(found)


# Completeness, spread, agreement -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Completeness:
    """What a map adds up to, and what its method says that it does."""

    total: float
    promise: float

    @property
    def gap(self) -> float:
        """What is missing, as a share of the promise."""
        return abs(self.total - self.promise) / max(abs(self.promise), 1e-12)


def completeness(net: nn.Module, question: Question, heat: Heat) -> Completeness | None:
    """None where the method promises nothing. The map is the raw one."""
    promise = question.promise(net)
    return None if promise is None else Completeness(float(heat.sum(dtype=np.float64)), promise)


@dataclass(frozen=True)
class Spread:
    """How alike the maps of one method are over so many of its seeds or baselines: mean rank correlation of two."""

    over: str
    count: int
    correlation: float


def _variants(question: Question) -> tuple[str, list[Any]]:
    """The option whose choice should not matter, and its other values."""
    options = question.entry.options
    if "seed" in options:
        first = int(question.options["seed"])
        return "seed", [first + 1, first + 2] if first < 2**30 else [first - 1, first - 2]
    if "baseline" in options and isinstance(options["baseline"].bounds, Choices):
        return "baseline", [one for one in options["baseline"].bounds.values if one != question.options["baseline"]]
    return "", []


def _spread(net: nn.Module, question: Question, heat: Heat, progress: Progress) -> Spread | None:
    over, values = _variants(question)
    if not values:
        return None
    maps = [heat]
    for k, value in enumerate(values):
        with _phase(progress, k / len(values), (k + 1) / len(values), f"the same map with {over} {value}"):
            maps.append(question.answer(net, **{over: value}))
    return Spread(over, len(maps), float(np.mean([spearman(a, b) for a, b in combinations(maps, 2)])))


def _agreement(
    net: nn.Module, question: Question, heat: Heat, progress: Progress
) -> tuple[dict[str, float], dict[str, str]]:
    """Rank correlation of absolute values with the maps of other methods; and those that refuse, with the reason."""
    agreed, refused = {}, {}
    names = [name for name in OTHERS if name in METHODS and name != question.entry.name]
    for k, name in enumerate(names):
        with _phase(progress, k / len(names), (k + 1) / len(names), f"the map of {METHODS[name].label}"):
            try:
                other = question.large(question.answer(net, METHODS[name]))
            except ExplainError as error:
                refused[name] = str(error)
                continue
        agreed[name] = spearman(np.abs(question.large(heat)), np.abs(other))
    return agreed, refused


# All of it -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """passes, doubtful or fails; and why, with the numbers."""

    level: str
    words: str


@dataclass(frozen=True, eq=False)
class Trust:
    """What was measured of one map. `deletion` and `insertion` hold curves for the orders in ORDERS."""

    heat: Heat
    deletion: Mapping[str, tuple[Curve, ...]]
    insertion: Mapping[str, tuple[Curve, ...]]
    stages: tuple[Stage, ...]
    untrained: tuple[tuple[float, float], ...]
    completeness: Completeness | None
    spread: Spread | None
    agreement: Mapping[str, float]
    refused: Mapping[str, str]

    @property
    def left(self) -> tuple[float, float]:
        """What remains of the map, absolute and signed, when all weights are others: mean rank correlations."""
        absolute, signed = np.mean(self.untrained, 0).tolist()
        return absolute, signed

    def areas(self, order: str) -> tuple[float, float]:
        """Mean areas under deletion and insertion."""
        return tuple(float(np.mean([c.area for c in of[order]])) for of in (self.deletion, self.insertion))  # type: ignore[return-value]

    def gains(self, order: str) -> Floats:
        """Insertion less deletion, for each curve of an order: the higher, the sooner it finds what counts."""
        pairs = zip(self.insertion[order], self.deletion[order], strict=True)
        return np.array([into.area - out.area for into, out in pairs])

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Every number by its name."""
        found = {}
        for order, name in ORDERS.items():
            found[f"deletion area, {name}"], found[f"insertion area, {name}"] = self.areas(order)
            found[f"insertion less deletion, {name}"] = float(self.gains(order).mean())
            if len(self.gains(order)) > 1:
                found[f"insertion less deletion, {name}, standard deviation"] = float(self.gains(order).std(ddof=1))
        for k, stage in enumerate(self.stages, 1):
            found[f"rank correlation, stage {k}, absolute"] = stage.absolute
            found[f"rank correlation, stage {k}, signed"] = stage.signed
            if stage.ssim is not None:
                found[f"SSIM, stage {k}"] = stage.ssim
        found["rank correlation, untrained, absolute"], found["rank correlation, untrained, signed"] = self.left
        if self.completeness:
            found["sum of the map"], found["promised sum"] = self.completeness.total, self.completeness.promise
            found["completeness gap"] = self.completeness.gap
        if self.spread:
            found[f"rank correlation over {self.spread.count} {self.spread.over}s"] = self.spread.correlation
        found |= {f"rank correlation with {name}": value for name, value in self.agreement.items()}
        return found

    @cached_property
    def verdict(self) -> Verdict:
        """By the limits above: fails if one of the two main checks does, doubtful if anything else is amiss."""
        if np.ptp(self.heat) == 0:
            value = float(self.heat.flat[0])
            what = "No positive evidence: the" if value <= 0 else "The"
            return Verdict("fails", f"{what} map is {value:.3g} everywhere, so it marks nothing.")
        levels, words = zip(self._on_weights(), self._on_curves(), *self._on_the_rest(), strict=True)
        level = next(level for level in ("fails", "doubtful", "passes") if level in levels)
        return Verdict(level, " ".join(words).replace(" -", " −"))

    def _on_weights(self) -> tuple[str, str]:
        absolute, signed = self.left
        number = f"a rank correlation of {signed:.2f} with the map of untrained networks (limit {WEIGHTS})"
        if signed == 1:
            return "fails", f"It ignores the weights: {number}."
        if signed > WEIGHTS:
            return "fails", f"It hardly depends on the weights: {number}."
        if absolute > WEIGHTS:
            places = f"without signs it has a rank correlation of {absolute:.2f} with the map of untrained networks"
            return (
                "doubtful",
                f"Only its signs depend on the weights: {places} (limit {WEIGHTS}), with them {signed:.2f}.",
            )
        return "passes", f"It depends on the weights: {number}."

    def _on_curves(self) -> tuple[str, str]:
        ours, moved, plain = float(self.gains("map")[0]), self.gains("moved"), float(self.gains("edges")[0])
        mean, most = float(moved.mean()), float(moved.max())
        numbers = f"insertion less deletion is {ours:.2f}, against {mean:.2f} (at most {most:.2f}) for the same map "
        numbers += f"moved by chance and {plain:.2f} for an edge map"
        if ours <= mean:
            return "fails", f"It does not find what the target rests on: {numbers}."
        if ours <= most:
            return "doubtful", f"It hardly finds more of what the target rests on than chance does: {numbers}."
        if ours <= plain:
            return "doubtful", f"It finds no more of what the target rests on than edges do: {numbers}."
        return "passes", f"It finds what the target rests on: {numbers}."

    def _on_the_rest(self) -> Iterator[tuple[str, str]]:
        """What is amiss beside that, in one sentence."""
        amiss = []
        if self.completeness and self.completeness.gap > GAP:
            both = f"{self.completeness.total:.3g} instead of {self.completeness.promise:.3g}"
            amiss.append(f"it adds up to {both}, {self.completeness.gap:.0%} off")
        if self.spread and self.spread.correlation < STEADY:
            amiss.append(
                f"another {self.spread.over} gives another map (rank correlation {self.spread.correlation:.2f})"
            )
        if amiss:
            text = ", and ".join(amiss)
            yield "doubtful", f"{text[0].upper()}{text[1:]}."


ORDERS = {"map": "the map", "moved": "the map moved by chance", "edges": "edges", "random": "pixels by chance"}
"""The orders in which pixels are replaced."""


def check(
    question: Question, *, steps: int = 32, seed: int = 0, cascading: bool = True, progress: Progress | None = None
) -> Trust:
    """Everything of one map. `progress` hears the share done and what is being done; what it raises stops the check.

    Raises ExplainError where the method refuses this network.
    """
    told = progress or (lambda *_: None)
    told(0.0, "copying the network")
    net = private(question.model)
    with _phase(told, 0.01, 0.03, "the map"):
        heat = question.answer(net)
    if not np.isfinite(heat).all():
        raise NotSupported(
            f"Method {question.entry.name!r} gives values that are not finite for this network and picture."
        )
    net = net.to(memory_format=torch.channels_last)  # on a CPU half the time
    large, chance = question.large(heat), np.random.default_rng(seed)
    orders = {
        "map": [large],
        "moved": [_moved(large, chance) for _ in range(MOVED)],
        "edges": [edges_like(question, heat.shape)],
        "random": [chance.random(large.shape, np.float32)],
    }
    with _phase(told, 0.03, 0.55, "deletion and insertion"):
        found = curves(net, question, [one for some in orders.values() for one in some], steps)
    taken = [iter(each) for each in found]
    deletion, insertion = ({name: tuple(next(t) for _ in some) for name, some in orders.items()} for t in taken)
    complete = completeness(net, question, heat)
    spread = _spread(net, question, heat, _within(told, 0.55, 0.62))
    agreed, refused = _agreement(net, question, heat, _within(told, 0.62, 0.75))
    # Last, since they spoil the copy.
    stages = randomisation(net, question, heat, seed=seed, cascading=cascading, progress=_within(told, 0.75, 0.92))
    others = untrained(net, question, heat, seed=seed, progress=_within(told, 0.92, 1.0))
    told(1.0, "done")
    return Trust(large, deletion, insertion, stages, others, complete, spread, agreed, refused)


def _within(progress: Progress, start: float, end: float) -> Progress:
    """The progress of a part of the work."""
    return lambda share, words: progress(start + (end - start) * min(share, 1.0), words)


@contextmanager
def _phase(progress: Progress, start: float, end: float, words: str) -> Iterator[None]:
    """While open, what methods tell of their work is that of a part of ours."""
    inner = _within(progress, start, end)
    inner(0.0, words)

    def watch(share: float) -> None:
        inner(share, words)

    with watched(watch):
        yield
