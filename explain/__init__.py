"""Look inside a convolutional network.

    import explain
    model = explain.load_model("efficientnet-lite0")
    image = explain.load_images("photos")[0]
    model.predict(image)
    explain.saliency(model, image, method="grad_cam").save("cat.png")

Names are loaded when they are first used, so that `import explain` costs nothing.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import list_images as list_images
    from .data import load_images as load_images
    from .errors import ExplainError as ExplainError
    from .figure import read_facts as read_facts
    from .index import Index as Index
    from .index import merge_indexes as merge_indexes
    from .network.zoo import save_model as save_model
    from .training import train as train
    from .views.activations import compute as activations
    from .views.anatomy import compute as anatomy
    from .views.augmentations import compute as augmentations
    from .views.batch_costs import compute as batch_costs
    from .views.channel import compute as channel
    from .views.channel_health import compute as channel_health
    from .views.compare import compute as compare
    from .views.confusion import compute as confusion
    from .views.embedding import compute as embedding
    from .views.filters import compute as filters
    from .views.hierarchy import compute as hierarchy
    from .views.leaderboard import compute as leaderboard
    from .views.lectures import compute as lectures
    from .views.neighbours import compute as neighbours
    from .views.output_size import compute as output_size
    from .views.patches import compute as patches
    from .views.saliency import compute as saliency
    from .views.training_curves import compute as training_curves
    from .views.trust import compute as trust
    from .views.unit import compute as unit
    from .workspace import build_index as build_index
    from .workspace import list_models as list_models
    from .workspace import load_model as load_model
    from .workspace import open_index as open_index
    from .workspace import open_picture as open_picture
    from .workspace.classify import classify_image as classify_image
    from .workspace.classify import predict as predict
    from .workspace.redraw import redraw as redraw

__version__ = "0.1.0"

# Torch reads this at its first allocation: 2 MB pages for large tensors. With pages of 4 kB, half the time of
# efficientnet-lite0's pass on a CPU goes into page faults, and keeping activations costs another fifth.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# GNU's OpenMP reads this when torch is loaded: its threads wait for some microseconds and then sleep. Unless told, they
# spin for milliseconds on the cores that our own threads work on between two layers, a fifth of the index's time.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_HOMES = {
    "ExplainError": ("errors", "ExplainError"),
    "activations": ("views.activations", "compute"),
    "anatomy": ("views.anatomy", "compute"),
    "augmentations": ("views.augmentations", "compute"),
    "batch_costs": ("views.batch_costs", "compute"),
    "build_index": ("workspace", "build_index"),
    "channel": ("views.channel", "compute"),
    "channel_health": ("views.channel_health", "compute"),
    "classify_image": ("workspace.classify", "classify_image"),
    "compare": ("views.compare", "compute"),
    "confusion": ("views.confusion", "compute"),
    "embedding": ("views.embedding", "compute"),
    "filters": ("views.filters", "compute"),
    "hierarchy": ("views.hierarchy", "compute"),
    "leaderboard": ("views.leaderboard", "compute"),
    "lectures": ("views.lectures", "compute"),
    "list_images": ("data", "list_images"),
    "list_models": ("workspace", "list_models"),
    "load_images": ("data", "load_images"),
    "load_model": ("workspace", "load_model"),
    "merge_indexes": ("index", "merge_indexes"),
    "neighbours": ("views.neighbours", "compute"),
    "open_index": ("workspace", "open_index"),
    "open_picture": ("workspace", "open_picture"),
    "output_size": ("views.output_size", "compute"),
    "patches": ("views.patches", "compute"),
    "predict": ("workspace.classify", "predict"),
    "read_facts": ("figure", "read_facts"),
    "redraw": ("workspace.redraw", "redraw"),
    "saliency": ("views.saliency", "compute"),
    "save_model": ("network.zoo", "save_model"),
    "train": ("training", "train"),
    "training_curves": ("views.training_curves", "compute"),
    "trust": ("views.trust", "compute"),
    "unit": ("views.unit", "compute"),
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Explain(ModuleType):
    """Some floors have the name of a function of the library: `explain.embedding(...)`, and explain/embedding/.

    Importing such a package leaves the name to the function; `from explain.embedding import ...` finds the package.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Explain
