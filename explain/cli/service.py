"""Commandss that serve the app and look at the installation."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import ExplainError
from .command import Commands, say

__all__ = ["add"]


def add(command: Commands) -> None:
    command("serve", _serve, arguments=lambda sub: sub.add_argument("--port", type=int, default=8501))
    command("doctor", _doctor)


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


def _doctor(given: argparse.Namespace) -> None:
    """what this installation has and can do"""
    import platform

    from ..figure import versions
    from ..network.model import choose_device
    from ..network.zoo import list_models, load_model
    from ..workspace import root

    report: dict[str, Any] = {
        "python": platform.python_version(),
        **versions(),
        "device": str(choose_device()),
        "workspace": str(root()),
    }
    for name in list_models():
        report[name] = f"{len(load_model(name).layers)} layers"
    say(given, report, "\n".join(f"{key}: {value}" for key, value in report.items()))
