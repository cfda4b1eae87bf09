"""A map of pictures as the files that TensorBoard's embedding projector opens."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import BadFile
from ...images import png
from ...index.thumbnails import thumbnails
from ...projections.picture_map import PictureMap
from ...projections.representation import POOLINGS, represent

__all__ = ["tensorboard"]

SPRITE = 8192  # pixels of TensorBoard's largest sprite


def tensorboard(result: PictureMap) -> dict[str, Callable[[], bytes] | bytes]:
    """Files for TensorBoard's embedding projector: the vectors that the map is of, the points, the classes, one sprite,
    and its config."""
    of = json.dumps(result.facts.get("layer", "features"))
    config = ["embeddings {", f"  tensor_name: {of}", '  tensor_path: "vectors.tsv"']
    config += ['  metadata_path: "metadata.tsv"', "  sprite {", '    image_path: "sprite.png"']
    side = _sprite_side(len(result.images))
    config += [f"    single_image_dim: {side}", f"    single_image_dim: {side}", "  }", "}", ""]
    return {
        "vectors.tsv": lambda: _tsv(_vectors(result)),
        "points.tsv": lambda: _tsv(result.points),
        "metadata.tsv": lambda: _metadata(result),
        "sprite.png": lambda: _sprite(result, side),
        "projector_config.pbtxt": "\n".join(config).encode(),
    }


def _sprite_side(count: int) -> int:
    columns = math.ceil(math.sqrt(count))
    return max(1, min(48, SPRITE // columns))


def _sprite(result: PictureMap, side: int) -> bytes:
    columns = math.ceil(math.sqrt(len(result.images)))
    made = thumbnails(
        result.index.images, result.images.tolist(), side, columns, bands=result.index.model.preprocess.bands
    )
    sheet = Image.open(io.BytesIO(made.sheets[0])).convert("RGB")
    square = Image.new("RGB", (columns * side, columns * side), (127, 127, 127))
    square.paste(sheet)
    return png(np.asarray(square))


def _vectors(result: PictureMap) -> NDArray[np.float32]:
    """Of a layer they are not kept: the pictures go through the network again."""
    layer, pooling = result.facts.get("layer"), result.facts.get("pooling") or POOLINGS[0]
    images, vectors = represent(result.index, layer, pooling, images=result.images)
    if len(images) < len(result.images):
        gone = len(result.images) - len(images)
        raise BadFile(f"{gone:,} pictures of this map cannot be read any more, so their vectors at {layer!r} are gone.")
    return vectors


def _tsv(rows: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.savetxt(file, rows, "%.7g", "\t")
    return file.getvalue()


def _metadata(result: PictureMap) -> bytes:
    lines = ["file\tlabel\tprediction\tconfidence"]
    for file, label, predicted, sure in zip(
        result.files, result.labels, result.predictions, result.confidence.tolist(), strict=True
    ):
        lines.append("\t".join(" ".join(str(cell).split()) for cell in (file, label or "", predicted, f"{sure:.4f}")))
    return ("\n".join(lines) + "\n").encode(errors="replace")
