"""Read the class names that lie beside a file of class numbers, as THUCNews has them in class.txt."""

from contextlib import suppress
from pathlib import Path

from studio.formats._tables import Heading

_CLASS_FILE_BYTES = 1 << 16
_CLASSES = 500


def named_classes(path: Path, heading: Heading) -> dict[str, tuple[str, ...]]:
    """Read the class names that lie beside a file without heading, as THUCNews has them in class.txt."""
    if heading.row or heading.is_list:
        return {}
    for name in ("class.txt", "classes.txt", "labels.txt", "label.txt"):
        beside = path.with_name(name)
        with suppress(OSError, UnicodeDecodeError, ValueError):
            if beside != path and beside.is_file() and beside.stat().st_size < _CLASS_FILE_BYTES:
                lines = beside.read_text(encoding="utf-8-sig").split("\n")
                names = tuple(line.strip() for line in lines if line.strip())
                if 1 < len(names) <= _CLASSES and all(len(name) <= 30 for name in names):
                    return dict.fromkeys(heading.names, names)
    return {}
