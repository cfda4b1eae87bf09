"""The shell completes commands, flags and names: eval "$(explain completion bash)"."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import get_args

from .command import Commands

__all__ = ["add", "answer"]

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add(command: Commands) -> None:
    command("completion", _completion, arguments=lambda sub: sub.add_argument("shell", choices=SHELLS))


def _completion(given: argparse.Namespace) -> None:
    """what makes a shell complete the words of `explain`: eval "$(explain completion bash)" in its start file"""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["explain"], shell=given.shell))


def answer(declared: Callable[[Sequence[str]], Commands]) -> None:
    """Tell a shell that asks how its line can go on, and end; without torch, so that it is there at once."""
    import argcomplete

    line = os.environ.get("COMP_LINE", "")
    try:
        words = shlex.split(line)
    except ValueError:  # a quote that is still open
        words = line.split()
    parser = declared(words[1:]).parser
    for command, sub in _commands(parser):
        for action in sub._actions:
            if found := _names(command, action):
                action.completer = partial(_completed, found)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False)


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _completed(names: Callable[[], Iterable[str]], prefix: str, **_: object) -> list[str]:
    """Names, and files beside them."""
    from argcomplete.completers import FilesCompleter

    return [*(name for name in names() if name.startswith(prefix)), *FilesCompleter()(prefix)]


def _names(command: str, action: argparse.Action) -> Callable[[], Iterable[str]] | None:
    """What an argument may be by name."""
    from .. import names
    from ..data import list_images
    from ..training import LISTED
    from ..workspace import list_models

    if action.dest in ("method", "methods"):
        own = {"unit": names.UnitMethod, "embedding": names.Projection}
        return lambda: get_args(own.get(command, names.SaliencyMethod))
    by_metavar: dict[str, Callable[[], Iterable[str]]] = {
        "MODEL": list_models,
        "DATA": list_images,
        "IMAGE": lambda: [f"{name}/" for name in list_images()],
        "RECIPE": lambda: json.loads(LISTED.read_text(encoding="utf-8")),
    }
    return by_metavar.get(str(action.metavar))
