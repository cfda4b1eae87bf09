"""zip: the files of a figure's bundle together with its facts."""

from __future__ import annotations

import io
import zipfile

from ..archive import opened, part
from .facts import MOST_FACTS, facts_json
from .figure import RESERVED, Figure, export

_FACTS = RESERVED[0]


def _zip_facts(content: bytes) -> str | None:
    with opened(content) as archive:
        known = _FACTS in archive.namelist()
        return part(archive, archive.getinfo(_FACTS), MOST_FACTS + 1).decode("ascii") if known else None


@export("zip", "application/zip", facts=_zip_facts, start=b"PK", needs="bundle")
def zipped(figure: Figure) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**figure.bundle, _FACTS: facts_json(figure.facts).encode("ascii")}.items():
            member = zipfile.ZipInfo(name)  # one of its own has no date
            member.external_attr = 0o644 << 16  # without it nobody may read the unpacked file
            member.create_system = 3  # Unix, on every machine
            archive.writestr(member, content() if callable(content) else content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
