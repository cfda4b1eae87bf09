"""Inputs about one network: the model, its layers, channels, units and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import BadValue, Unknown, shorten
from ..facts import Facts
from .kind import Given, Input, Opener, literal

if TYPE_CHECKING:
    from ...network.model import Model


class ModelInput(Input):
    metavar, own, url, opened, positional = "MODEL", "model", "model", True, True
    follows = ("model",)  # a second one
    help = "a name from `models`, torchvision:NAME, timm:NAME, hf:NAME, a folder or a checkpoint"

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
