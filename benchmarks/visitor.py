"""A visitor of the app without a browser: Streamlit's websocket, on which pages are asked for, clicked and watched.

async with Visitor(port) as visitor:
    await visitor.ask("layers", "model=lenet-fashion-mnist")
    await visitor.click("begin-")
    while visitor.shown("progress"):
        await visitor.look_again()
"""

import asyncio
import re
import urllib.request
from types import TracebackType
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

ENDS = ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
TEXTS = {
    "markdown": "body", "alert": "body", "code": "code_text", "heading": "body", "progress": "text",
    "button": "label", "toast": "body", "exception": "message",
}  # fmt: skip


class Visitor:
    """One connection. `elements` is what the page shows now, by its place; `running` whether its script runs."""

    def __init__(self, port: int) -> None:
        self.port, self.address = port, f"127.0.0.1:{port}"
        self.pages: dict[str, str] = {}
        self.page = self.query = self.session = ""
        self.elements: dict[tuple[int, ...], tuple[Element, str]] = {}  # and the fragment that each is of
        self.repeated: dict[str, float] = {}  # fragments that are to run again, and after how many seconds
        self.running = False

    async def __aenter__(self) -> "Visitor":
        self._link = await connect(
            f"ws://{self.address}/_stcore/stream", subprotocols=["streamlit"], origin=f"http://{self.address}",
            max_size=None, close_timeout=1, ping_interval=None,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._link.close()

    async def ask(self, page: str, query: str = "", *given: WidgetState) -> None:
        """Open a page at this address, and wait until its script has run to its end."""
        self.page, self.query = page, query
        await self.again(*given)

    async def again(self, *given: WidgetState, fragment: str = "") -> None:
        """Run the page once more, or a fragment of it, with widgets as they are given; until that has ended."""
        back = BackMsg()
        asked = back.rerun_script
        asked.query_string, asked.page_name = self.query, self.page
        asked.page_script_hash = self.pages.get(self.page, "")
        asked.fragment_id, asked.is_auto_rerun = fragment, bool(fragment and not given)
        asked.widget_states.widgets.extend(given)
        await self._send(back)
        async for message in self._heard():
            if message.HasField("script_finished") and message.script_finished in ENDS:
                return

    async def look_again(self) -> None:
        """What the page's fragments do by themselves, once."""
        for fragment in list(self.repeated):
            if fragment in self.repeated:  # which a run of the whole page may have ended
                await self.again(fragment=fragment)

    async def click(self, key: str) -> None:
        """Click the button of this key, or whose key begins so. Raises LookupError where there is none."""
        await self.again(WidgetState(id=self.widget("button", key), trigger_value=True))

    async def upload(self, key: str, name: str, content: bytes) -> WidgetState:
        """Send a file for the uploader whose key begins so, as browsers do; the state in which it has that file."""
        back = BackMsg()
        back.file_urls_request.request_id, back.file_urls_request.session_id = "upload", self.session
        back.file_urls_request.file_names.append(name)
        await self._send(back)
        async for message in self._heard():
            if message.HasField("file_urls_response"):
                (urls,) = message.file_urls_response.file_urls
                break
        await asyncio.to_thread(self._put, urls, name, content)
        state = WidgetState(id=self.widget("file_uploader", key))
        state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(content), file_id=urls.file_id, file_urls=urls
        )
        return state

    async def download(self, label: str) -> bytes:
        """What a button of this label makes when it is clicked. Raises ValueError where it cannot be made."""
        (button,) = (one for one in self.shown("download_button") if one.label == label)
        back = BackMsg()
        asked = back.backend_operation_request
        asked.request_id, asked.session_id = "download", self.session
        asked.deferred_file.file_id = button.deferred_file_id
        await self._send(back)
        async for message in self._heard():
            if message.HasField("backend_operation_response"):
                answer = message.backend_operation_response
                break
        if answer.error_msg:
            raise ValueError(answer.error_msg)
        return await asyncio.to_thread(self._get, answer.deferred_file.url)

    def shown(self, kind: str) -> list[Any]:
        """The page's elements of a kind, in their order."""
        return [getattr(one, kind) for _, (one, _) in sorted(self.elements.items()) if one.WhichOneof("type") == kind]

    def widget(self, kind: str, key: str) -> str:
        """The id of the widget whose key begins so. Raises LookupError."""
        for one in self.shown(kind):
            if self._has(one.id, key):
                return str(one.id)
        raise LookupError(f"No {kind} {key!r} on {self.page}?{self.query}: {self.said}")

    def offers(self, key: str) -> bool:
        """Whether there is a button whose key begins so."""
        return any(self._has(one.id, key) for one in self.shown("button"))

    @property
    def said(self) -> str:
        """All words of the page."""
        shown = ((one, TEXTS.get(one.WhichOneof("type") or "")) for _, (one, _) in sorted(self.elements.items()))
        return "\n".join(str(getattr(getattr(one, one.WhichOneof("type")), name)) for one, name in shown if name)

    @property
    def wrong(self) -> list[str]:
        """Exceptions and errors that the page shows."""
        errors = [one.body for one in self.shown("alert") if one.format == one.ERROR]
        return [*(one.message for one in self.shown("exception")), *errors]

    @staticmethod
    def _has(widget: str, key: str) -> bool:
        return re.match(rf"\$\$ID-\w+-{re.escape(key)}", widget) is not None

    async def _send(self, back: BackMsg) -> None:
        await self._link.send(back.SerializeToString())

    async def _heard(self) -> Any:
        """What the server says, one by one, once it has been taken in."""
        async for content in self._link:
            message = ForwardMsg.FromString(content)
            self._take(message)
            yield message
        raise ConnectionError("The server closed the connection.")

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.running, self.session = True, message.new_session.initialize.session_id
            mine = set(message.metadata.run.fragment_ids)
            self.elements = {at: one for at, one in self.elements.items() if mine and one[1] not in mine}
            self.repeated = self.repeated if mine else {}
        elif kind == "script_finished":
            self.running = False
        elif kind == "navigation":
            self.pages = {one.url_pathname: one.page_script_hash for one in message.navigation.app_pages}
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.repeated[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for one in message.stop_auto_rerun.fragment_ids:
                self.repeated.pop(one, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            delta = message.delta
            self.elements[tuple(message.metadata.delta_path)] = delta.new_element, delta.fragment_id

    def _put(self, urls: FileURLs, name: str, content: bytes) -> None:
        with urllib.request.urlopen(f"http://{self.address}/_stcore/health", timeout=60) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        edge = "----a-file-of-a-visitor"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        told = {
            "Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2], "Origin": f"http://{self.address}",
            "Content-Type": f"multipart/form-data; boundary={edge}",
        }  # fmt: skip
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        url = f"http://{self.address}{urls.upload_url}"
        urllib.request.urlopen(urllib.request.Request(url, body, told, method="PUT"), timeout=60).close()

    def _get(self, url: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.address}{url}", timeout=60) as answer:
            return bytes(answer.read())
