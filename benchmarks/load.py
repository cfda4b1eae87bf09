"""Many visitors at once, on the real server: 32 sessions that walk all pages, which it is asked for as by a browser.

    python benchmarks/load.py [--sessions 32] [--seconds 60] [--think 5] [--warm 60] [--workspace FOLDER]

Each session opens a page, a shipped network and a picture of its own choice, waits until the script has run to its end,
thinks (exponentially distributed, so many seconds on average), and goes on; pages and networks are drawn by a seed.
Indexes are made before, as they are jobs. Printed are pages, errors, and seconds from asking to the end of the script,
by page; the health answer's meanwhile; and the server's memory, also after ten minutes, each hour and each thousand
pages.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

from machine import ROOT, machine
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

NETWORKS = {
    "lenet-fashion-mnist": ("fashion-mnist", 10_000),
    "edges-fashion-mnist": ("fashion-mnist", 10_000),
    "small-resnet-fashion-mnist": ("fashion-mnist", 10_000),
    "efficientnet-lite0": ("photos", 19),
}
SKIPPED = ("train", "study", "report")  # what they do is begun by hand
EACH = 1000  # pages, after which the memory is printed
LIMIT = 120.0  # seconds after which an answer counts as an error


class Session:
    """One visitor's connection."""

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.random = port, random.Random(seed)
        self.pages: dict[str, str] = {}
        self.offered = ""  # the button that begins what the page has offered

    async def walk(
        self, counted: float, until: float, think: float, seen: dict[str, list[float]], errors: list[str]
    ) -> None:
        address = f"ws://127.0.0.1:{self.port}/_stcore/stream"
        origin = f"http://127.0.0.1:{self.port}"
        async with connect(address, subprotocols=["streamlit"], origin=origin, max_size=None) as link:
            await self._ask(link, "", "")  # the first answer says which pages there are
            await asyncio.sleep(self.random.expovariate(1 / think) if think else 0)
            while time.monotonic() < until:
                page = self.random.choice([one for one in self.pages if one not in SKIPPED])
                network = self.random.choice(list(NETWORKS))
                family, count = NETWORKS[network]
                query = f"model={network}&picture={family}/{self.random.randrange(count)}"
                begun = time.monotonic()
                try:
                    wrong = await asyncio.wait_for(self._ask(link, page, query), LIMIT)
                except TimeoutError:
                    wrong = f"no end after {LIMIT:.0f} s"
                if begun > counted:
                    seen[page or "overview"].append(time.monotonic() - begun)
                if self.offered and not wrong:  # what a link alone does not start is asked for, and left to itself
                    begun = time.monotonic()
                    wrong = await asyncio.wait_for(self._ask(link, page, query, self.offered), LIMIT)
                    if begun > counted:
                        seen["a click"].append(time.monotonic() - begun)
                if wrong:
                    errors.append(f"{page}?{query}: {wrong}")
                await asyncio.sleep(self.random.expovariate(1 / think) if think else 0)

    async def _ask(self, link, page: str, query: str, click: str = "") -> str:
        """Run a page's script to its end, with a click on a button; what went wrong, if anything did."""
        back = BackMsg()
        if click:
            back.rerun_script.widget_states.widgets.add(id=click, trigger_value=True)
        back.rerun_script.query_string = query
        back.rerun_script.page_name = page
        if page in self.pages:
            back.rerun_script.page_script_hash = self.pages[page]
        await link.send(back.SerializeToString())
        wrong = self.offered = ""
        async for content in link:
            message = ForwardMsg.FromString(content)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                self.pages = {one.url_pathname: one.page_script_hash for one in message.navigation.app_pages}
            elif kind == "delta" and "begin-" in message.delta.new_element.button.id:
                self.offered = message.delta.new_element.button.id
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                wrong = message.delta.new_element.exception.message
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return wrong
        return "the server closed the connection"


async def run(port: int, server: int, sessions: int, seconds: float, think: float, warm: float) -> None:
    seen: dict[str, list[float]] = defaultdict(list)
    errors: list[str] = []
    health: list[float] = []
    begun = time.monotonic()
    watch = asyncio.create_task(watched(port, server, begun, seen, health))
    walks = (
        Session(port, seed).walk(begun + warm, begun + warm + seconds, think, seen, errors) for seed in range(sessions)
    )
    for ended in await asyncio.gather(*walks, return_exceptions=True):
        if isinstance(ended, BaseException):
            errors.append(f"{type(ended).__name__}: {ended}")
    watch.cancel()
    everything = [one for page in seen.values() for one in page]
    print(f"{sessions} sessions, {seconds:.0f} s after {warm:.0f} s, thinking {think:g} s")
    print(f"{len(everything):,} pages, {len(errors)} errors")
    print(f"{'page':14}{'pages':>7}{'p50':>8}{'p95':>8}{'max':>8}  seconds")
    for page, taken in [*sorted(seen.items()), ("all", everything)]:
        print(f"{page:14}{len(taken):7}{quantile(taken, 50):8.2f}{quantile(taken, 95):8.2f}{max(taken):8.2f}")
    print(f"{'health':14}{len(health):7}{quantile(health, 50):8.2f}{quantile(health, 95):8.2f}{max(health):8.2f}")
    for error in errors[:10]:
        print("error:", error)


async def watched(port: int, server: int, begun: float, seen: dict[str, list[float]], health: list[float]) -> None:
    """The health answer four times a second; the memory at the beginning, after ten minutes, each hour, and each
    thousand pages: what is kept grows with these rather than with the time."""
    marks = [0.0, 60.0, 600.0, *(3600.0 * k for k in range(1, 25))]
    following = EACH
    while True:
        before = time.monotonic()
        await asyncio.to_thread(healthy, port)
        health.append(time.monotonic() - before)
        while marks and before - begun >= marks[0]:
            print(f"memory after {marks.pop(0) / 60:.0f} min: {memory(server) / 2**20:,.0f} MiB", flush=True)
        if (served := sum(map(len, seen.values()))) >= following:
            print(f"memory after {served:,} pages: {memory(server) / 2**20:,.0f} MiB", flush=True)
            following = served - served % EACH + EACH
        await asyncio.sleep(0.25)


def healthy(port: int) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=60).close()


def memory(server: int) -> int:
    """Resident bytes of the server and its children, on Linux."""
    total, family = 0, {server}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) in family or int(fields[1]) in family:
                family.add(int(folder.name))
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--think", type=float, default=5)
    parser.add_argument("--warm", type=float, default=60, help="seconds before, in which networks load; not counted")
    parser.add_argument("--workspace", help="where indexes are kept for the next time; by default made anew")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as fresh, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        folder = asked.workspace or fresh
        told = {**os.environ, "EXPLAIN_WORKSPACE": folder}
        for network, (family, _) in NETWORKS.items():
            made = [sys.executable, "-m", "explain", "index", network, family]
            subprocess.run(made, cwd=ROOT, env=told, check=True, capture_output=True)
        command = [sys.executable, "-m", "explain", "serve", "--port", str(port)]
        with (Path(fresh) / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=ROOT, env=told, stdout=log, stderr=log, start_new_session=True)
        try:
            while True:
                try:
                    healthy(port)
                    break
                except OSError:
                    time.sleep(0.2)
            asyncio.run(run(port, server.pid, asked.sessions, asked.seconds, asked.think, asked.warm))
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(20)


if __name__ == "__main__":
    main()
