"""What a view is: `compute` and `render` of one file, and all that follows from their two signatures.

A new view is such a file and a line of TABLE, in this folder's __init__.

    @view
    def compute(index: Annotated[Index, INDEX], *, k: Annotated[int, Range(1, 50)] = 8) -> Neighbours: ...

    @drawn
    def render(result: Neighbours, *, frame: Annotated[int, Range(0, 16)] = 5) -> Figure: ...

`view` checks what is given by the kinds of the parameters and writes the facts of the result; what `compute` itself
puts into `facts` is what it chose for a parameter that was left to it, by the parameter's name, and what else came out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, Protocol, TypeVar, get_args, get_origin

from ..errors import NotSupported, Unknown
from ..options import Option
from ..paper import PAPER
from ..progress import heard, listening
from ..shell import line_of
from .documentation import RESERVED, document
from .facts import Facts
from .inputs import EntryOptions, Input, Opener, PictureInput, Plain, literal
from .signature import Signature, read_signature

if TYPE_CHECKING:
    from ..figure import Figure

__all__ = ["Kept", "Parameter", "View", "caveats_of", "drawn", "view"]

P = ParamSpec("P")
R = TypeVar("R")


class Kept(Protocol):
    """What took long to make, by a name that says all it depends on."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, content: bytes) -> None: ...


@dataclass(frozen=True)
class Parameter:
    """One parameter of a view's `compute`, with its kind; `required` where it has no default."""

    name: str
    kind: Input
    default: Any
    passing: Any  # as inspect.Parameter.kind

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty and not self.is_options

    @property
    def is_options(self) -> bool:
        return self.passing is inspect.Parameter.VAR_KEYWORD


