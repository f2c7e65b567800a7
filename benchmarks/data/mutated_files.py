"""Fuzz `news-studio check` and `import` with mutated files: each must end with a message and exit code.

    python -m benchmarks.data.mutated_files [--files 10000] [--seed 1]

Good files and folders of eight kinds, each mutated at random: truncated, spliced, bytes overwritten, wrong
types, deep nesting, endless numbers, lone surrogates, duplicate keys, path traversal. Each goes through
both commands (every fourth check with --fix), in a process of its own that may take 600 MiB more than the
start of Python and 60 seconds. The expected exit codes are 1 and 2, and 0 for files that stay usable. This
program's is 1 when any ends with a traceback, a signal, another code, or without a message; the number of
each is printed, and repeats it with the same seed.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.mutated_files import run_all


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    arguments = parser.parse_args()
    began = time.perf_counter()
    numbers = range(arguments.first, arguments.first + arguments.files)
    with tempfile.TemporaryDirectory() as name:
        endings, faults = run_all(Path(name), numbers, arguments.seed)
    for (command, code), count in sorted(Counter((each[0], each[1].code) for each in endings).items()):
        sys.stdout.write(f"{command:7s} exit code {code}: {count}\n")
    slowest = max(ending.seconds for _, ending in endings)
    largest = max(ending.peak_mib for _, ending in endings)
    sys.stdout.write(
        f"{arguments.files} files, {len(faults)} faults; slowest {slowest:.1f} s, largest {largest:.0f} MiB,"
        f" {time.perf_counter() - began:.0f} s in all\n"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
