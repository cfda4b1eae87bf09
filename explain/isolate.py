"""A function called in a process of its own: what crashes there is an error here, and what is cancelled is killed.

    points = isolate("explain.projections.projection:project", "tsne", vectors, progress=progress)

The function is called with a `progress` of its own, whose calls are repeated here; and with a `preview`, for parts of
its answer, where one is given.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import ExplainError

__all__ = ["Crashed", "isolate"]

PATIENCE = 0.25  # seconds of silence, after which the last progress is repeated: a chance to cancel
_TAIL = 400  # characters of its log that a crash is told with


class Crashed(ExplainError):
    """The process ended without an answer."""


def isolate(
    function: str,
    *args: Any,
    progress: Callable[..., object] = lambda *_: None,
    preview: Callable[..., object] | None = None,
    **options: Any,
) -> Any:
    """What `module:function` returns for the arguments, which are pickled.

    Whatever they raise ends the process and is raised here. Raises what the function raises, and Crashed.
    """
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
        )
        said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(
            target=_listen, args=(process, (function, args, options, preview is not None), said), daemon=True
        ).start()
        last: tuple[Any, ...] | None = None
        try:
            while True:
                try:
                    kind, value = said.get(timeout=PATIENCE)
                except queue.Empty:
                    if last is not None:
                        progress(*last)
                    continue
                if kind == "progress":
                    progress(*(last := value))
                elif kind == "preview" and preview is not None:
                    preview(*value)
                elif kind == "done":
                    return value
                elif kind == "raised":
                    raise value
                else:
                    raise Crashed(f"{function.partition(':')[2]} ended without an answer: {_end(process, log)}.")
        finally:
            process.kill()
            process.wait()


def _listen(process: subprocess.Popen[bytes], call: Any, said: queue.SimpleQueue[tuple[str, Any]]) -> None:
    assert process.stdin
    assert process.stdout
    try:
        with process.stdin:
            pickle.dump(call, process.stdin)
        while True:
            said.put(pickle.load(process.stdout))
    except Exception:  # it has ended, or what it says cannot be read, by whatever a class raises that is made again
        said.put(("gone", None))


def _end(process: subprocess.Popen[bytes], log: Any) -> str:
    code = process.wait()
    log.seek(0)
    lines = log.read()[-_TAIL:].decode(errors="replace").strip().splitlines()
    return f"{_how(code)}, {lines[-1]}" if lines else _how(code)


def _how(code: int) -> str:
    """A signal by its name, where it has one; what Windows says of a crash as its lists have it."""
    if code < 0:
        return next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    return f"exit {code}" if code < 1 << 30 else f"exit 0x{code:X}"


def _answer() -> None:
    """The other side: one call from standard input, answers on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not come between

    def say(kind: str, value: Any) -> None:
        pickle.dump((kind, value), answers)
        answers.flush()

    name, args, options, previews = pickle.load(sys.stdin.buffer)
    module, _, function = name.partition(":")
    options["progress"] = lambda *values: say("progress", values)
    if previews:
        options["preview"] = lambda *values: say("preview", values)
    try:
        say("done", getattr(import_module(module), function)(*args, **options))
    except ExplainError as error:
        say("raised", error)
    except MemoryError:
        say("raised", ExplainError("There is not enough memory for this; take fewer pictures or a smaller layer."))


if __name__ == "__main__":
    _answer()
