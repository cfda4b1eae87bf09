"""What a picture may be at most, and what is said of one that is more, or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BadFile, ExplainError, shorten

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
MAX_ASPECT = 20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def formats() -> str:
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"


def check_size(size: tuple[int, int], label: str) -> None:
    """Raises BadFile for more pixels, or a longer shape, than is opened."""
    width, height = size
    if not (width > 0 and height > 0):
        raise BadFile(f"{label} has no pixels ({width} x {height}); a picture has at least one.")
    if width * height > MAX_PIXELS:
        raise BadFile(
            f"{label} has {width} x {height} pixels; {MAX_PIXELS // 10**6} million pixels are the most allowed."
        )
    if max(size) > MAX_ASPECT * min(size):
        raise BadFile(
            f"{label} has {width} x {height} pixels; its long side may be at most {MAX_ASPECT} times the short one."
        )


@contextmanager
def guarded(label: str, wanted: str = "") -> Iterator[None]:
    """Whatever a reader raises on a damaged file, which is nearly anything, as one BadFile."""
    try:
        yield
    except ExplainError:
        raise
    except (Exception, MemoryError) as error:
        reason = shorten(str(error)) if str(error) else type(error).__name__
        raise BadFile(
            f"{label} is damaged or of an unknown kind ({reason}); save it again as {wanted or formats()}."
        ) from error
