"""A worker that keeps the contract of a run folder and loads no model.

    python tiny_worker.py KIND FOLDER

It takes `max_steps` steps of 50 ms. Words in the run's label change what it does:
`deaf` does not look for a cancel, `stubborn` ignores SIGTERM too, `crash` dies without
a result.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

kind, folder = sys.argv[1], Path(sys.argv[2])
spec = json.loads((folder / "spec.json").read_text())
label = json.loads((folder / "run.json").read_text())["label"]
total = spec.get("max_steps", 1)


def finish(status: str) -> None:
    """Move result.json into place."""
    draft = folder / ".result.json"
    draft.write_text(
        json.dumps({"status": status, "seconds": 0.1, "peak_memory_gib": 0.1, "checkpoint": None})
    )
    draft.rename(folder / "result.json")
    print("ended", kind, status, time.time(), flush=True)


if "stubborn" in label:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("began", kind, time.time(), flush=True)
for step in range(1, total + 1):
    time.sleep(0.05)
    row = {
        "event": "step",
        "step": step,
        "total_steps": total,
        "epoch": 0.1,
        "loss": 1.0,
        "learning_rate": 0.1,
    }
    row |= {"tokens_per_second": 1.0, "tokens_seen": step, "elapsed_seconds": 0.05 * step, "memory_gib": 0.1}
    with (folder / "metrics.jsonl").open("a") as events:
        events.write(json.dumps({**row, "eta_seconds": 0.05 * (total - step)}) + "\n")
    if "crash" in label:
        os._exit(3)
    if (folder / "cancel").exists() and "deaf" not in label:
        finish("cancelled")
        sys.exit()
finish("done")