@dataclass(frozen=True)
class View:
    """A view by name, with what it is for. Its module is loaded when it is called.

    page: of the app, where it has one; there `chosen` is selected too. shares: another view of that page, with which
    parameters and styles of one name are one choice.
    """

    name: str
    summary: str
    page: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    shares: str = ""

    @property
    def module(self) -> str:
        return f"{__package__}.{self.name}"

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Of compute, in their order, without those that doors hand in."""
        every = self._signature("compute").parameters.items()
        return {
            name: Parameter(name, _kind(one), {} if one.kind is one.VAR_KEYWORD else one.default, one.kind)
            for name, one in every
            if name not in RESERVED
        }

    @cached_property
    def style(self) -> dict[str, Option]:
        """The options of render."""
        every = self._signature("render").parameters.values()
        keywords = [one for one in every if one.kind is one.KEYWORD_ONLY]
        return {one.name: Option.of(one.name, one.annotation, one.default) for one in keywords}

    @property
    def picture(self) -> str:
        """The parameter that is the picture asked about, so that many may be in turn; empty where there is none."""
        asked = (name for name, one in self.parameters.items() if one.required and isinstance(one.kind, PictureInput))
        return next(asked, "")

    @property
    def doc(self) -> str:
        return self._signature("compute").doc

    def takes(self, name: str) -> bool:
        """Whether compute has a use for what doors hand in: progress, preview, kept."""
        return name in self._signature("compute").parameters

    def _signature(self, function: str) -> Signature:
        found = read_signature(self.module, function)
        if found is None:
            raise ValueError(f"the view {self.name!r} has no {function}")
        return found

    @property
    def compute(self) -> Callable[..., Any]:
        found: Callable[..., Any] = import_module(self.module).compute
        return found

    @property
    def render(self) -> Callable[..., Figure]:
        found: Callable[..., Figure] = import_module(self.module).render
        return found

    def __call__(self, *args: Any, **given: Any) -> Any:
        """The result; what is given has the names of `parameters`, options of entries each their own."""
        return self.compute(*args, **given)

    # What is given, in its forms ---------------------------------------------------------------------------------

    def check(self, given: Mapping[str, Any], but: str = "") -> dict[str, Any]:
        """Every parameter's value, `but` one, checked in order, defaults for those left out."""
        values: dict[str, Any] = {}
        for name, one in self._all_but(but):
            value = given.get(name, one.default)
            values[name] = value if value is None else one.kind.check(value, values)
        return values

    def parse(self, texts: Mapping[str, str], open: Opener, but: str = "") -> dict[str, Any]:
        """The same of texts, as the command line and the URL have them; options of entries are names with texts."""
        values: dict[str, Any] = {}
        for name, one in self._all_but(but):
            if one.is_options:
                values[name] = one.kind.check(texts.get(name, {}), values)
            elif name in texts and texts[name] is not None:
                values[name] = one.kind.parse(texts[name], values, open)
            else:
                values[name] = one.default if one.default is None else one.kind.check(one.default, values)
        return values

    def _all_but(self, name: str) -> list[tuple[str, Parameter]]:
        return [(one, self.parameters[one]) for one in self.parameters if one != name]

    def facts(self, given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
        """The facts of a result: each parameter writes its own, after them stands what came out."""
        from ..figure import versions

        values = {name: found.get(name, given[name]) for name in self.parameters}
        facts: dict[str, Any] = {"view": self.name}
        for name, one in self.parameters.items():
            if values[name] is not None:
                written = one.kind.facts(values[name], values)
                facts |= written if name == one.kind.own else {name: written}
        facts |= {name: value for name, value in found.items() if name not in self.parameters}
        # An index is of the versions that built it.
        return facts | {"versions": {**versions(), **facts.get("versions", {}), **found.get("versions", {})}}

    def read(self, facts: Facts, open: Opener) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was given, and the style, by the facts of a figure. Raises ExplainError."""
        values: dict[str, Any] = {}
        for name in self.parameters:
            values[name] = self.read_one(name, facts, values, open)
        return values, self.read_style(facts)

    def read_one(self, name: str, facts: Facts, values: Mapping[str, Any], open: Opener) -> Any:
        """One parameter's value by the facts, given those before it."""
        one = self.parameters[name]
        if one.required or one.kind.present(facts, name):
            return one.kind.read(facts, name, values, open)
        return one.kind.check({}, values) if one.is_options else one.default

    def read_style(self, facts: Facts) -> dict[str, Any]:
        """The options of render and of the paper by the facts. Raises ExplainError."""
        parts = facts.part("style"), facts.part("paper")
        return self.check_style({name: part.plain(name) for part in parts for name in part.all if part.has(name)})

    @property
    def drawing(self) -> dict[str, Option]:
        """All that a figure's look depends on: the options of render, and of the paper."""
        return {**self.style, **PAPER}

    def check_style(self, style: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `drawing` that are given, checked. Raises Unknown, BadValue."""
        for name in style:
            if name not in self.drawing:
                raise Unknown("style", name, self.drawing)
        return {name: self.drawing[name].check(value) for name, value in style.items()}

    def flat(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """As `compute` takes it by keywords: options of entries stand among the others."""
        flat = {name: value for name, value in given.items() if not self.parameters[name].is_options}
        for name, one in self.parameters.items():
            if one.is_options:
                flat |= given.get(name) or {}
        return flat

    def keys(self, given: Mapping[str, Any], style: Mapping[str, Any]) -> dict[str, str]:
        """The same as the URL has it: by the names there, as text; empty for what is not chosen."""
        found = dict(self.chosen)
        for name, one in self.parameters.items():
            value = given.get(name)
            if one.is_options and isinstance(one.kind, EntryOptions):
                entry = given.get(one.kind.of)
                for key, each in (value or {}).items():
                    found[self.key(f"{entry}.{key}" if isinstance(entry, str) else key)] = _text(each)
            elif not one.kind.hidden:
                found[self.key(name)] = "" if value is None else one.kind.text(value, given)
        return found | {self.key(name): "" if value is None else _text(value) for name, value in style.items()}

    def key(self, name: str) -> str:
        """What a parameter, or an option of render, is called in the URL."""
        one = self.parameters.get(name)
        if one is not None and one.kind.url and (one.kind.own in ("", name)):
            return one.kind.url
        if self.shares:
            from . import VIEWS

            other = VIEWS[self.shares]
            if "." in name or name in other.parameters or name in other.style:
                return other.key(name)
        return f"{self.name}.{name}"

    def python(self, given: Mapping[str, Any], style: Mapping[str, Any], out: str) -> str:
        """The lines that compute it and save the figure."""
        lines, words = ["import explain", ""], []
        for name, one in self._told(given).items():
            expression = one.kind.python(given[name], given)
            if one.kind.opened:
                lines.append(f"{name} = {expression}")
                expression = name
            words.append(expression if one.required else f"{name}={expression}")
        options = self._changed_options(given)
        words += [f"{key}={literal(value)}" for key, value in options.items() if key.isidentifier()]
        dotted = {key: value for key, value in options.items() if not key.isidentifier()}
        words += [f"**{dotted!r}"] if dotted else []
        drawn = "".join(f", {name}={literal(value)}" for name, value in self._changed_style(style).items())
        return "\n".join(
            [*lines, f"result = explain.{self.name}({', '.join(words)})", f"result.save({literal(out)}{drawn})"]
        )

    def shell(self, given: Mapping[str, Any], style: Mapping[str, Any], out: str) -> str:
        """The command line that does the same."""
        words, flags = ["python", "-m", "explain", self.name], []
        for name, one in self._told(given).items():
            value, flag = given[name], name.replace("_", "-")
            text = one.kind.text(value, given)
            texts = text.split(",") if one.kind.words and '"' not in text else [text]
            if one.required and one.kind.positional:
                words += texts
            elif isinstance(value, bool):
                flags.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                flags += [f"--{flag}", *texts]
        for key, value in self._changed_options(given).items():
            flags += ["--option", f"{key}={_text(value)}"]
        for key, value in self._changed_style(style).items():
            flags += ["--style", f"{key}={_text(value)}"]
        return line_of([*words, *flags, "--out", out])

    def _told(self, given: Mapping[str, Any]) -> dict[str, Parameter]:
        """The parameters that have to be said: those whose value is not their default."""
        named = {name: one for name, one in self.parameters.items() if not one.is_options and not one.kind.hidden}
        return {name: one for name, one in named.items() if name in given and not _same(given[name], one.default)}

    def _changed_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, one in self.parameters.items():
            if isinstance(one.kind, EntryOptions) and given.get(name):
                options = one.kind.options({**{k: p.default for k, p in self.parameters.items()}, **given})
                found = {key: value for key, value in given[name].items() if value != options[key].default}
        return found

    def _changed_style(self, style: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in style.items() if not _same(value, self.drawing[name].default)}


def declared_in(module: str) -> View:
    """The view whose compute and render a module holds."""
    from . import VIEWS

    return VIEWS[module.rpartition(".")[2]]


def view(compute: Callable[P, R]) -> Callable[P, R]:
    """compute, by the view's name, with what it is given checked by its parameters' kinds, and the facts of its result
    written by them."""
    order = inspect.signature(compute)

    @wraps(compute)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        declared, bound = declared_in(compute.__module__), order.bind(*args, **kwargs)
        handed = {key: bound.arguments.pop(key) for key in RESERVED if key in bound.arguments}
        given = declared.check(bound.arguments)
        try:
            with heard(handed.pop("progress", None), declared.name) as progress, ExitStack() as stack:
                if "progress" in order.parameters:
                    handed["progress"] = progress
                else:
                    stack.enter_context(listening(progress))
                result = compute(**declared.flat(given), **handed)  # type: ignore[call-arg]
        except _UNFOLLOWED as error:
            reason = _reason(error)
            if reason is None or not _networks(given):
                raise
            raise NotSupported(f"{declared.name} cannot be made of this network: {reason}.") from error
        facts = declared.facts(given, result.facts)  # type: ignore[attr-defined]
        said = caveats_of(given)
        return replace(result, facts=facts | ({"caveats": said} if said else {}))  # type: ignore[type-var]

    document(checked, compute, declared_in(compute.__module__))
    return checked


def drawn(render: Callable[P, Figure]) -> Callable[P, Figure]:
    """render with its style checked, and recorded in the figure's facts; it takes the options of the paper too."""

    @wraps(render)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Figure:
        declared = declared_in(render.__module__)
        given = declared.check_style(kwargs)
        paper = {key: given.pop(key) for key in PAPER if key in given}
        values = {key: option.default for key, option in declared.style.items()} | given
        figure = render(*args, **values)
        note = " ".join(filter(None, [figure.note, *figure.facts.get("caveats", ())]))
        return replace(figure, note=note, facts={**figure.facts, "style": values}).on(**paper)

    return checked


_UNFOLLOWED = (RuntimeError, NotImplementedError)
"""What torch raises where it cannot follow a network of a stranger's."""


def _reason(error: Exception) -> str | None:
    """The first line of what torch raised; None for what is not the network's fault."""
    import torch

    text = str(error).strip().partition("\n")[0][:200]
    ours = isinstance(error, torch.OutOfMemoryError) or type(error) not in (*_UNFOLLOWED, *_torchs())
    return None if ours or not text else text.rstrip(".")


def _torchs() -> tuple[type[Exception], ...]:
    from torch.utils.checkpoint import CheckpointError

    return (CheckpointError,)


def _networks(given: Mapping[str, Any]) -> list[Any]:
    found = [getattr(value, "model", value) for value in given.values()]
    return [one for one in found if hasattr(one, "caveats")]


def caveats_of(given: Mapping[str, Any]) -> list[str]:
    """What the networks that were asked have to say of all their answers."""
    return list(dict.fromkeys(said for one in _networks(given) for said in one.caveats))


def _kind(parameter: inspect.Parameter) -> Input:
    hint = parameter.annotation
    if get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Input):
        kind: Input = get_args(hint)[1]
        return kind
    return Plain(Option.of(parameter.name, hint, parameter.default))


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default; pictures and models never are."""
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return list(value) == list(default)
    return value is default or (isinstance(value, str | int | float) and value == default)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
