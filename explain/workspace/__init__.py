"""Where things live, by name: pictures of the shipped sets, uploads that expire, indexes, trained models.

Names are loaded when they are first used: who only lists what is here needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .. import store
from .budget import admitted
from .folder import own, root
from .model_names import list_models, list_runs

if TYPE_CHECKING:
    from .indexes import build_index as build_index
    from .indexes import complete_indexes as complete_indexes
    from .indexes import index_folder as index_folder
    from .indexes import list_indexes as list_indexes
    from .indexes import list_peers as list_peers
    from .indexes import open_index as open_index
    from .kept import keep_answers as keep_answers
    from .kept import thumbnails_of as thumbnails_of
    from .models import load_model as load_model
    from .models import model_folder as model_folder
    from .models import open_run as open_run
    from .models import run_folder as run_folder
    from .pictures import open_picture as open_picture
    from .uploads import keep_upload as keep_upload
    from .uploads import prune_uploads as prune_uploads

store.ask_before(admitted)

_HOMES = {
    "build_index": "indexes",
    "complete_indexes": "indexes",
    "index_folder": "indexes",
    "keep_answers": "kept",
    "keep_upload": "uploads",
    "list_indexes": "indexes",
    "list_peers": "indexes",
    "load_model": "models",
    "model_folder": "models",
    "open_index": "indexes",
    "open_picture": "pictures",
    "open_run": "models",
    "prune_uploads": "uploads",
    "run_folder": "models",
    "thumbnails_of": "kept",
}
__all__ = ["list_models", "list_runs", "own", "root", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
