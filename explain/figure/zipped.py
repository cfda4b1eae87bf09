"""zip: the files of a figure's bundle together with its facts."""

from __future__ import annotations

import io
import zipfile

from .facts import facts_json
from .figure import RESERVED, Figure, export

_FACTS = RESERVED[0]


def _zip_facts(content: bytes) -> str | None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(_FACTS).decode("ascii") if _FACTS in archive.namelist() else None


@export("zip", "application/zip", facts=_zip_facts, start=b"PK", needs="bundle")
def zipped(figure: Figure, *_: float) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**figure.bundle, _FACTS: facts_json(figure.facts).encode("ascii")}.items():
            member = zipfile.ZipInfo(name)  # one of its own has no date
            member.external_attr = 0o644 << 16  # without it nobody may read the unpacked file
            member.create_system = 3  # Unix, on every machine
            archive.writestr(member, content() if callable(content) else content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
