"""Mutated files against everything that reads a stranger's bytes; `scripts/fuzz` runs it.

One process of its own takes the inputs, one by one, and says how each ended. A failure is an exception that is no
ExplainError, more memory than the target is given, an input that takes too long, and the end of that process. Each is
kept as TARGET-SEED-NUMBER.bin beside a .txt that says what it was, and `--replay FILE` asks it again.

An input follows from the seed, its number and the target's files. A small mutator of our own does: inputs are made of
real files, the parsers behind are mostly C without coverage to steer by, and what is looked for is size and time.
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import re
import resource
import select
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

MB = 1 << 20
PATIENCE = 40.0  # seconds after which the process is ended
LARGEST_SEED, LARGEST = 256 << 10, 4 << 20  # bytes of a file to begin with, of an input
HARD = 8 << 30  # bytes of memory at which the process is stopped
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 10**6, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True)
class Target:
    """files: what inputs are made of. ask: called with an input and an empty folder. words: put in, also many times.

    memory, seconds: MB and time that one input may take; machines are shared. endings: of other corpora's files of this
    kind.
    """

    files: Callable[[], list[bytes]]
    ask: Callable[[bytes, Path], object]
    words: tuple[bytes, ...] = ()
    memory: int = 256
    seconds: float = 20
    endings: tuple[str, ...] = ()


def mutated(files: list[bytes], words: tuple[bytes, ...], chance: random.Random) -> bytes:
    """One of the files with some changes; the same for the same state of chance."""
    content = chance.choice(files)
    if content[:4] == b"PK\3\4" and chance.random() < 0.6:
        content = _repacked(content, words, chance)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        content = chance.choice(CHANGES)(bytearray(content), files, words, chance)
    if content[:4] == b"\x89PNG" and chance.random() < 0.7:
        content = _checksummed(content)
    return bytes(content[:LARGEST])


def _flip(content, files, words, chance):
    for _ in range(chance.choice((1, 2, 16))):
        if content:
            content[_place(content, chance)] ^= 1 << chance.randrange(8)
    return content


def _number(content, files, words, chance):
    kind = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    place, value = _place(content, chance), chance.choice(NUMBERS) % 256 ** struct.calcsize(kind)
    content[place : place + struct.calcsize(kind)] = struct.pack(kind, value)
    return content


def _digits(content, files, words, chance):
    found = list(re.finditer(rb"-?\d+", content))
    if found:
        one = chance.choice(found)
        value = chance.choice((b"-1", b"0", b"1e999", b"NaN", b"9" * 30, b"1" * 5000, b"%d" % chance.choice(NUMBERS)))
        content[one.start() : one.end()] = value
    return content


def _cut(content, files, words, chance):
    a, b = sorted((_place(content, chance), _place(content, chance)))
    del content[a : chance.choice((b, len(content), a + 1))]
    return content


def _repeat(content, files, words, chance):
    a = _place(content, chance)
    block = bytes(content[a : a + chance.choice((1, 4, 16, 256, 4096))])
    content[a:a] = block * min(chance.choice((1, 2, 100, 20_000)), LARGEST // (len(block) or 1))
    return content


def _word(content, files, words, chance):
    word = chance.choice((*words, b"[", b"{", b"(", b"\0", b"\xff", b'"', b"\n", b"\xed\xa0\x80", b","))
    place = _place(content, chance)
    content[place:place] = word * min(chance.choice((1, 2, 1000, 100_000)), LARGEST // len(word))
    return content


def _splice(content, files, words, chance):
    other = chance.choice(files)
    return content[: _place(content, chance)] + other[_place(other, chance) :]


CHANGES = (_flip, _flip, _number, _number, _digits, _cut, _repeat, _word, _splice)


def _place(content, chance):
    """Anywhere, rather near an end, where the headers are."""
    near = chance.choice((len(content), 64, 512))
    place = chance.randrange(max(min(near, len(content)), 1))
    return place if chance.random() < 0.75 else max(len(content) - 1 - place, 0)


def _repacked(content, words, chance):
    """The members of a ZIP changed, and packed again in any way."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = [(one.filename, archive.read(one)) for one in archive.infolist()]
    except Exception:
        return content
    at = chance.randrange(len(members) or 1)
    names = ("../x", "a/b/c.png", "", "x" * 300, "a\\b.png", ".hidden.png")
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for number, (name, member) in enumerate(members):
            if number == at:
                name = chance.choice((name, name, name, *names))
                member = chance.choice((mutated([member], words, chance), bytes(chance.choice((0, 30 * MB)))))
            archive.writestr(zipfile.ZipInfo(name or "a"), member, chance.choice((0, 8, 8, 12, 14)))
    return whole.getvalue()


def _checksummed(content):
    """A PNG whose chunks' checksums are right, so that it is read further than these."""
    content, at = bytearray(content), 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4])
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return content


# ------------------------------------------------------------ the process that is asked


