"""What `import explain` sets in the process of whoever imports it."""

import json
import os
import subprocess
import sys

import pytest

OURS = ("THP_MEM_ALLOC_ENABLE", "GOMP_SPINCOUNT")


def after(before="", **given):
    """The variables after the import, in a process that has these."""
    env = {name: value for name, value in os.environ.items() if name not in (*OURS, "OMP_WAIT_POLICY")} | given
    said = f"print(json.dumps({{name: os.environ.get(name) for name in {OURS}}}))"
    code = "\n".join(["import json, os", before, "import explain", said])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return tuple(json.loads(done.stdout).values())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ("1", "2000")),
        ({"EXPLAIN_TUNING": "off"}, (None, None)),
        ({"THP_MEM_ALLOC_ENABLE": "0", "GOMP_SPINCOUNT": "7"}, ("0", "7")),
        ({"OMP_WAIT_POLICY": "active"}, ("1", None)),
    ],
)
def test_what_is_said_stays(given, wanted):
    assert after(**given) == wanted


def test_what_comes_too_late_is_not_set():
    assert after("import torch") == ("1", None)
