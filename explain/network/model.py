"""A network with what it needs to be asked: preprocessing, class names, layers; threads share it under one lock."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import BadValue, NotSupported, Unknown, reason_of, shorten
from ..figure import Look, Shown, versions
from ..progress import heard, patiently
from .behaviour import Behaviour, cut_off, has_slopes, observe
from .copying import ALONE, REGION
from .exact import exact
from .graph import Graph, trace_graph
from .heads import HEADS, Head, find_head
from .layers import Layer, Layers, outside, scan
from .layout import LAYOUTS, Layout
from .left_as_found import left_as_found, same_attributes, same_chance
from .opened import check_weights, opened
from .preprocess import Box, Preprocess
from .program import identity
from .region import Region
from .size import weights_of
from .trace import asking, record

__all__ = ["Box", "Layer", "Model", "Preprocess", "choose_device"]

AT_ONCE, USUAL = 32, 5  # pictures in one pass, and classes that are told of each
LAST = 24
"""Layers among which the last with a gradient is looked for."""
RAW = "_explain_raw"
"""An attribute of a net that is asked for its own output."""


T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Model(Shown):
    """A network behind a lock, with its preprocessing and class names. `about` holds recipe, weights, accuracy, source;
    `output` says what its output means, as `heads` reads it, where it is not to be found out.

    The net is reached only through `exclusive()`, where its outputs are scores (N, K); it is left as it was found.
    """

    name: str
    _net: nn.Module = field(repr=False)
    preprocess: Preprocess
    classes: tuple[str, ...] = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)
    output: Any = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, init=False)
    _layouts: dict[str, Layout] = field(default_factory=dict, repr=False, init=False)

    def __post_init__(self) -> None:
        net, notes = opened(self._net)
        if net is not self._net:
            about = {**self.about, "notes": [*self.about.get("notes", ()), *notes]} if notes else self.about
            vars(self).update(_net=net, about=about, _given=self._net if notes else None)

    def _line(self) -> str:
        channels, height, width = self._input_size
        return f"Model {self.name!r}: {len(self.classes)} classes, pictures ({channels}, {height}, {width})"

    def _look(self) -> Look:
        return Look(repr(self), table=self.layers.table)

    @contextmanager
    def exclusive(self) -> Iterator[nn.Module]:
        """The net for one thread at a time, in eval mode with its weights frozen, in full float32, its output turned to
        scores by the head; modes, gradients, hooks, requires_grad and buffers are put back afterwards, also after an
        exception, and the random state where the net draws from it."""
        head, behaviour = self._met
        with self._as_it_is() as net, same_chance() if not behaviour.repeatable else nullcontext():
            if ALONE in vars(net):  # within another `exclusive`, of a model that may be asked about another region
                outer, vars(net)[REGION] = vars(net)[REGION], head.region
                try:
                    yield net
                finally:
                    vars(net)[REGION] = outer
                return
            if behaviour.overwrites:
                net.register_forward_pre_hook(_on_a_copy)
            if not head.plain or self._kind != torch.float32:
                net.register_forward_hook(partial(_scores, head))
            vars(net).update({ALONE: behaviour.alone, REGION: head.region, LAYOUTS: self._layouts})
            try:
                yield net
            finally:
                for name in (ALONE, REGION, LAYOUTS):
                    del vars(net)[name]

    @contextmanager
    def _as_it_is(self) -> Iterator[nn.Module]:
        check_weights(self._net, self.name)
        with patiently(self._lock), exact(_device_of(self._net)), left_as_found(self._net) as net:
            if self._kind != torch.float32:  # a net of another precision takes the same pictures
                net.register_forward_pre_hook(lambda _net, given: (given[0].to(self._kind), *given[1:]))
            yield net

    @cached_property
    def head(self) -> Head:
        """What the output means: as it was asked for, or found from some passes."""
        return self._met[0]

    @property
    def outputs(self) -> int:
        """How many scores it gives."""
        return self.head.outputs

    @cached_property
    def behaviour(self) -> Behaviour:
        """What some passes show of the net: whether it repeats itself, and whether pictures of a batch meet."""
        return self._met[1]

    @property
    def caveats(self) -> tuple[str, ...]:
        """What every answer of it has to say: what its output was taken for, and what does not hold of it."""
        flat = (
            "" if self.has_slopes else "No gradient of this network's scores reaches the pixels; such maps are empty."
        )
        guessed = self.about.get("guessed", "")
        return (*filter(None, [guessed, self.head.found]), *self.behaviour.caveats, *filter(None, [flat]))

    @cached_property
    def has_slopes(self) -> bool:
        """Whether a gradient of its scores reaches the pixels."""
        count, _, height, width = self.behaviour.tried
        with self.exclusive() as net, same_attributes(net):
            return has_slopes(net, self._noise[:count, :, :height, :width].contiguous())

    @cached_property
    def _met(self) -> tuple[Head, Behaviour]:
        return self._or_as_given(self._meet)

    def _or_as_given(self, ask: Callable[[], T]) -> T:
        """What the net answers; where its copy in float32 takes no pictures, as one that casts by itself, the net as it
        was given."""
        try:
            return ask()
        except NotSupported:
            given = vars(self).pop("_given", None)
            if given is None:
                raise
            vars(self).update(_net=given, about={**self.about, "notes": self.about["notes"][:-1]})
            vars(self).pop("_kind", None)
            return ask()

    def _meet(self) -> tuple[Head, Behaviour]:
        with self._as_it_is() as net:
            try:
                observed = observe(net, self._noise)
            except Exception as error:  # whatever a stranger's code raises
                raise self._refused(error) from error
            try:
                head = find_head(observed.outputs, len(self.classes) or None, self.output)
                if head.kind == "softmax" and not self.output and (cut := cut_off(net)):
                    said = f"Its head {cut!r} is taken away: these are features, no scores of classes."
                    head = replace(head, kind="regression", found=said)
                count = head.scores(*observed.outputs[0]).shape[1]
                if self.classes and count != len(self.classes):
                    raise BadValue(f"it has {count} outputs but {len(self.classes)} class names were given.")
                return replace(head, outputs=count), observed.behaviour(head)
            except (NotSupported, BadValue) as error:
                raise type(error)(f"Model {self.name!r}: {error}") from None

    @property
    def _noise(self) -> Tensor:
        chance = torch.Generator().manual_seed(0)
        with torch.inference_mode(False):
            return torch.randn(2, *self._input_size, generator=chance, dtype=torch.float32).to(self.device)

    @property
    def _black(self) -> Tensor:
        with torch.inference_mode(False):
            return torch.zeros(1, *self._input_size, dtype=torch.float32, device=self.device)

    def renamed(self, name: str = "", classes: tuple[str, ...] = (), **about: Any) -> Model:
        """The same net under another name, with other names of classes, with what some passes showed of it already."""
        twin = copy.copy(self)
        vars(twin).pop("digest", None)
        vars(twin).update(name=name or self.name, classes=classes or self.classes, about={**self.about, **about})
        return twin

    def asked_about(self, region: Region) -> Model:
        """The same net, whose score of a class is the sum of its map over a region of the input; what was found of it
        is known already. Raises NotSupported for one that gives no maps of classes."""
        self.check_maps()
        with suppress(NotSupported):
            _ = self.last_maps  # by the gradients of the whole picture: those of a region are few
        twin = self.renamed()
        vars(twin)["_met"] = replace(self.head, region=region), self.behaviour
        vars(twin).pop("head", None)
        return twin

    def check_maps(self) -> None:
        """Raises NotSupported for a net that gives no map for each class."""
        if not self.head.is_segmentation:
            raise NotSupported(
                f"Model {self.name!r} gives {HEADS[self.head.kind].says}; regions and label maps are of networks that "
                "give maps of classes."
            )

    def chances_by_place(self, batch: Tensor) -> Tensor:
        """Of a segmentation the probabilities (N, classes, h, w), float32 on the CPU. Raises NotSupported."""
        self.check_maps()
        step = 1 if self.behaviour.alone else len(batch)
        with self.exclusive() as net, _raw(net), torch.inference_mode(False), torch.no_grad():
            found = [self.head.chances(net(some), len(some)).float().cpu() for some in torch.split(batch, step)]
        return torch.cat(found)

    @cached_property
    def _kind(self) -> torch.dtype:
        """Of the numbers that the net computes with."""
        return next((one.dtype for one in self._net.parameters() if one.is_floating_point()), torch.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of its weights and buffers, and of those that it was given, where it computes with a copy."""
        return sum(map(weights_of, filter(None, (self._net, vars(self).get("_given")))))

    def move(self, device: torch.device) -> None:
        """Before it is first asked."""
        self._net.to(device)

    def try_input(self) -> None:
        """Raises NotSupported for a net that does not take pictures of this size."""
        self._or_as_given(self._try_input)

    def _try_input(self) -> None:
        with self._as_it_is() as net, torch.inference_mode(False), torch.no_grad():
            try:
                net(self._noise[:1].clone())
            except Exception as error:  # whatever a stranger's code raises
                raise self._refused(error) from error

    def _refused(self, error: Exception) -> NotSupported:
        size = (1, *self._input_size)
        return NotSupported(f"Model {self.name!r} does not take a picture {size}: {reason_of(error)}.")

    @property
    def _input_size(self) -> tuple[int, int, int]:
        return self.preprocess.channels, *self.preprocess.size

    @cached_property
    def device(self) -> torch.device:
        """Where its weights are."""
        return _device_of(self._net)

    @cached_property
    def digest(self) -> str:
        """sha256 of weights, layers, what is computed with them, what the output means, preprocessing and classes."""
        region = self.head.region
        meant = [*self.head.path, self.head.kind, *([region.size, region.runs] if region else [])]
        digest = hashlib.sha256(json.dumps([self.preprocess.fields, self.classes, meant]).encode())
        with self._as_it_is() as net, _raw(net):
            for line in identity(net, self._black):
                digest.update(line)
        return digest.hexdigest()

    @cached_property
    def input_range(self) -> tuple[Tensor, Tensor]:
        """Black and white as the net's input takes them, each (1, C, 1, 1); 0 and 1 of bands that are floats."""
        black, white = (np.full((1, 1, self.preprocess.channels), value, np.uint8) for value in (0, 255))
        scaled = self.preprocess.scaled
        return scaled(black)[None].to(self.device), scaled(white)[None].to(self.device)

    @cached_property
    def scanned(self) -> tuple[Layer, ...]:
        """Layers and blocks, in execution order."""
        with self.exclusive() as net:
            found = scan(net, self._black)
        self._layouts.update({layer.name: layer.layout for layer in found if layer.layout is not None})
        return found

    @cached_property
    def layers(self) -> Layers:
        """One row per layer call, in execution order."""
        return Layers(layer for layer in self.scanned if not layer.block)

    @cached_property
    def graph(self) -> Graph:
        """Which layer feeds which; rows of a convolution, its norm and its activation are one node."""
        with self.exclusive() as net:
            return trace_graph(net, self._black, self.layers)

    @cached_property
    def outside(self) -> tuple[Layer, ...]:
        """What `layers` do not count, a row a module: products outside any layer, parameters of none."""
        with self.exclusive() as net:
            return outside(net, self._black, self.layers)

    @cached_property
    def blocks(self) -> tuple[Layer, ...]:
        """Layers that are made of layers, such as a residual block; they can be looked into as well."""
        return tuple(layer for layer in self.scanned if layer.block)

    def layer(self, name: str | nn.Module) -> Layer:
        """The layer or block of that name, or that is that module. Raises Unknown, also where a name stands for several
        calls, and NotSupported for one that gives no tensor."""
        if isinstance(name, str) and (found := self._by_name.get(name)):
            return found
        modules = dict(self._net.named_modules(remove_duplicate=False))  # one may be known by several names
        module = modules.get(name) if isinstance(name, str) else name
        names = [own for own, one in modules.items() if one is module and own]
        for own in names:
            if own in self._by_name:
                return self._by_name[own]
        calls = [layer.name for layer in self.scanned if layer.name.rpartition(":")[0] in names]
        if calls:
            raise Unknown("layer", names[0], calls, f"It is called {len(calls)} times; choose one call.")
        if names:
            raise NotSupported(f"Layer {names[0]!r} is not called for a picture, or gives no tensor; choose another.")
        raise Unknown("layer", str(name), [layer.name for layer in self.layers])

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.scanned}

    @cached_property
    def last_maps(self) -> Layer:
        """The last layer or block with maps as fine as the last convolution's: what class activation maps use.

        Where places are tokens, or channels come last, the last block or norm at whose places the scores have a
        gradient: what a class token takes no more notice of is not it. Of a network that segments, whose last maps are
        the answer itself, the last with the most channels: where a backbone ends, or a U is deepest.
        """
        if self.head.is_segmentation:
            places = [one for one in self.scanned if one.spatial and one.units > one.channels]
            able = [one for one in places if one.channels != self.outputs] or places
            most = max((one.channels for one in able), default=0)
            return self._last_that_counts([one for one in able if one.channels == most])
        if any(layer.layout for layer in self.scanned):
            able = [one for one in self.scanned if one.spatial and one.units > one.channels]
            return self._last_that_counts(
                [one for one in able if one.block or "Norm" in one.kind or "Conv" in one.kind]
            )
        convolutions = [layer for layer in self.scanned if "Conv" in layer.kind and layer.spatial]
        if not convolutions:
            raise NotSupported(f"Model {self.name!r} has no convolution with maps (C, H, W).")
        # What convolves an average of maps, as a head or squeeze-and-excitation does, has one place for the picture.
        convolutions = [layer for layer in convolutions if layer.units > layer.channels] or convolutions
        size = convolutions[-1].shape[1:]
        return [layer for layer in self.scanned if layer.spatial and layer.shape[1:] == size][-1]

    def _last_that_counts(self, able: Sequence[Layer]) -> Layer:
        """The last at whose places the scores have a gradient. Raises NotSupported."""
        able = able[-LAST:]
        if able:
            with self.exclusive() as net, torch.inference_mode(False), torch.enable_grad():
                scores, held = record(net, asking(self._noise[:1]), [one.name for one in able], gradients=True)
                able = [one for one in able if held[one.name].requires_grad]  # and not made of weights alone
                slopes = torch.autograd.grad(scores.amax(1).sum(), [held[one.name] for one in able], allow_unused=True)
            for layer, slope in reversed(list(zip(able, slopes, strict=True))):
                if slope is not None and float((slope.abs().sum(1) > 0).float().mean()) > 0.5:
                    return layer
        raise NotSupported(f"Model {self.name!r} has no layer with places that its scores depend on.")

    def batch(self, images: Any) -> Tensor:
        """Pictures (one, a sequence, or a tensor (N, C, H, W)) as the net's input (N, C, H, W) on its device."""
        many = _several(images)
        return torch.stack([self.preprocess.tensor(image) for image in many]).to(self.device)

    def scores(self, images: Any) -> Tensor:
        """Scores (N, classes) before they are probabilities, float32 on the CPU; some pictures at a time."""
        many = _several(images)
        if len(many) <= AT_ONCE:
            return self.ask(self.batch(many))
        found = []
        with heard(None, self.name, "pictures") as progress:
            for start in range(0, len(many), AT_ONCE):
                progress(start, len(many))
                found.append(self.ask(self.batch(many[start : start + AT_ONCE])))
        return torch.cat(found)

    def ask(self, batch: Tensor) -> Tensor:
        """The same of a batch that is the net's input already. Raises NotSupported where they are not finite."""
        step = 1 if self.behaviour.alone else len(batch)
        with self.exclusive() as net, torch.inference_mode(False), torch.no_grad():
            scores = torch.cat([net(batch[k : k + step]).float().cpu() for k in range(0, len(batch), step)])
        if scores.shape[1] != len(self.classes):
            raise BadValue(f"Model {self.name!r} has {scores.shape[1]} outputs but {len(self.classes)} classes.")
        if not scores.isfinite().all():
            raise NotSupported(
                f"Model {self.name!r} gives scores that are not finite: its weights or its input hold NaN or infinity, "
                "or numbers too large for it."
            )
        return scores

    def predict(self, images: Any, k: int | None = None) -> list[list[tuple[str, float]]]:
        """The k likeliest classes of each picture with their probabilities, likeliest first; of outputs that have no
        probability, the scores. By default 5, or all where there are fewer. Raises BadValue for more than there are."""
        most = len(self.classes)
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= most):
            raise BadValue(f"k={shorten(k)} is not a whole number from 1 to {most:,}, the classes of {self.name!r}.")
        values = self.chances(self.scores(images))
        top = values.topk(min(USUAL, most) if k is None else k)
        return [
            [(self.classes[i], p) for i, p in zip(indices, values, strict=True)]
            for indices, values in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]

    def chances(self, scores: Tensor) -> Tensor:
        """Probabilities (..., classes) of scores; the scores themselves where they have none."""
        found = self.head.probabilities(scores)
        return scores if found is None else found

    def target(self, target: int | str | None, image: Any) -> int:
        """A class by number or name; None is the predicted one. Raises Unknown."""
        if target is None or (isinstance(target, str) and not target):
            return int(self.scores(image).argmax())
        if isinstance(target, str) and target in self.classes:
            return self.classes.index(target)
        try:
            number = target.item() if hasattr(target, "item") else target  # of an array or tensor with one number
            if not isinstance(number, bool) and 0 <= int(number) < len(self.classes) and int(number) == float(number):
                return int(number)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            pass
        raise Unknown(
            "class",
            target if isinstance(target, (str, int)) else str(target),
            self.classes,
            f"Or a number from 0 to {len(self.classes) - 1}."
            if len(self.classes) > 1
            else "It has one output; give it two names as classes to ask for either side.",
        )

    def facts(self, **more: Any) -> dict[str, Any]:
        """What a figure needs so that it can be traced back and redrawn."""
        return {"model": self.name, "model_digest": self.digest, **more, "versions": versions()}


