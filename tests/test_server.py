"""The server that `python -m explain serve` starts: who is let in, and what is told to others (TRAPS 36-38, 54)."""

import base64
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(log: Path, *options: str) -> tuple[subprocess.Popen[bytes], int]:
    """A server of its own process group, healthy, and its port."""
    port = free_port()
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "explain", "serve", "--port", str(port), *options],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
    return server, port


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    server, port = started(tmp_path_factory.mktemp("serve") / "log")
    yield port
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(20)


def request(port: int, path: str, host: str, *headers: str) -> tuple[int, str]:
    """Status and the rest of one answer, written by hand so that Host is what we say."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(headers or ("Connection: close",)), "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall("\r\n".join(lines).encode())
        answer = link.recv(65536)
        while not headers and (more := link.recv(65536)):
            answer += more
    head = answer.decode("latin-1")
    return int(head.split()[1]), head


def websocket(port: int, host: str, origin: str) -> int:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    return request(port, "/_stcore/stream", host, *headers, f"Origin: {origin}")[0]


def test_health_answers_ok(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the listening sockets are read from /proc")
def test_only_this_machine_reaches_it(port):
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            rows = [row.split() for row in Path(table).read_text().splitlines()[1:]]
            found += [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]
    assert found == ["0100007F"]


def test_a_foreign_host_gets_no_session(port):
    """DNS rebinding: a page of evil.example whose name now resolves to 127.0.0.1.

    Streamlit hands its empty shell to any host; everything else goes through the websocket.
    """
    here = f"127.0.0.1:{port}"
    assert websocket(port, here, f"http://{here}") == 101
    assert websocket(port, f"localhost:{port}", f"http://localhost:{port}") == 101
    assert websocket(port, f"evil.example:{port}", f"http://evil.example:{port}") in (400, 403)
    assert websocket(port, here, "http://evil.example") in (400, 403)


def test_a_page_of_another_port_gets_no_session(port):
    """Another local server's page is of this machine, too, and may be anybody's."""
    here = f"127.0.0.1:{port}"
    for origin in (f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"http://localhost:{port}", "null"):
        assert websocket(port, here, origin) in (400, 403), origin
        assert request(port, "/_stcore/host-config", here, "Connection: close", f"Origin: {origin}")[0] == 403
    assert request(port, "/_stcore/host-config", here, "Connection: close", f"Origin: http://{here}")[0] == 200


def test_one_person_gets_no_cookie_for_who_they_are(port):
    assert "explain_visitor" not in request(port, "/", f"127.0.0.1:{port}")[1]


def test_files_beside_the_app_are_not_served(port):
    for path in ("/app/static/app.py", "/static/../../app.py", "/..%2f..%2fetc/passwd", "/app.py"):
        text = request(port, path, f"127.0.0.1:{port}")[1]
        assert "st.navigation" not in text
        assert "root:" not in text


def test_no_telemetry_and_no_tracebacks():
    settings = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert settings["server"]["maxUploadSize"] == 200
    for guard in ("enableXsrfProtection", "enableCORS"):
        assert settings["server"].get(guard, True) is True


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "explain", "serve", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "port" in ended.stderr.splitlines()[-1]


PREPARED = """
import gc, sys
from explain.ui import server
server._prepare()
assert gc.get_freeze_count() > 100_000, "the collector does not walk through it"
before = set(sys.modules)
from streamlit.testing.v1 import AppTest
before |= set(sys.modules)
app = AppTest.from_file("app.py", default_timeout=240)
app.query_params["model"] = "lenet-fashion-mnist"
PAGES = "start walkthrough network models layers channel saliency gallery compare learn train report"
for page in PAGES.split():
    assert not app.switch_page(f"explain/ui/pages/{page}.py").run().exception
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("explain")))
"""


@pytest.mark.slow
def test_what_pages_load_is_loaded_before_anybody_comes(tmp_path):
    """An import holds the interpreter, and all visitors wait: none of the first visitor's may be a large one."""
    told = {**os.environ, "EXPLAIN_WORKSPACE": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", PREPARED], cwd=ROOT, env=told, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split()) < 100, ended.stdout


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_nothing_is_left_of_a_server_that_was_ended(tmp_path, name):
    """Also where only the process that was started is told, as a supervisor does it, or its terminal is closed."""
    server, port = started(tmp_path / "log")
    os.kill(server.pid, getattr(signal, name))
    server.wait(60)
    deadline = time.monotonic() + 60
    while True:
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            break
        if time.monotonic() > deadline:
            os.killpg(server.pid, signal.SIGKILL)
            pytest.fail("a process of the server lives on")
        time.sleep(0.2)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_a_shared_server_names_browsers_and_answers_to_its_origin(tmp_path):
    server, port = started(tmp_path / "log", "--shared", "--origin", "https://explain.example.org")
    try:
        here, public = f"127.0.0.1:{port}", "explain.example.org"
        given = [line for line in request(port, "/", here)[1].splitlines() if line.lower().startswith("set-cookie")]
        (cookie,) = [line for line in given if "explain_visitor=" in line]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        name = cookie.partition("explain_visitor=")[2].partition(";")[0]
        again = request(port, "/", public, "Connection: close", f"Cookie: explain_visitor={name}")[1]
        assert f"explain_visitor={name};" in again
        assert "; Secure" in again
        for bad in ("short", "a b" * 20, ""):
            other = request(port, "/", here, "Connection: close", f"Cookie: explain_visitor={bad}")[1]
            assert f"explain_visitor={bad};" not in other
        assert websocket(port, public, f"https://{public}") == 101
        assert websocket(port, here, f"https://{public}") == 101  # a proxy that has its own Host
        assert websocket(port, public, "https://other.example.org") in (400, 403)
        assert websocket(port, "other.example.org", "https://other.example.org") in (400, 403)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], ["--shared", "--open-to-everybody", "every picture"]),
        (["--host", "192.0.2.1"], ["--shared", "--open-to-everybody"]),
        (["--host", "0.0.0.0", "--shared"], ["--origin"]),
        (["--host", "::", "--open-to-everybody"], ["--origin"]),
        (["--host", "nowhere"], ["no address"]),
        (["--shared", "--origin", "explain.example.org"], ["'explain.example.org'", "https://"]),
        (["--shared", "--origin", "https://explain.example.org/app"], ["https://"]),
        (["--shared", "--origin", "https://a:b:c"], ["https://"]),
    ],
)
def test_what_would_be_open_to_others_is_one_sentence(run, options, words):
    status, out, said = run("serve", *options)
    assert (status, out) == (2, "")
    assert len(said.splitlines()) == 1
    assert all(word in said for word in words)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
@pytest.mark.parametrize(("set_by_hand", "arenas"), [("", 2), ("3", 3)])
def test_threads_share_their_memory(set_by_hand, arenas):
    """Sixteen arenas of two processors kept what was freed in each."""
    script = """if True:
        import ctypes, threading
        import explain.ui.server as server

        class App:
            def __init__(self, *_, **__): pass
            def run(self, config):
                together = threading.Barrier(12)
                def work():
                    for _ in range(2):
                        together.wait(60)
                        ctypes.string_at(libc.malloc(100_000), 10)
                libc = ctypes.CDLL(None)
                libc.malloc.restype = ctypes.c_void_p
                threads = [threading.Thread(target=work) for _ in range(12)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                libc.malloc_stats()
        server.st.App = App
        server.run(0, "127.0.0.1", [], [], False)
    """
    told = {key: value for key, value in os.environ.items() if key != "MALLOC_ARENA_MAX"}
    told |= {"MALLOC_ARENA_MAX": set_by_hand} if set_by_hand else {}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=told, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall(r"^Arena \d+:", ended.stderr, re.MULTILINE)) == arenas
