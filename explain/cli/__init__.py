"""The command line: each command calls the library function of its name and says what came out.

Facts and numbers go to standard output (only those, with --json), messages to standard error; exit 0, or 2 with one
line for a user's mistake.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import ExplainError
from . import figures, indexes, maps, network, service, training
from .command import Command, Parser

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    try:
        given = _parser().parse_args(arguments)
        given.run(given)
    except ExplainError as error:
        print("explain:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("explain: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        return 0
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m explain", description="Look inside a convolutional network.")
    command = Command(parser)
    for family in (network, maps, indexes, figures, training, service):
        family.add(command)
    return parser
