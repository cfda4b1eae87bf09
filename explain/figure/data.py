"""csv and npz: the numbers behind a figure, exact."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from csv import writer
from typing import Any

import numpy as np

from ..archive import opened, part
from .facts import MOST_FACTS, facts_json
from .figure import RESERVED, Figure, between, export

_HEADER = 1024  # more bytes than stand before the characters of a text, which have four each
_FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")


@export("csv", "text/csv", facts=between(b"# explain: ", b"\n"), start=b"# explain: ", needs="table")
def csv(figure: Figure) -> bytes:
    return f"# explain: {facts_json(figure.facts)}\r\n".encode() + table_csv(figure.table)


def table_csv(table: Mapping[str, Sequence[Any]]) -> bytes:
    """Columns of one length, with their names, as CSV."""
    file = io.StringIO()
    rows = writer(file)
    rows.writerow(map(_cell, table))
    rows.writerows(map(_cell, row) for row in zip(*table.values(), strict=True))
    return file.getvalue().encode(errors="replace")


def _cell(value: Any) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe; numbers stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if not isinstance(value, int | float | np.number) and _FORMULA.match(text) else text


def _npz_facts(content: bytes) -> str | None:
    """By hand, since np.load takes as much memory as an array's header says."""
    with opened(content) as archive:
        if RESERVED[1] not in archive.namelist():
            return None
        member = io.BytesIO(part(archive, archive.getinfo(RESERVED[1]), 4 * MOST_FACTS + _HEADER))
    np.lib.format.read_magic(member)
    shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    return str(np.frombuffer(member.read(), dtype, 1)[0]) if shape == () and dtype.kind == "U" else None


@export("npz", "application/zip", facts=_npz_facts, start=b"PK", needs="arrays")
def npz(figure: Figure) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {**figure.arrays, "facts": np.array(facts_json(figure.facts))}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            # A ZipInfo of its own has no date, which np.savez would add.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return file.getvalue()
