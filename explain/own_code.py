"""What a user's own Python holds by a name: `package.module:name` or `path/to/file.py:name`.

This runs code, so only who starts the process may name one: on the command line, in the library, in explain.toml.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .errors import BadFile, BadValue, Unknown, reason_of, shorten
from .project import project

__all__ = ["is_code", "run"]

_NAME = re.compile(r"(?P<module>([A-Za-z]:[\\/])?[^:?*\n]+?):(?P<name>[A-Za-z_]\w*)")  # Windows' drives before it


def is_code(text: str) -> bool:
    """Whether a name says module or file and what in it; the module need not be there."""
    match = _NAME.fullmatch(text)
    return match is not None and (match["module"].endswith(".py") or _importable(match["module"]))


def run(
    text: str, arguments: Mapping[str, Any] | None = None, ready: tuple[type, ...] = ()
) -> tuple[Any, dict[str, Any]]:
    """What the function or class of that name gives for the arguments, texts read as Python's literals; and where it
    is from, with the sha256 of its source. What is of the types `ready`, or cannot be called, is given as it is. Raises
    Unknown, BadFile, BadValue."""
    match = _NAME.fullmatch(text)
    assert match
    module = _module(match["module"])
    if not hasattr(module, match["name"]):
        public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise Unknown(f"name in {shorten(match['module'])}:", match["name"], public)
    made = getattr(module, match["name"])
    given = {name: _literal(value) for name, value in (arguments or {}).items()}
    if callable(made) and not isinstance(made, ready):
        try:
            made = made(**given)
        except Exception as error:  # it is the user's own code
            raise BadValue(f"{shorten(text)} raised {type(error).__name__}: {reason_of(error)}.") from error
    source = Path(module.__file__).read_bytes() if module.__file__ else b""
    about: dict[str, Any] = {
        "factory": Path(match["module"]).name + ":" + match["name"],
        "source_sha256": hashlib.sha256(source).hexdigest(),
    }
    if given:
        about["arguments"] = {name: repr(value) for name, value in given.items()}
    return made, about


def _importable(module: str) -> bool:
    if not re.fullmatch(r"[A-Za-z_][\w.]*", module):
        return False
    with _here():
        try:
            return importlib.util.find_spec(module) is not None
        except (ImportError, ValueError, AttributeError):
            return False


def _module(name: str) -> ModuleType:
    file = Path(name)
    with _here(*([file.resolve().parent] if name.endswith(".py") else [])):
        try:
            if not name.endswith(".py"):
                return importlib.import_module(name)
            if not file.is_file():
                raise BadFile(f"There is no file {shorten(name)}.")
            name_of = f"_explain_{file.stem}"
            spec = importlib.util.spec_from_file_location(name_of, file, loader=_AsItIs(name_of, str(file)))
            assert spec
            assert spec.loader
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # dataclasses and pickles look there
            spec.loader.exec_module(module)
            return module
        except BadFile:
            raise
        except (Exception, SystemExit) as error:  # it is the user's own code
            raise BadFile(f"{shorten(name)} cannot be imported: {type(error).__name__}: {reason_of(error)}.") from error


class _AsItIs(SourceFileLoader):
    """Reads the source each time: what Python kept compiled is taken for another text of one size and second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


@contextmanager
def _here(*more: Path) -> Iterator[None]:
    """Modules beside the user's work are found, as by `python file.py`."""
    before = list(sys.path)
    beside = project().folder
    sys.path[:0] = [*map(str, more), *([str(beside)] if beside else []), str(Path.cwd())]
    try:
        yield
    finally:
        sys.path[:] = before


def _literal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
