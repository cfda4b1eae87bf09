"""The command line: each view is a command, beside those that index, train, serve and look after figures.

Facts and numbers go to standard output (only those, with --json), messages to standard error; exit 0, or 2 with one
line for a user's mistake, or 1 where `doctor` finds something wrong.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from ..errors import ExplainError
from . import completion, doctor, figures, index, names, project, service, training, views
from .command import Commands, trust

__all__ = ["declared", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a pipe on Windows takes few characters
        sys.stdout.reconfigure(errors="backslashreplace")
    if "_ARGCOMPLETE" in os.environ:
        completion.answer(declared)
    try:
        given = declared(words).parse(words)
        if getattr(given, "trust_file", False):
            trust(given)
        status: int | None = given.run(given)
    except ExplainError as error:
        print("explain:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("explain: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        return 0
    return status or 0


def declared(words: Sequence[str] = ()) -> Commands:
    """All commands, the one in these words with its arguments."""
    commands = Commands(words)
    for family in (names, views, index, figures, training, project, service, doctor, completion):
        family.add(commands)
    return commands
