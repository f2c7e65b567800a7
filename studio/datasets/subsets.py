"""Write part of a dataset's training rows beside all of its evaluation rows, for a learning curve.

mixed/<key>/  train.json  eval.json  dataset_info.json
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from studio.datasets.mixed_eval import EVAL, TRAIN, read_part, write_parts
from studio.workspace import Workspace


def write_subset(workspace: Workspace, folder: Path, rows: Sequence[int]) -> Path:
    """Write these training rows of a dataset folder, made once for each content; returns the new folder.

    Raises:
        UnreadableFile: the folder is not one that the studio froze, or a file of it is missing.
        DiskFull: nothing was written.
    """
    entry, content = read_part(folder, TRAIN)
    every = json.loads(content)
    kept = json.dumps([every[row] for row in rows], ensure_ascii=False).encode()
    parts = {TRAIN: (entry, kept), EVAL: read_part(folder, EVAL)}
    digest = hashlib.sha256()
    for part_entry, part in parts.values():
        digest.update(json.dumps(part_entry, sort_keys=True).encode() + part)
    target = workspace.home / "mixed" / digest.hexdigest()[:20]
    if not target.is_dir():
        write_parts(target, parts, folder)
    return target
