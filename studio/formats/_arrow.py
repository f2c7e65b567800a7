"""Stream the rows of parquet files and of data sets that `datasets` saved to disk.

pyarrow is imported where it is needed: most files do without. Class names come from the
features that `datasets` keeps in the schema.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from studio.formats._file_types import broken_file, require_bounded_parquet

_BATCH = 500
"""Rows that are in memory at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrowTable:
    """A table: its column names, class names by column, and what streams its rows, numbered from 1."""

    names: tuple[str, ...]
    class_names: Mapping[str, tuple[str, ...]]
    rows: Callable[[], Iterator[tuple[int, Any]]]


def open_parquet(path: Path, name: str) -> ArrowTable:
    """Open a parquet file.

    Raises:
        UnreadableFile: not a parquet file, or too large.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise broken_file(name, error) from error
    require_bounded_parquet(file.metadata, name)
    schema = file.schema_arrow
    file.close()

    def rows() -> Iterator[tuple[int, Any]]:
        try:
            with parquet.ParquetFile(path) as opened:
                batches = opened.iter_batches(batch_size=_BATCH)
                yield from enumerate((_plain(row) for batch in batches for row in batch.to_pylist()), start=1)
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise broken_file(name, error) from error

    return ArrowTable(names=tuple(map(str, schema.names)), class_names=_class_names(schema), rows=rows)


def open_arrow(path: Path, name: str) -> ArrowTable:
    """Open an arrow file, of the stream or of the file format.

    Raises:
        UnreadableFile: neither of them.
    """
    import pyarrow as arrow

    def opened(source: Any) -> Any:
        try:
            return arrow.ipc.open_stream(source)
        except (arrow.ArrowException, OSError, ValueError):
            source.seek(0)
            return arrow.ipc.open_file(source)

    def rows() -> Iterator[tuple[int, Any]]:
        try:
            with arrow.memory_map(str(path)) as source:
                reader = opened(source)
                is_stream = not hasattr(reader, "num_record_batches")
                batches = reader if is_stream else map(reader.get_batch, range(reader.num_record_batches))
                pieces = (
                    batch.slice(at, _BATCH) for batch in batches for at in range(0, batch.num_rows, _BATCH)
                )
                yield from enumerate((_plain(row) for piece in pieces for row in piece.to_pylist()), start=1)
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise broken_file(name, error) from error

    try:
        with arrow.memory_map(str(path)) as source:
            schema = opened(source).schema
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise broken_file(name, error) from error
    return ArrowTable(names=tuple(map(str, schema.names)), class_names=_class_names(schema), rows=rows)


def _class_names(schema: Any) -> dict[str, tuple[str, ...]]:
    """Read the class names of the columns from the features that `datasets` keeps in a schema."""
    metadata = schema.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        for described in (feature, feature.get("feature") if isinstance(feature, dict) else None):
            names = described.get("names") if isinstance(described, dict) else None
            if isinstance(names, dict):  # older card YAML: {"0": "体育"}
                names = [
                    names[key] for key in sorted(names, key=lambda key: int(key) if key.isdigit() else 0)
                ]
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                found[str(column)] = tuple(names)
    return found


def _plain(value: Any) -> Any:
    """Convert a value to what JSON has: NaN becomes None, dates become text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value
