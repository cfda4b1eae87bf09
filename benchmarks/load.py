"""Many visitors at once, on the real server: 32 sessions that walk all pages, which it is asked for as by a browser.

    python benchmarks/load.py [--sessions 32] [--seconds 60] [--think 5] [--warm 60] [--workspace FOLDER]

Each session opens a page, a shipped network and a picture of its own choice, waits until the script has run to its end,
thinks (exponentially distributed, so many seconds on average), and goes on; pages and networks are drawn by a seed.
Indexes are made before, as they are jobs. Printed are pages, errors, and seconds from asking to the end of the script,
by page; the health answer's meanwhile; and the server's memory, the mean of a minute, also after ten minutes, each hour
and each thousand pages.
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
from collections.abc import Awaitable
from pathlib import Path

from machine import ROOT, machine
from visitor import Visitor

NETWORKS = {
    "lenet-fashion-mnist": ("fashion-mnist", 10_000),
    "edges-fashion-mnist": ("fashion-mnist", 10_000),
    "small-resnet-fashion-mnist": ("fashion-mnist", 10_000),
    "efficientnet-lite0": ("photos", 19),
}
SKIPPED = ("train", "study", "report")  # what they do is begun by hand
EACH = 1000  # pages, after which the memory is printed
LIMIT = 120.0  # seconds after which an answer counts as an error


async def walk(
    port: int, seed: int, counted: float, until: float, think: float, seen: dict[str, list[float]], errors: list[str]
) -> None:
    """One visitor, of pages and networks drawn by a seed."""
    draw = random.Random(seed)

    async def rest() -> None:
        await asyncio.sleep(draw.expovariate(1 / think) if think else 0)

    async with Visitor(port) as visitor:

        async def timed(name: str, answer: Awaitable[None]) -> None:
            begun = time.monotonic()
            try:
                await asyncio.wait_for(answer, LIMIT)
                wrong = " ".join(visitor.wrong)
            except TimeoutError:
                wrong = f"no end after {LIMIT:.0f} s"
            if begun > counted:
                seen[name].append(time.monotonic() - begun)
            if wrong:
                errors.append(f"{visitor.page}?{visitor.query}: {wrong}")

        await visitor.ask("")  # the first answer says which pages there are
        await rest()
        while time.monotonic() < until:
            page = draw.choice([one for one in visitor.pages if one not in SKIPPED])
            network = draw.choice(list(NETWORKS))
            family, count = NETWORKS[network]
            query = f"model={network}&picture={family}/{draw.randrange(count)}"
            await timed(page or "start", visitor.ask(page, query))
            if visitor.offers("begin-"):  # what a link alone does not start is asked for, and left to itself
                await timed("a click", visitor.click("begin-"))
            await rest()


async def run(port: int, server: int, sessions: int, seconds: float, think: float, warm: float) -> None:
    seen: dict[str, list[float]] = defaultdict(list)
    errors: list[str] = []
    health: list[float] = []
    begun = time.monotonic()
    watch = asyncio.create_task(watched(port, server, begun, seen, health))
    counted, until = begun + warm, begun + warm + seconds
    walks = (walk(port, seed, counted, until, think, seen, errors) for seed in range(sessions))
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
    readings: dict[float, int] = {}  # of the last minute: a page at work takes some hundred MiB for a moment
    while True:
        before = time.monotonic()
        await asyncio.to_thread(healthy, port)
        health.append(time.monotonic() - before)
        if before - max(readings, default=0.0) >= 2:
            readings[before] = memory(server)
            readings = {when: one for when, one in readings.items() if before - when <= 60}
        told = f"{statistics.mean(readings.values()) / 2**20:,.0f} MiB"
        while marks and before - begun >= marks[0]:
            print(f"memory after {marks.pop(0) / 60:.0f} min: {told}", flush=True)
        if (served := sum(map(len, seen.values()))) >= following:
            print(f"memory after {served:,} pages: {told}", flush=True)
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
