"""A function's signature read from its source, without importing what its module imports.

The command line's help and the tables of views are made of it in milliseconds: a view's own module loads torch.
What an annotation or a default needs is looked up in the sources too; types that are of no use here become Opaque.
"""

from __future__ import annotations

import ast
import builtins
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from inspect import Parameter, cleandoc
from pathlib import Path
from typing import Any

__all__ = ["Signature", "constant", "read_signature"]

LIGHT = ("collections.abc", "typing", "explain.errors", "explain.options", "explain.progress", "explain.views.inputs")
"""Modules that may be imported to evaluate a signature."""


class _Anything(type):
    """Whatever is made of it is itself."""

    def _itself(cls, *_: Any, **__: Any) -> Any:
        return cls

    __or__ = __ror__ = __getitem__ = __getattr__ = __call__ = _itself
    __iter__ = None  # it would never end


class Opaque(metaclass=_Anything):
    """A type, or what is made of it, whose module is not loaded."""


@dataclass(frozen=True)
class Signature:
    """parameters: by name as inspect has them, annotations evaluated. doc: the function's docstring."""

    parameters: Mapping[str, Parameter]
    doc: str


@cache
def read_signature(module: str, function: str) -> Signature | None:
    """None where the module has no such function."""
    names = _names(module)
    node = names.functions.get(function)
    if node is None:
        return None
    given, found = node.args, {}
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    rows: list[tuple[ast.arg, ast.expr | None, Any]]
    rows = [(one, default, Parameter.POSITIONAL_OR_KEYWORD) for one, default in zip(plain, defaults, strict=True)]
    for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        rows.append((one, default, Parameter.KEYWORD_ONLY))
    if given.kwarg:
        rows.append((given.kwarg, None, Parameter.VAR_KEYWORD))
    for one, default, kind in rows:
        value = Parameter.empty if default is None else names.evaluate(default)
        hint = Parameter.empty if one.annotation is None else names.evaluate(one.annotation)
        found[one.arg] = Parameter(one.arg, kind, default=value, annotation=hint)
    return Signature(found, cleandoc(ast.get_docstring(node) or ""))


def constant(module: str, name: str) -> Any:
    """The value of a module's constant, from its source."""
    return _names(module)[name]


class _Names(dict[str, Any]):
    """What the names of a module stand for, looked up one by one."""

    def __init__(self, module: str) -> None:
        super().__init__()
        file = _file(module)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        self.module, self.is_package = module, file.stem == "__init__"
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.assigned: dict[str, ast.expr] = {}
        self.imported: dict[str, tuple[str, str]] = {}
        typed = [node for outer in tree.body if isinstance(outer, ast.If) for node in outer.body]  # TYPE_CHECKING
        for node in (*tree.body, *typed):
            if isinstance(node, ast.ImportFrom):
                self.imported |= {one.asname or one.name: (self._origin(node), one.name) for one in node.names}
            elif isinstance(node, ast.Assign):
                self._assign(node.targets[0], node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assign(node.target, node.value)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.assigned[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, own in zip(target.elts, value.elts, strict=False):
                self._assign(one, own)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module if self.is_package else self.module.rpartition(".")[0]
        return resolve_name("." * node.level + (node.module or ""), package)

    def evaluate(self, node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), self.module, "eval"), {}, self)

    def __missing__(self, name: str) -> Any:
        self[name] = value = self._find(name)
        return value

    def _find(self, name: str) -> Any:
        if name in self.assigned:
            return self.evaluate(self.assigned[name])
        if name in self.imported:
            origin, what = self.imported[name]
            if origin in LIGHT:
                return getattr(importlib.import_module(origin), what)
            if origin.partition(".")[0] == __name__.partition(".")[0]:
                is_module = _file(f"{origin}.{what}").is_file()
                return _Module(f"{origin}.{what}") if is_module else _names(origin)[what]
            return Opaque
        return getattr(builtins, name, Opaque)


class _Module:
    """A module of ours by its constants."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return constant(self._name, name)


@cache
def _names(module: str) -> _Names:
    return _Names(module)


def _file(module: str) -> Path:
    """Where a module of ours lies; its packages are not imported to find it."""
    path = Path(__file__).parents[1].joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
