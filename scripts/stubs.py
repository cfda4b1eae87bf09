"""Writes what type checkers and editors read of the library, from the views' signatures and the registries.

explain/__init__.pyi has the functions, explain/names.py the names of registries as types; and for the command line
explain/training/recipes.json. `python -m scripts.stubs` writes them; with --check, as in scripts/check, it fails where
they are not as it would write them.
"""

import json
import sys
from collections.abc import Iterator
from inspect import getdoc, signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import explain
from explain.training import LISTED, RECIPES
from explain.views.documentation import is_array, parameters, spell

PACKAGE = Path(explain.__file__).parent
INDENT = " " * 4
NOTE = "Written by scripts/stubs.py."


def files() -> dict[Path, str]:
    """What each is to hold."""
    return {PACKAGE / "__init__.pyi": stub(), PACKAGE / "names.py": names(), LISTED: recipes()}


def recipes() -> str:
    """All recipes with their settings, so that the command line lists them without the networks that they are of."""
    return json.dumps({name: one.settings() for name, one in RECIPES.items()}, indent=1, ensure_ascii=False) + "\n"


def aliases() -> dict[str, Any]:
    """The names of each registry that a view asks for one of, by what the type is called; the views of one picture."""
    kinds = [one.kind for view in explain.VIEWS.values() for one in view.parameters.values()]
    some = [getattr(kind, "of", kind) for kind in kinds]
    registries = [kind.registry for kind in some if hasattr(kind, "registry")]
    found = {one.kind.title().replace(" ", ""): Literal[tuple(one)] for one in registries}
    found["PictureView"] = Literal[tuple(name for name, view in explain.VIEWS.items() if view.picture)]
    found["RecipeName"] = Literal[tuple(RECIPES)]
    return dict(sorted(found.items()))


def names() -> str:
    """explain/names.py."""
    lines = [f'"""The names that functions take, as types. {NOTE}"""', "", "from typing import Literal", ""]
    lines += ["__all__ = [", *(f'{INDENT}"{name}",' for name in aliases()), "]"]
    for name, values in aliases().items():
        lines += ["", f"{name} = Literal[", *(f'{INDENT}"{value}",' for value in get_args(values)), "]"]
    return "\n".join(lines) + "\n"


def stub() -> str:
    """explain/__init__.pyi."""
    imports, lines = Imports(), []
    for name, view in explain.VIEWS.items():
        found = signature(view.compute)
        lines += [f"def {name}(", *(f"{INDENT}{one}," for one in parameters(found, imports.name))]
        lines += [f") -> {spell(found.return_annotation, imports.name)}:", *_docstring(getdoc(view.compute) or ""), ""]
    for name, home in explain._HOMES.items():
        imports.add(f".{home}", f"{name} as {name}")
    imports.add(".views", "View")
    head = [f'"""{explain.__doc__.partition(chr(10))[0]} {NOTE}"""', "", *imports.lines(), ""]
    return "\n".join([*head, "__version__: str", "VIEWS: dict[str, View]", "", *lines])


class Imports:
    """What is to be imported for the types that are written."""

    def __init__(self) -> None:
        self.wanted: set[tuple[str, str]] = set()  # module, name
        self.aliases = {values: name for name, values in aliases().items()}

    def name(self, annotation: Any) -> str | None:
        """As `spell` asks for each part of a type."""
        if annotation in self.aliases:
            self.add(".names", self.aliases[annotation])
            return self.aliases[annotation]
        origin = get_origin(annotation)
        if is_array(annotation):
            self.add("numpy.typing", "NDArray")
        if origin is Literal or annotation is Any:
            self.add("typing", "Any" if annotation is Any else "Literal")
        elif origin is None and isinstance(annotation, type) and not public(annotation):
            self.add(annotation.__module__.removeprefix("explain").removesuffix("._local"), annotation.__name__)  # 3.13
        return None

    def add(self, module: str, name: str) -> None:
        self.wanted.add((module, name))

    def lines(self) -> list[str]:
        return [f"from {module} import {name}" for module, name in sorted(self.wanted)]


def _docstring(text: str) -> Iterator[str]:
    lines = text.splitlines()
    yield f'{INDENT}"""{lines[0]}'
    yield from (f"{INDENT}{line}".rstrip() for line in lines[1:])
    yield f'{INDENT}"""'


def public(annotation: type) -> bool:
    """Whether a class needs no import, as it is the library's own or Python's."""
    return annotation.__module__ == "builtins" or getattr(explain, annotation.__name__, None) is annotation


if __name__ == "__main__":
    stale = {path: text for path, text in files().items() if not path.is_file() or path.read_text() != text}
    if "--check" in sys.argv and stale:
        sys.exit(f"Not as the views are: {', '.join(path.name for path in stale)}. Run python -m scripts.stubs")
    for path, text in stale.items():
        path.write_text(text)
