"""The app's server, in this process: nothing is left behind when it ends.

`Doorkeeper` stands before Streamlit, which lets pages of every port of this machine open a session.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pkgutil
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from explain import views, workspace
from explain.shipped import shipped
from explain.ui.caches import DEFAULT_MODEL
from explain.ui.visitor import COOKIE, DAYS

__all__ = ["Doorkeeper", "run"]

APP = shipped("app.py")
ARENAS, M_ARENA_MAX = 2, -8  # the latter by glibc's malloc.h
FOREIGN = b"This address takes requests of its own pages only."
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]


class Doorkeeper:
    """Refuses what a page of another address asks for, another port's too, and gives browsers a name.

    origins: addresses that visitors come by where a proxy has another Host; named: whether browsers get a cookie, which
    no script reads. A request without an origin is no page's: it is a visitor's own click, or a program.
    """

    def __init__(self, app: Asgi, origins: Collection[str] = (), named: bool = False) -> None:
        self._app, self._origins, self._named = app, {one.rstrip("/").lower() for one in origins}, named

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        origin, host = headers.get(b"origin", "").lower(), headers.get(b"host", "").lower()
        if origin and origin not in self._origins and origin.partition("://")[2] != host:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008})
            head = {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]}
            await send(head)
            return await send({"type": "http.response.body", "body": FOREIGN})
        if self._named and scope["type"] == "http":
            send = _naming(send, _cookie(headers.get(b"cookie", "")), f"https://{host}" in self._origins)
        return await self._app(scope, receive, send)


def _cookie(text: str) -> str:
    """The browser's name, or a new one."""
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        found = None
    return found.value if found and len(found.value) >= 32 else secrets.token_urlsafe(32)


def _naming(send: Send, name: str, secure: bool) -> Send:
    """Give the name with each page, so that it ends so many days after the last visit.

    Lax: a permalink in somebody's mail comes with the name that the browser has, instead of getting it another.
    """
    cookie = f"{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax; Max-Age={DAYS * 86400}{'; Secure' if secure else ''}"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and any(
            key.lower() == b"content-type" and value.startswith(b"text/html") for key, value in message["headers"]
        ):
            message = {**message, "headers": [*message["headers"], (b"set-cookie", cookie.encode("latin-1"))]}
        await send(message)

    return sending


def _prepare() -> None:
    """Load what pages load, before anybody comes: a library of torch's size holds the interpreter while it is mapped,
    and so does the first walk of the garbage collector through it, for seconds in which no visitor is answered. One
    person alone would only wait for it longer."""
    own = [one.name for one in pkgutil.iter_modules(views.__path__, "explain.views.")]
    of_parts = "explain.index.kernels", "pandas", "pyarrow", "sklearn.model_selection"
    # Charts to click, an index, tables, a training.
    for module in ("timm", "torchvision", *of_parts, *own):
        import_module(module)
    _ = workspace.load_model(DEFAULT_MODEL).layers  # traced, which loads more of torch
    gc.collect()
    gc.freeze()


def run(port: int, address: str, origins: Collection[str], hosts: Collection[str], shared: bool) -> None:
    """Serve until a signal ends it; what it had at work is stopped then. Raises SystemExit where it cannot start."""
    _share_arenas()
    try:  # before what takes long
        socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except OSError as error:
        raise SystemExit(1) from error
    if shared:
        _prepare()
    _mind_signals()
    os.chdir(APP.parent)  # where .streamlit is
    sys.argv = [str(APP)]
    middleware = [Middleware(Doorkeeper, origins=origins, named=shared)]
    config = {"server.port": port, "server.address": address, "server.allowedHosts": list(hosts)}
    config["server.corsAllowedOrigins"] = list(origins)
    try:
        st.App(APP, middleware=middleware).run(config=config)
    finally:
        gc.freeze()  # else the interpreter walks through all of torch once more, for seconds


def _mind_signals() -> None:
    """Whatever ends the server ends it by way of atexit, which stops jobs; uvicorn raises at its end what it caught."""
    for name in ("SIGTERM", "SIGBREAK"):  # the latter is Windows': Ctrl+Break, and a console that was closed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):  # the terminal has been closed
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _share_arenas() -> None:
    """Each run of a page is a thread, and glibc has up to eight arenas a processor for these: one keeps what its
    largest run took, and what is freed in it serves no other. Those who have set their number know better."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, OSError, TypeError):  # another C library, or another system
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
