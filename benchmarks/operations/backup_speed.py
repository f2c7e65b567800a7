"""Measure a backup and its restore against a plain copy of the same bytes.

    python -m benchmarks.operations.backup_speed [--titles 1000000]

The titles are imported first, which takes longer than all the rest and is not measured.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.data.import_speed import invented_titles
from studio.ingest.importer import import_path
from studio.operations.backup import write_backup
from studio.operations.restore import restore
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import open_workspace


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, default=1_000_000)
    count = parser.parse_args().titles
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "titles.txt").write_text("\n".join(invented_titles(count)) + "\n")
        workspace = open_workspace(here / "home")
        with closing(open_store(workspace.database)) as db:
            import_path(db, here / "titles.txt", load_scheme())
        size = workspace.database.stat().st_size / 2**20
        plain = timed(lambda: shutil.copy(workspace.database, here / "copy.db"))
        backup = timed(lambda: write_backup(workspace, here / "backup.tar"))
        restored = timed(lambda: restore(here / "backup.tar", here / "restored"))
    print(f"{count:,} titles, {size:,.0f} MiB")
    for name, (wall, cpu) in {"plain copy": plain, "backup": backup, "restore": restored}.items():
        print(f"{name:<11} {wall:6.1f} s  {cpu:6.1f} CPU s  {wall / plain[0]:5.1f} x plain")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    began, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - cpu


if __name__ == "__main__":
    main()
