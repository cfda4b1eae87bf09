"""parquet: the table with its types, by pyarrow, which is imported when it is asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..extras import extra
from .facts import MOST_FACTS, facts_json
from .figure import Figure, export


def _parquet_facts(content: bytes) -> str | None:
    if int.from_bytes(content[-8:-4], "little") > 4 * MOST_FACTS:  # they stand in it twice, once in base64
        return None
    facts = (extra("pyarrow.parquet").read_schema(io.BytesIO(content)).metadata or {}).get(b"explain")
    return facts.decode("ascii") if facts else None


@export("parquet", "application/vnd.apache.parquet", facts=_parquet_facts, start=b"PAR1", needs="table")
def parquet(figure: Figure) -> bytes:
    """Columns of numbers stay numbers, others become text as it is: nothing in a parquet file is run as a formula."""
    pyarrow, parquet_file = extra("pyarrow"), extra("pyarrow.parquet")
    columns = [_column(values) for values in figure.table.values()]
    table = pyarrow.table(columns, names=[_text(name) for name in figure.table])
    file = io.BytesIO()
    parquet_file.write_table(
        table.replace_schema_metadata({b"explain": facts_json(figure.facts).encode("ascii")}), file
    )
    return file.getvalue()


def _column(values: Sequence[Any]) -> Any:
    """As numbers of one type where that loses nothing, else as text; None stays empty."""
    pyarrow = extra("pyarrow")
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biuf" and values.itemsize <= 8:
        return pyarrow.array(values)
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    if all(value is None or isinstance(value, bool | int | float) for value in plain):
        try:
            return pyarrow.array(plain)
        except (pyarrow.ArrowException, OverflowError):  # a flag among numbers, or a number of more than 64 bits
            pass
    return pyarrow.array([None if value is None else _text(value) for value in plain], pyarrow.string())


def _text(value: object) -> str:
    """Without half surrogates, which UTF-8 has no bytes for."""
    return str(value).encode(errors="replace").decode()
