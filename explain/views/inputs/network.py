"""Inputs about one network: the model, its layers, channels, units and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import BadValue, Unknown, shorten
from ..facts import Facts
from .kind import Given, Input, Opener, literal

if TYPE_CHECKING:
    from ...network.model import Model
    from ...network.region import Region

PREDICTED, MASK = "predicted", "mask:"
MOST_RUNS = 10_000  # of a mask: some fifty kilobytes, which a URL can carry too


class ModelInput(Input):
    metavar, own, url, opened, positional = "MODEL", "model", "model", True, True
    follows = ("model",)  # a second one
    help = "a name from `models`, torchvision:NAME, timm:NAME, hf:NAME, a folder or a checkpoint"
    in_python = "from load_model or wrap"

    def __init__(self, help: str = "") -> None:
        self.help = help or self.help

    def check(self, value: Any, given: Given) -> Any:
        if not hasattr(value, "preprocess"):
            raise BadValue(f"{shorten(value)} is no Model; explain.load_model(name) and explain.wrap(net) give one.")
        return value

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.model(text)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"model": value.name, "model_digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Model:
        """Raises Unknown, or BadValue where it has other weights now."""
        facts = facts if name == self.own else facts.part(name)
        return model_of(facts, open)

    def text(self, value: Any, given: Given) -> str:
        return str(getattr(value, "name", value))

    def python(self, value: Any, given: Given) -> str:
        return f"explain.load_model({literal(self.text(value, given))})"


class Layer(Input):
    """A layer of the model, or of the index's; of another parameter's model where `of` names it."""

    metavar, help, url, follows = "LAYER", "a name that `anatomy` lists", "layer", ("model",)

    def __init__(self, help: str = "", *, of: str = "", url: str = "layer") -> None:
        self.of, self.url, self.help = of, url, help or self.help

    def type_of(self, declared: Any) -> Any:
        from torch.nn import Module

        return str | Module if declared is str else declared

    def check(self, value: Any, given: Given) -> Any:
        if value in (None, ""):
            return None
        if self.of and given[self.of] is None:
            raise BadValue(f"A layer of the {self.of} model was given, {shorten(value)}, but no {self.of} model.")
        return model_in(given, self.of).layer(value if hasattr(value, "named_modules") else str(value)).name


class Channel(Input):
    """A channel of the layer that another parameter names."""

    metavar, help, url, follows = "CHANNEL", "a number from 0", "channel", ("model", "layer")

    def __init__(self, help: str = "", *, of: str = "layer") -> None:
        self.of, self.help = of, help or self.help

    def check(self, value: Any, given: Given) -> int:
        from ...network.layers import channel_of

        number: int = channel_of(model_in(given).layer(given[self.of]), value)
        return number


class PositionInput(Input):
    metavar, help, words = "N", "row and column; by default its strongest response", "+"
    follows = ("model", "layer", "channel")

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return self.check(text.split(","), given) if text else None

    def check(self, value: Any, given: Given) -> tuple[int, ...]:
        layer = model_in(given).layer(given["layer"])
        size = layer.shape[1:]
        try:
            place = tuple(int(k) for k in value)
        except (TypeError, ValueError):
            place = (-1,)
        if len(place) != len(size) or not all(0 <= k < n for k, n in zip(place, size, strict=True)):
            ends = f"from {(0,) * len(size)} to {tuple(n - 1 for n in size)}"
            valid = ends if size else "(): it gives a vector"
            raise BadValue(f"Position {shorten(value)} of layer {layer.name!r} is not {valid}.")
        return place

    def facts(self, value: Any, given: Given) -> list[int]:
        return list(value)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        return self.check(facts.numbers(name), given)

    def text(self, value: Any, given: Given) -> str:
        return ",".join(map(str, value))


class TargetInput(Input):
    """A class, or a channel where a unit is asked about; compute says which it was: a Target."""

    metavar, own, follows = "CLASS", "target", ("model",)
    help = "a class by number or name, or a unit's channel; by default the likeliest"

    def __init__(self, help: str = "", *, url: str = "target") -> None:
        self.url, self.help = url, help or self.help

    def type_of(self, declared: Any) -> Any:
        return int | str if declared is Any else declared

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"target": value.name, "target_index": value.number}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> int:
        model_in(given)  # without it a number says nothing
        return (facts if name == self.own else facts.part(name)).number("target_index")

    def present(self, facts: Facts, name: str) -> bool:
        return facts.has("target_index" if name == self.own else name)

    def text(self, value: Any, given: Given) -> str:
        return str(value.number if hasattr(value, "number") else value)

    def python(self, value: Any, given: Given) -> str:
        return repr(value.number if hasattr(value, "number") else value)


class RegionInput(Input):
    """What a class of a segmentation is asked about: where it is predicted, a box, or a mask, whose facts are the
    lengths of its runs row by row."""

    metavar, follows = "REGION", ("model",)
    help = "of a segmentation what is asked about: predicted, or a box y0,x0,y1,x1 in pixels of the network's input"
    in_python = '"predicted", a box (y0, x0, y1, x1) or a mask (H, W)'

    def type_of(self, declared: Any) -> Any:
        from numpy.typing import NDArray

        return str | Sequence[int] | NDArray[Any] if declared is Any else declared

    def check(self, value: Any, given: Given) -> Any:
        """Raises NotSupported where the model gives no maps of classes."""
        from ...network.region import Region

        text = value if isinstance(value, str) else None
        if text == "":
            return None
        model = model_in(given)
        model.check_maps()
        size = model.preprocess.size
        if text == PREDICTED:
            return text
        if text and text.startswith(MASK):
            value = Region(size, _numbers(text.removeprefix(MASK).split(",")))
        if isinstance(value, Region):
            return _checked(value, size)
        if getattr(value, "ndim", 0) == 2:
            return _masked(value, size)
        box = _numbers(text.split(",") if text else value)
        if len(box) != 4 or not (0 <= box[0] < box[2] <= size[0] and 0 <= box[1] < box[3] <= size[1]):
            raise BadValue(
                f"Region {shorten(value)} is neither {PREDICTED!r} nor a box y0, x0, y1, x1 with 0 <= y0 < y1 <= "
                f"{size[0]} and 0 <= x0 < x1 <= {size[1]}, which the network's input is."
            )
        return box

    def facts(self, value: Any, given: Given) -> Any:
        return value if isinstance(value, str) else list(value) if isinstance(value, tuple) else {"runs": value.runs}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        value = facts.all.get(name)
        if isinstance(value, str):
            return self.check(facts.text(name), given)
        if isinstance(value, Mapping):
            return self.check(f"{MASK}{','.join(map(str, facts.part(name).numbers('runs')))}", given)
        return self.check(facts.numbers(name), given)

    def text(self, value: Any, given: Given) -> str:
        if isinstance(value, str):
            return value
        return ",".join(map(str, value)) if isinstance(value, tuple) else f"{MASK}{','.join(map(str, value.runs))}"

    def python(self, value: Any, given: Given) -> str:
        return literal(value if isinstance(value, tuple) else self.text(value, given))


def _numbers(values: Any) -> tuple[int, ...]:
    """Whole numbers, as they are written or counted; none of what is something else."""
    try:
        return tuple(int(one) for one in values if int(one) == float(one))
    except (TypeError, ValueError, OverflowError):
        return ()


def _masked(mask: Any, size: tuple[int, int]) -> Region:
    """The pixels of a mask (H, W) that somebody has given. Raises BadValue."""
    import numpy as np

    from ...network.region import Region

    array = np.asarray(mask.cpu() if hasattr(mask, "cpu") else mask)
    if array.dtype != np.bool_ or array.shape != size:
        said = f"{array.dtype} {array.shape}"
        raise BadValue(f"A region's mask is boolean, of the input's size {size}; this one is {said}.")
    return _checked(Region.of_mask(array), size)


def _checked(region: Region, size: tuple[int, int]) -> Region:
    """A region that figures can hold. Raises BadValue."""
    if region.size != size or sum(region.runs) != size[0] * size[1] or min(region.runs) < 0:
        raise BadValue(f"The region's runs do not add up to the network's input, which is {size}.")
    if not sum(region.runs[1::2]):
        raise BadValue(f"The region is empty; it needs at least one pixel of the network's input, which is {size}.")
    if len(region.runs) > MOST_RUNS:
        raise BadValue(
            f"The region's mask has {len(region.runs)} runs of pixels along its rows, too many for a figure to hold; "
            f"at most {MOST_RUNS}."
        )
    return region


def model_of(facts: Facts, open: Opener) -> Model:
    name, digest = facts.text("model"), facts.text("model_digest")
    given = open.given_model
    if given is None and open.given_index is not None:
        given = open.given_index.model
    if given is not None and given.digest == digest:
        return given
    if open.knows_model(name):
        found: Model = open.model(name)
        if found.digest == digest:
            return found
    elif given is None:
        raise Unknown("model in the facts:", name, (), "Give the model that the figure was made with.")
    which = "the one given" if given is not None else "those it has here"
    raise BadValue(
        f"The figure was made with other weights of {shorten(name)} than {which}; give the model it was made with."
    )


def model_in(given: Given, of: str = "") -> Model:
    """The model among the values before; another parameter's where `of` names it."""
    if of:
        found: Model = given[of]
    elif "index" in given:
        found = given["index"].model
    else:
        found = given["model"]
    return found