def _serve(module: str, corpus: str, current: Path) -> None:
    from explain.errors import ExplainError

    targets = importlib.import_module(module).TARGETS
    files = {name: [*target.files(), *_others(corpus, target.endings)] for name, target in targets.items()}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (HARD, HARD))
    for name, target in targets.items():  # what is imported when it is first needed
        with tempfile.TemporaryDirectory() as folder:
            target.ask(files[name][0], Path(folder))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries warn of
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        target, name = targets[job["target"]], job["target"]
        if "file" in job:
            content = Path(job["file"]).read_bytes()
        else:
            content = mutated(files[name], target.words, random.Random(f"{name} {job['seed']} {job['number']}"))
        current.write_bytes(content)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start, failure = _peak(), time.monotonic(), ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                target.ask(content, Path(folder))
            except ExplainError:
                pass
            except BaseException as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                failure = f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"
        grown = _peak() - before
        if not failure and grown > target.memory * MB:
            failure = f"took {grown >> 20} MB of memory"
        if not failure and time.monotonic() - start > target.seconds:
            failure = f"took {time.monotonic() - start:.0f} s"
        print(json.dumps({"failure": failure}), file=answers, flush=True)


def _peak() -> int:
    """Bytes of memory that this process has had at most; getrusage counts what its parent had before."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10
    except (OSError, TypeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _others(corpus: str, endings: tuple[str, ...]) -> list[bytes]:
    if not corpus:
        return []
    paths = sorted(one for one in Path(corpus).rglob("*") if one.suffix.lower() in endings and one.is_file())
    return [one.read_bytes() for one in paths if one.stat().st_size <= LARGEST_SEED]


# ------------------------------------------------------------ who asks


class Asked:
    """The process, started again where it has ended."""

    def __init__(self, module: str = "fuzz_targets", corpus: str = "", patience: float = PATIENCE) -> None:
        self.patience = patience
        self.command = [sys.executable, __file__, "--serve", module, "--corpus", corpus, "--current"]
        self.current = Path(tempfile.mkdtemp(prefix="explain-fuzz-")) / "input"
        self.process = None

    def ask(self, job: dict) -> str:
        """What was wrong, or nothing."""
        if self.process is None:
            path = os.pathsep.join(
                filter(None, [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])
            )
            self.process = subprocess.Popen(
                [*self.command, str(self.current)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            if self._line(300) != "ready":
                raise SystemExit(f"{self.command[3]} cannot be started")
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        line = self._line(self.patience)
        if line:
            return json.loads(line)["failure"]
        self.process.kill()
        code = self.process.wait()
        self.process = None
        return f"took longer than {self.patience:g} s" if line is None else f"ended the process ({code})"

    def _line(self, seconds: float) -> str | None:
        """The next; None where none comes in time, "" at the end."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return self.process.stdout.readline().decode().strip() if ready else None

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.current.unlink(missing_ok=True)
        self.current.parent.rmdir()


def fuzz(names: list[str], seconds: float, seed: int, out: Path, asked: Asked) -> tuple[dict[str, int], list[Path]]:
    """How many inputs each target was given in its share of the time, and the failures, which are kept in `out`."""
    counts, kept, known = dict.fromkeys(names, 0), [], set()
    asked.ask({"target": names[0], "seed": seed, "number": 0})  # starts it, outside the time
    for name in names:
        end = time.monotonic() + seconds / len(names)
        while time.monotonic() < end:
            failure = asked.ask({"target": name, "seed": seed, "number": counts[name]})
            counts[name] += 1
            kind = (name, re.sub(r"\d+", "", failure[-60:]))
            if failure and kind not in known:  # one of a kind is enough
                known.add(kind)
                out.mkdir(parents=True, exist_ok=True)
                file = out / f"{name}-{seed}-{counts[name] - 1}.bin"
                file.write_bytes(asked.current.read_bytes())
                file.with_suffix(".txt").write_text(f"{failure}\n")
                kept.append(file)
                print(f"{file}: {failure}", flush=True)
    return counts, kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", help="some of them; by default all")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", default="", help="a folder of more files to begin with, as scripts/corpora fetches")
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--replay", type=Path, nargs="+", default=[], help="inputs that failed, TARGET-SEED-NUMBER.bin")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--current", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve(given.serve, given.corpus, given.current)
        return 0
    asked = Asked(corpus=given.corpus)
    try:
        if given.replay:
            said = {}
            for file in given.replay:
                said[file] = asked.ask({"target": file.name.partition("-")[0], "file": str(file)})
            for file, failure in said.items():
                print(f"{file}: {failure or 'fine'}")
            return int(any(said.values()))
        from fuzz_targets import TARGETS

        if unknown := [name for name in given.targets if name not in TARGETS]:
            parser.error(f"no target {unknown[0]!r}; valid: {', '.join(TARGETS)}")
        counts, kept = fuzz(given.targets or list(TARGETS), given.seconds, given.seed, given.out, asked)
        print(f"{', '.join(f'{name} {count:,}' for name, count in counts.items())}; {len(kept)} kinds of failure")
        return int(bool(kept))
    finally:
        asked.close()


if __name__ == "__main__":
    sys.exit(main())
