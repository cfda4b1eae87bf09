"""The command that serves the app."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import ExplainError
from .command import Commands

__all__ = ["add"]


def add(command: Commands) -> None:
    command("serve", _serve, arguments=lambda sub: sub.add_argument("--port", type=int, default=8501))


def _serve(given: argparse.Namespace) -> None:
    """the app, on 127.0.0.1"""
    import subprocess

    from ..project import project

    app = Path(__file__).resolve().parents[2] / "app.py"
    print(f"explain: http://127.0.0.1:{given.port}", file=sys.stderr)
    command = [sys.executable, "-m", "streamlit", "run", str(app), f"--server.port={given.port}"]
    env = {**os.environ, "EXPLAIN_PROJECT": str(project().folder or "")}
    status = subprocess.run(command, cwd=app.parent, env=env).returncode
    if status:
        raise ExplainError(f"The app ended with status {status}; is port {given.port} taken?")
