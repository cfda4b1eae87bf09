"""The explorer: a map of pictures one can walk in, in the app and as one page that opens offline.

`Cloud` says what is to be seen, `pack` and `words` what of it travels, `page` makes the offline file. The same
JavaScript draws both; the app mounts it in `explain.ui.explorer`.
"""

from .cloud import Cloud, Mark, Thumbs, bytes_per_point, pack, words
from .page import CSS, HTML, SCRIPT, describe, page

__all__ = ["CSS", "HTML", "SCRIPT", "Cloud", "Mark", "Thumbs", "bytes_per_point", "describe", "pack", "page", "words"]
