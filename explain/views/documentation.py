"""What the function of a view is called, the types of its parameters, and its help: all by their kinds.

`inspect.signature`, `help()` and the stub that type checkers and editors read (scripts/stubs.py) are made of it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from inspect import Parameter, Signature, signature
from operator import or_
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ..options import Option
from .inputs import EntryName, EntryOptions, Input, Several, literal

if TYPE_CHECKING:
    from .view import View

__all__ = ["document", "parameters", "spell"]

RESERVED = {
    "progress": "called with (done, total, message) as the work goes on; what it raises stops the work",
    "preview": "called with what there is so far",
    "kept": "where what took long to make is kept, by a name",
}
"""What doors hand in."""


WIDTH = 100

PER_ENTRY = object()
"""The default of an option that several entries have, each another."""


class _Signature(Signature):
    """In words without the modules that types come from, and where a default says nothing without it."""

    def __str__(self) -> str:
        text = f"({', '.join(parameters(self))}) -> {spell(self.return_annotation)}"
        return text.replace("ndarray[tuple[Any, ...], dtype[Any]]", "ndarray")

    def format(self, **_: Any) -> str:  # what pydoc asks from Python 3.13 on
        return str(self)


def document(function: Callable[..., Any], compute: Callable[..., Any], view: View) -> None:
    """Give a function, which stands for a view's compute, the view's name, and the signature and help users read."""
    function.__module__, function.__name__, function.__qualname__ = __name__.partition(".")[0], view.name, view.name
    found = _signature(compute, view)
    function.__signature__ = found  # type: ignore[attr-defined]
    function.__doc__ = "\n".join(_help(view, found))


def parameters(signature: Signature, name: Callable[[Any], str | None] = lambda _: None) -> Iterator[str]:
    """Each parameter as it is written, types as `spell` has them."""
    starred = False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        written = isinstance(one.default, str | int | float | None)
        default = "" if one.default is one.empty else f" = {literal(one.default) if written else '...'}"
        yield f"{'**' * (one.kind is one.VAR_KEYWORD)}{one.name}: {spell(one.annotation, name)}{default}"


def spell(annotation: Any, name: Callable[[Any], str | None] = lambda _: None) -> str:
    """A type as it is written; `name` says what it is called, where it is not by its class's own name."""
    if isinstance(annotation, list):  # what a Callable takes
        return f"[{', '.join(spell(one, name) for one in annotation)}]"
    if called := name(annotation):
        return called
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"Literal[{', '.join(map(literal, inner))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(spell(one, name) for one in inner)
    if is_array(annotation):
        return f"NDArray[{spell(get_args(inner[-1])[0] if get_args(inner[-1]) else inner[-1], name)}]"
    if origin is not None:
        return f"{spell(origin, name)}[{', '.join(spell(one, name) for one in inner)}]"
    return {None: "None", types.NoneType: "None", ...: "..."}.get(annotation) or annotation.__name__


def is_array(annotation: Any) -> bool:
    """Whether it is some NDArray, which is an alias from numpy 2.5 on, and stood for an ndarray before."""
    return getattr(get_origin(annotation), "__name__", "") in ("ndarray", "NDArray")


def _type_of(declared: Any, kind: Input) -> Any:
    """The type that `compute` declares for a parameter, with what its kind allows."""
    told, inner = kind.type_of(declared), get_args(declared)
    if told is not declared or not inner or get_origin(declared) is Callable:
        return told
    changed = tuple(_type_of(one, kind) for one in inner)
    if get_origin(declared) in (Union, types.UnionType):
        return reduce(or_, changed)
    return get_origin(declared)[changed]


def _signature(compute: Callable[..., Any], view: View) -> Signature:
    hints, rows = get_type_hints(compute, include_extras=True), list[Parameter]()
    for name, one in signature(compute).parameters.items():
        declared = get_args(hints[name])[0] if get_origin(hints[name]) is Annotated else hints[name]
        known = view.parameters.get(name)
        if known and isinstance(known.kind, EntryOptions) and not _several(view, known.kind):
            rows += _options(known.kind)
            continue
        annotation = _type_of(declared, known.kind) if known else declared
        if one.default is None and annotation is not declared is Any:
            annotation |= None
        rows.append(one.replace(annotation=annotation))
    return _Signature(rows, return_annotation=hints["return"])


def _several(view: View, kind: EntryOptions) -> bool:
    """Whether options are written ENTRY.OPTION."""
    return isinstance(view.parameters[kind.of].kind, Several)


def _options(kind: EntryOptions) -> Iterator[Parameter]:
    """Those of all entries, each once."""
    every: dict[str, list[Option]] = {}
    for entry in kind.entry.registry.values():
        for name, option in entry.options.items():
            every.setdefault(name, []).append(option)
    for name, some in every.items():
        annotation = reduce(or_, dict.fromkeys(option.annotation for option in some))
        defaults = {option.default for option in some}
        default = defaults.pop() if len(defaults) == 1 else PER_ENTRY
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _help(view: View, found: Signature) -> Iterator[str]:
    yield from (f"{view.summary[0].upper()}{view.summary[1:]}.", "", view.doc)
    if found.parameters:
        yield from ("", "Parameters:")
    entries: dict[str, Mapping[str, Any]] = {}
    for name, one in found.parameters.items():
        known = view.parameters.get(name)
        if known is None and name in RESERVED:
            yield _item(1, name, RESERVED[name])
        elif known is not None and isinstance(known.kind, EntryOptions):
            yield _item(1, name, f"of the {known.kind.of}, as **{{'NAME.OPTION': value}}; see below")
        elif known is not None:
            entry = getattr(known.kind, "of", known.kind)
            if isinstance(entry, EntryName):
                entries[name] = entry.registry
            yield _item(1, name, *_words(known.kind, one.default, name in entries))
    for name, registry in entries.items():
        options = any(one.is_options for one in view.parameters.values())
        yield from ("", f"Values of {name}{', each with its options' if options else ''}:")
        for entry in registry.values():
            yield _item(1, entry.name, entry.summary)
            if options:
                yield from (_item(2, option.name, option.said) for option in entry.options.values())
    yield from ("", "Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:")
    yield from (_item(1, option.name, option.said) for option in view.style.values())


def _item(depth: int, name: str, *words: str) -> str:
    first = " " * 4 * depth
    text = f"{name}: {'; '.join(filter(None, words))}"
    return fill(text, WIDTH, initial_indent=first, subsequent_indent=f"{first}    ", break_long_words=False)


def _words(kind: Input, default: Any, named: bool) -> Iterator[str]:
    option: Option | None = getattr(kind, "option", None)
    yield "see below" if named else kind.in_python or kind.help
    if option is not None:
        yield option.allowed
    if default not in (Parameter.empty, None, "", ()):
        yield f"by default {literal(default)}"