def _several(images: Any) -> Sequence[Any]:
    """Pictures one by one, of a sequence or a tensor (N, C, H, W), or the only one. Raises BadValue for none."""
    batch = isinstance(images, Tensor) and images.ndim == 4
    many = images if isinstance(images, Sequence) and not isinstance(images, (str, bytes)) else [images]
    many = list(images) if batch else many
    if not len(many):
        raise BadValue("There are no pictures; give at least one.")
    return many


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """auto is CUDA where there is one, else MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
        if place.type not in ("cpu", "cuda", "mps"):
            raise TypeError
    except (RuntimeError, AssertionError, TypeError):
        valid = ["auto", "cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
        raise Unknown("device", str(device), valid) from None
    return place


def _scores(head: Head, net: nn.Module, given: tuple[Any, ...], output: Any) -> Tensor | None:
    """A hook that puts the scores in the place of what the net returns."""
    if RAW in vars(net):
        return None
    return replace(head, region=vars(net).get(REGION)).scores(output, len(given[0])).float()


def _on_a_copy(_net: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """A hook for nets that write into their input, which is somebody's picture."""
    return given[0].clone(), *given[1:]


@contextmanager
def _raw(net: nn.Module) -> Iterator[None]:
    """While open, the net returns what it returns by itself, also within `exclusive`."""
    vars(net)[RAW] = True
    try:
        yield
    finally:
        del vars(net)[RAW]


def _device_of(net: nn.Module) -> torch.device:
    return next(net.parameters(), torch.empty(0)).device
