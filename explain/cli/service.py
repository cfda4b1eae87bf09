"""The command that serves the app."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from urllib.parse import urlsplit

from ..errors import BadValue, ExplainError, shorten
from ..extras import extra
from .command import Commands, Parser

__all__ = ["add"]


LOOPBACK, EVERYWHERE = ("localhost", "127.0.0.1"), ("0.0.0.0", "::")


def add(command: Commands) -> None:
    command("serve", _serve, arguments=_arguments)


def _arguments(sub: Parser) -> None:
    sub.add_argument("--port", type=int, default=8501)
    sub.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="to listen on; by default this machine's")
    sub.add_argument(
        "--shared",
        action="store_true",
        help="for a group: what a visitor hands in or trains is theirs alone; see docs/serving.md",
    )
    sub.add_argument(
        "--origin",
        metavar="URL",
        action="append",
        default=[],
        help="the address that visitors come by, such as https://explain.example.org of a proxy",
    )
    sub.add_argument(
        "--open-to-everybody",
        action="store_true",
        help="listen beyond this machine without --shared: whoever reaches it sees, uses and removes all there is",
    )


def _serve(given: argparse.Namespace) -> None:
    """the app, on 127.0.0.1"""
    from importlib import import_module

    from ..project import project
    from ..workspace.folder import SHARED, is_shared

    shared = given.shared or is_shared()
    origins = [_origin(text) for text in given.origin]
    hosts = _hosts(given.host, origins, shared or given.open_to_everybody)
    os.environ["EXPLAIN_PROJECT"] = str(project().folder or "")  # the app runs elsewhere
    if shared:
        os.environ[SHARED] = "1"
    extra("streamlit")
    print(f"explain: {origins[0] if origins else f'http://{given.host}:{given.port}'}", file=sys.stderr)
    server = import_module("explain.ui.server")  # which loads streamlit; a door that opens another
    try:
        server.run(given.port, given.host, origins, hosts, shared)
    except SystemExit as end:
        if end.code:
            raise ExplainError(f"The app ended with status {end.code}; is port {given.port} taken?") from None


def _origin(text: str) -> str:
    """As browsers write it. Raises BadValue."""
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise BadValue(f"--origin {shorten(text)} is not an address such as https://explain.example.org.")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{name}" + ("" if port in (None, usual) else f":{port}")


def _hosts(host: str, origins: list[str], said: bool) -> list[str]:
    """The names that the app answers to. Raises BadValue for what is open to others without a word that it may be."""
    named = [str(urlsplit(one).hostname) for one in origins]
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise BadValue(
            f"--host {shorten(host)} is no address; give one of this machine's, or 0.0.0.0 for all."
        ) from None
    if not here and not said:
        raise BadValue(
            f"--host {host} lets other machines in, and all of them see, use and remove every picture, network, "
            "training and index of this workspace: --shared gives each visitor their own, --open-to-everybody leaves "
            "it so."
        )
    if host in EVERYWHERE and not origins:
        raise BadValue(f"--host {host} is no name to come by; say which is: --origin http://NAME:PORT.")
    return list(dict.fromkeys([*LOOPBACK, *([] if host in EVERYWHERE else [host]), *named]))
