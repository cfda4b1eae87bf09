"""Where things live, by name: pictures of the shipped sets, uploads that expire, indexes, trained models."""

from .. import store
from .budget import admitted
from .folder import own, root
from .indexes import build_index, index_folder, list_indexes, open_index
from .kept import keep_answers, thumbnails_of
from .models import list_models, list_runs, load_model, model_folder, open_run, run_folder
from .pictures import open_picture
from .uploads import keep_upload, prune_uploads

store.ask_before(admitted)

__all__ = [
    "build_index",
    "index_folder",
    "keep_answers",
    "keep_upload",
    "list_indexes",
    "list_models",
    "list_runs",
    "load_model",
    "model_folder",
    "open_index",
    "open_picture",
    "open_run",
    "own",
    "prune_uploads",
    "root",
    "run_folder",
    "thumbnails_of",
]
