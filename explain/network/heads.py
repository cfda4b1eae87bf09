"""What a network's output means: where in it the scores are, and how they become probabilities.

The only place that calls softmax or sigmoid. A head is asked for by a text, PATH:KIND, PATH or KIND:
"softmax", "logits", "out:segmentation", "0:sigmoid"; what is not asked for is found from the outputs of some passes,
and `found` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import BadValue, NotSupported, Unknown, enumerate_some, shorten
from .region import Region

__all__ = ["HEADS", "Head", "find_head", "head_of", "labels_of"]

Path = tuple[str | int, ...]
TINY = 1e-12  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Kind:
    """scores (N, K) of the picked tensor, which gradients go through; probabilities (N, K) of scores, or None."""

    says: str
    scores: Callable[[Tensor], Tensor]
    probabilities: Callable[[Tensor], Tensor] | None


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def _logarithms(chances: Tensor) -> Tensor:
    return chances.clamp_min(TINY).log()


def _log_odds(chances: Tensor) -> Tensor:
    return chances.clamp(TINY, 1 - 1e-7).logit()


def _where_likeliest(maps: Tensor) -> Tensor:
    most = maps.argmax(1, keepdim=True)
    own = torch.arange(maps.shape[1], device=maps.device).view(1, -1, 1, 1)
    return (maps * (most == own)).sum((2, 3))


def _both_sides(logit: Tensor) -> Tensor:
    return torch.cat([-logit, logit], 1)


HEADS: dict[str, Kind] = {
    "softmax": Kind("scores of classes of which one is right", lambda x: x, _softmax),
    "sigmoid": Kind("scores of labels, each right or not", lambda x: x, torch.sigmoid),
    "binary": Kind("one score: of the second class, against the first", _both_sides, torch.sigmoid),
    "probabilities": Kind("probabilities of classes, whose scores are their logarithms", _logarithms, _softmax),
    "chances": Kind(
        "probabilities of labels, each on its own, whose scores are their log odds", _log_odds, torch.sigmoid
    ),
    "regression": Kind("numbers, which have no probability", lambda x: x, None),
    "segmentation": Kind("maps of classes; a class's score is the sum of its map", lambda x: x.sum((2, 3)), None),
    "segmentation_predicted": Kind("the same, where the class is the likeliest", _where_likeliest, None),
}


@dataclass(frozen=True)
class Head:
    """What an output means. `path` leads to its tensor; `found` says how it was found where it was not asked for; it is
    `plain` where the output is the scores already. `outputs` is how many there are.

    Of a segmentation, `region` is what its maps are summed over, by default as the kind says; `places` is the kind of
    what stands at each of their places.
    """

    kind: str = "softmax"
    path: Path = ()
    found: str = ""
    plain: bool = False
    outputs: int = 0
    region: Region | None = None
    places: str = "softmax"

    @property
    def has_chances(self) -> bool:
        """Whether its scores have probabilities."""
        return HEADS[self.kind].probabilities is not None

    @property
    def is_segmentation(self) -> bool:
        return self.kind.startswith("segmentation")

    def pick(self, output: Any, pictures: int) -> Tensor:
        """The tensor of an output that the scores of so many pictures are made of. Raises NotSupported."""
        for step in self.path:
            try:
                output = _entries(output)[step]
            except KeyError:
                raise NotSupported(
                    f"The network's output has no {shorten(step)}; it has {_listed(output) or type(output).__name__}."
                ) from None
        if not isinstance(output, Tensor):
            raise NotSupported(f"The network's output is no tensor but a {type(output).__name__}{_choices(output)}")
        if output.dim() < 2 and output.numel() % pictures == 0:  # squeezed: scores of one picture, or one of each
            return output.reshape(pictures, -1)
        return output

    def scores(self, output: Any, pictures: int) -> Tensor:
        """Scores (N, K), differentiable, of whatever the net returns for so many pictures."""
        if self.is_segmentation:
            maps = self._maps(output, pictures)
            if self.region is None:
                return HEADS[self.kind].scores(maps)
            return (maps * self.region.shares(maps.shape[2:]).to(maps)).sum((2, 3))
        values = self._numbers(output, pictures)
        return HEADS[self.kind].scores(values.flatten(1) if values.dim() == 4 else values)

    def chances(self, output: Any, pictures: int) -> Tensor:
        """Of a segmentation the probabilities (N, classes, h, w) at each place of its maps. Raises NotSupported."""
        of = HEADS[self.places]
        assert of.probabilities is not None
        return of.probabilities(of.scores(self._maps(output, pictures).movedim(1, -1))).movedim(-1, 1)

    def _maps(self, output: Any, pictures: int) -> Tensor:
        values = self._numbers(output, pictures)
        if not self.is_segmentation or values.dim() != 4:
            raise NotSupported(f"The network gives {_shape(values)}, not maps (N, classes, H, W).")
        return values

    def _numbers(self, output: Any, pictures: int) -> Tensor:
        values = self.pick(output, pictures)
        if not values.is_floating_point():
            raise NotSupported(f"The network gives {values.dtype}, not scores.")
        return values

    def probabilities(self, scores: Tensor) -> Tensor | None:
        """Of scores (..., K); None where they have none."""
        turned = HEADS[self.kind].probabilities
        return None if turned is None else turned(scores)

    def loss(self, scores: Tensor, target: Tensor) -> Tensor:
        """Cross entropy (N,) with the right class, of labels that of each one; NaN of what has no probability."""
        turned = HEADS[self.kind].probabilities
        if turned is None:
            return torch.full((len(scores),), torch.nan)
        if turned is _softmax:
            return F.cross_entropy(scores, target, reduction="none")
        right = F.one_hot(target, scores.shape[1]).to(scores)
        return F.binary_cross_entropy_with_logits(scores, right, reduction="none").mean(1)

    def __str__(self) -> str:
        return ":".join([*(".".join(map(str, self.path)) and [".".join(map(str, self.path))]), self.kind])


def labels_of(chances: Tensor) -> Tensor:
    """The likeliest class (N, h, w) at each place of probabilities (N, classes, h, w); -1 where there is but one class,
    and it is unlikelier than not."""
    labels = chances.argmax(1)
    return labels if chances.shape[1] > 1 else labels.masked_fill(chances[:, 0] <= 0.5, -1)


def head_of(text: Any) -> tuple[Path | None, str | None]:
    """Path and kind of what was asked for, None for what was not. Raises Unknown, BadValue."""
    if text is None or text == "":
        return None, None
    if isinstance(text, int) and not isinstance(text, bool):
        return (text,), None
    if not isinstance(text, str):
        raise BadValue(f"output={shorten(text)} is not text such as 'softmax', 'logits' or 'out:segmentation'.")
    path, _, kind = text.rpartition(":")
    if not path and kind not in HEADS:
        path, kind = kind, ""
    if kind and kind not in HEADS:
        raise Unknown("kind of output", kind, HEADS)
    steps = tuple(int(step) if step.isdecimal() else step for step in path.split(".")) if path else None
    return steps, kind or None


def find_head(outputs: Sequence[tuple[Any, int]], classes: int | None, asked: Any = None) -> Head:
    """The head of a net by its outputs, each with how many pictures it is for, given how many classes there should be.

    Raises NotSupported for an output that is no scores, BadValue where one has to be chosen.
    """
    path, kind = head_of(asked)
    said = []
    if path is None:
        path, words = _path(outputs, classes)
        said += words
    head = Head(kind or "softmax", path)
    values = [head.pick(*output) for output in outputs]
    if kind is None:
        kind, words = _kind(values, classes)
        said += words
    same = kind in ("softmax", "sigmoid", "regression") and not path
    same = same and all(isinstance(output, Tensor) and output.dim() == 2 for output, _ in outputs)
    head = replace(head, kind=kind, found=" ".join(said), plain=same)
    if head.is_segmentation and values[0].dim() == 4:
        rows = [value.movedim(1, -1).flatten(0, -2) for value in values]
        head = replace(head, places=_kind(rows, None)[0])
    if head.scores(*outputs[0]).dim() != 2:
        raise NotSupported(f"The network gives {_shape(values[0])}, which is no {HEADS[kind].says}.")
    return head


def _path(outputs: Sequence[tuple[Any, int]], classes: int | None) -> tuple[Path, list[str]]:
    output = outputs[0][0]
    if isinstance(output, Tensor):
        return (), []
    if isinstance(output, (list, tuple)) and output and all(isinstance(one, Mapping) for one in output):
        raise NotSupported(
            f"The network gives a list of {', '.join(map(str, output[0]))} for each picture: "
            "networks that detect objects are not explained here."
        )
    tensors = {path: value for path, value in _leaves(output) if value.is_floating_point()}
    fit = [path for path, value in tensors.items() if value.dim() in (2, 4) and value.shape[1] == classes]
    alone = dict(_leaves(outputs[-1][0]))  # of one picture: tells its dimension from another as long
    fit = [path for path in fit if path not in alone or alone[path].shape[:1] == (outputs[-1][1],)]
    named = [path for path in tensors if path[-1] in ("logits", "out")]
    for found in (fit, named, list(tensors)):
        if len(found) == 1:
            what = ".".join(map(str, found[0]))
            return found[0], [f"Of the network's outputs {what!r} is read."] if len(tensors) > 1 else []
    listed = _listed(output)
    if not listed:
        raise NotSupported(f"The network gives a {type(output).__name__}, in which there are no scores.")
    first = ".".join(map(str, next(iter(tensors), ("0",))))
    raise BadValue(f"The network gives several outputs; say which has the scores, as output={first!r}: {listed}.")


def _kind(values: Sequence[Tensor], classes: int | None) -> tuple[str, list[str]]:
    """What the numbers of some passes look like."""
    first = values[0]
    if first.dim() == 4 and first.shape[2:] != (1, 1):
        if classes is not None and first.shape[1] != classes:
            one = "; give one name, of what the map is of" if first.shape[1] == 1 else ""
            raise NotSupported(f"The network gives {_shape(first)}, and {classes} classes: not a map for each{one}.")
        return "segmentation", [
            "The network gives a map for each class: a score is its sum over the picture, or the region asked about."
        ]
    if first.dim() not in (2, 4):
        one = "; one map is (N, 1, H, W)" if first.dim() == 3 else ""
        raise NotSupported(
            f"The network gives {_shape(first)}; scores are (N, classes), or maps (N, classes, H, W){one}."
        )
    numbers = torch.cat([value.detach().float().reshape(len(value), -1) for value in values])
    count = numbers.shape[1]
    within = bool(((numbers >= 0) & (numbers <= 1)).all())
    if count > 1 and within and torch.allclose(numbers.sum(1), torch.ones(len(numbers)).to(numbers), atol=1e-3):
        return "probabilities", ["The outputs lie in 0 to 1 and add up to one: they are read as probabilities."]
    if within and _ends_in(first, "Sigmoid"):
        return "chances", ["The outputs come out of a sigmoid: they are read as probabilities, each on its own."]
    if count == 1:
        if classes == 2:
            return "binary", ["The one output is read as the score of the second class, against the first."]
        return "sigmoid", ["The one output is read as a score whose probability is its sigmoid."]
    return "softmax", []


_SHAPING = ("View", "Reshape", "Squeeze", "Unsqueeze", "Select", "Clone", "Permute", "UnsafeView", "Upsample")
"""Operations that leave numbers within their range."""


def _ends_in(value: Tensor, kind: str) -> bool:
    """Whether an operation of that kind gave the value, but for changes of shape and size after it."""
    node = value.grad_fn
    while node is not None and node.name().startswith(_SHAPING):
        node = node.next_functions[0][0] if node.next_functions else None
    return node is not None and node.name().startswith(kind)


def _entries(output: Any) -> Mapping[str | int, Any]:
    """The parts of an output by key, field or number."""
    if isinstance(output, Mapping):
        return {key if isinstance(key, int) else str(key): value for key, value in output.items()}
    if is_dataclass(output):
        return {one.name: getattr(output, one.name) for one in fields(output)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return {**dict(enumerate(output)), **dict(zip(output._fields, output, strict=True))}
    if isinstance(output, (list, tuple)):
        return dict(enumerate(output))
    return {}


def _leaves(output: Any, before: Path = ()) -> Iterator[tuple[Path, Tensor]]:
    if isinstance(output, Tensor):
        yield before, output
        return
    named = {id(value): (key, value) for key, value in _entries(output).items()}  # a field's name, not its number
    for key, value in named.values():
        yield from _leaves(value, (*before, key))


def _listed(output: Any) -> str:
    return enumerate_some([f"{'.'.join(map(str, path))} {_shape(value)}" for path, value in _leaves(output)])


def _choices(output: Any) -> str:
    listed = _listed(output)
    return f"; it has {listed}." if listed else "."


def _shape(value: Tensor) -> str:
    return str(tuple(value.shape))
