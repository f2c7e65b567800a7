"""Write a table as csv, tsv, xlsx, json, jsonl or parquet, row by row.

A row is a mapping; `added` are the columns that were put behind its own, whose texts a model wrote.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.classification._source import Source, cell_text
from studio.system.csv_export import safe_cell
from studio.system.portions import portions
from studio.system.xlsx_export import write_workbook

Row = Mapping[str, Any]
_PARQUET_ROWS = 10_000


def write_delimited(
    out: Path, source: Source, added: Sequence[str], rows: Iterable[Row], separator: str
) -> None:
    """Write text in the encoding and with the line ends that the sheet came in; UTF-8 where that has no room.

    Cells of the sheet's own stay as they were where they were cells of a text already; whatever else begins
    like a formula is escaped.
    """
    own = set(source.names) if source.kind == "delimited" else set()
    names = [*source.names, *added]

    def write(codec: str) -> None:
        with out.open("w", encoding=codec, newline="") as file:
            writer = csv.writer(file, delimiter=separator, lineterminator=source.line_end)
            writer.writerow([name if name in own else safe_cell(name) for name in names])
            for row in rows:
                cells = ((name, cell_text(row.get(name))) for name in names)
                writer.writerow([cell if name in own else safe_cell(cell) for name, cell in cells])

    is_text = source.kind in ("delimited", "titles")
    try:
        # Excel knows UTF-8 by its mark; whoever sent a text without one reads it without.
        write(source.codec if is_text else "utf-8-sig")
    except UnicodeEncodeError:
        write("utf-8-sig")


def write_xlsx(out: Path, source: Source, added: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a workbook of one sheet; texts stay texts, whatever they begin with."""
    names = [*source.names, *added]
    with out.open("wb") as file:
        write_workbook(file, names, ([cell_text(row.get(name)) for name in names] for row in rows))


def write_jsonl(out: Path, rows: Iterable[Row]) -> None:
    """Write an object a line."""
    with out.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(f"{_json(row)}\n" for row in rows)


def write_json(out: Path, rows: Iterable[Row]) -> None:
    """Write a list of objects, one a line."""
    with out.open("w", encoding="utf-8", errors="replace") as file:
        file.write("[")
        for number, row in enumerate(rows):
            file.write(f"{',' if number else ''}\n{_json(row)}")
        file.write("\n]\n")


def _json(row: Row) -> str:
    return json.dumps(dict(row), ensure_ascii=False, default=str)


def write_parquet(out: Path, path: Path, source: Source, added: Sequence[str], rows: Iterable[Row]) -> None:
    """Write parquet; the columns of a parquet file keep their types, those of others are texts."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    writer = None
    try:
        for table, part in _tables(path, source, rows):
            for name in added:
                table = table.append_column(name, arrow.array([row[name] for row in part], _type(name)))
            writer = writer or parquet.ParquetWriter(out, table.schema)
            writer.write_table(table)
    finally:
        if writer:
            writer.close()


def _type(name: str) -> Any:
    import pyarrow as arrow

    if name.endswith("confidence"):
        return arrow.float64()
    if name.endswith("top3"):
        return arrow.list_(arrow.struct([("category", arrow.string()), ("probability", arrow.float64())]))
    return arrow.string()


def _tables(path: Path, source: Source, rows: Iterable[Row]) -> Iterator[tuple[Any, Sequence[Row]]]:
    """Stream the sheet's own columns as tables, each with the rows that belong to it."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if path.suffix.lower() == ".parquet":
        remaining = iter(rows)
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                yield arrow.Table.from_batches([batch]), [next(remaining) for _ in range(batch.num_rows)]
        return
    for part in portions(rows, _PARQUET_ROWS):
        columns = {name: [_text(row.get(name)) for row in part] for name in source.names}
        yield arrow.table({name: arrow.array(cells, arrow.string()) for name, cells in columns.items()}), part


def _text(value: Any) -> str | None:
    found = cell_text(value)
    return None if found is None else str(found)
