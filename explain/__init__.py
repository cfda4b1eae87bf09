"""Look inside a convolutional network.

    import explain
    model = explain.load_model("efficientnet-lite0")
    image = explain.load_images("photos")[0]
    model.predict(image)
    explain.saliency(model, image, method="grad_cam").save("cat.png")

Names are loaded when they are first used, so that `import explain` costs nothing. Type checkers and editors read
__init__.pyi, which scripts/stubs.py writes.
"""

import os
import sys
from importlib import import_module
from typing import Any

from .version import __version__ as __version__

# What a user has set stays; EXPLAIN_TUNING=off leaves both alone.
if os.environ.get("EXPLAIN_TUNING", "").strip().lower() not in ("off", "0", "no", "false"):
    # Torch reads this at its first allocation: 2 MB pages for large tensors. With pages of 4 kB, half the time of
    # efficientnet-lite0's pass on a CPU goes into page faults, and keeping activations costs another fifth.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # GNU's OpenMP reads this when torch is loaded, and not later: its threads wait for some microseconds and then
    # sleep. Unless told, they spin for milliseconds on the cores that our own threads work on between two layers, a
    # fifth of the index's time.
    if "OMP_WAIT_POLICY" not in os.environ and "torch" not in sys.modules:
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_HOMES = {
    "ExplainError": "errors",
    "Index": "index",
    "Model": "network.model",
    "Preprocess": "network.preprocess",
    "batch": "workspace.batch",
    "build_index": "workspace",
    "classify_image": "workspace.lecture_classifier",
    "cover": "images",
    "list_images": "data",
    "list_models": "workspace",
    "load_images": "data",
    "load_model": "workspace",
    "merge_indexes": "index",
    "open_index": "workspace",
    "open_picture": "workspace",
    "open_run": "workspace",
    "predict": "workspace.lecture_classifier",
    "read_facts": "figure",
    "redraw": "workspace.redraw",
    "save_model": "network.zoo",
    "train": "training",
    "wrap": "network.wrap",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    else:
        from .views import VIEWS  # not before it is asked for: most of the import's time

        if name == "__all__":
            return sorted([*_HOMES, *VIEWS, "VIEWS", "__version__"])
        if name != "VIEWS" and name not in VIEWS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = VIEWS if name == "VIEWS" else VIEWS[name].compute
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    names: list[str] = __getattr__("__all__")
    return names
