"""The server that `python -m explain serve` starts: who is let in, and what is told to others (TRAPS 36-38, 54)."""

import base64
import os
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


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    port = free_port()
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "explain", "serve", "--port", str(port)],
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
