"""What every benchmark here says of where and when it was measured; and the package, importable from the checkout."""

import datetime
import os
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def machine() -> str:
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores (load {load:.1f}), torch {version('torch')}, {datetime.date.today()}"
