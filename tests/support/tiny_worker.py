"""A tiny worker that keeps the contract of a run folder and loads no model.

    python tiny_worker.py KIND FOLDER

It takes `max_steps` steps of 50 ms and resumes from the newest checkpoint. Words in the
run's label change its behaviour: `deaf` ignores requests to pause or cancel, `stubborn` ignores
SIGTERM too, `crash` dies without a result, `saves` saves a checkpoint after every step.
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
rank = os.environ.get("RANK", "0")


def save(step: int) -> str:
    """Save a checkpoint that training can resume from."""
    checkpoint = folder / "checkpoints" / f"step_{step:06d}"
    (checkpoint / "resume").mkdir(parents=True, exist_ok=True)
    (checkpoint / "resume" / "loop.json").write_text(json.dumps({"step": step}))
    return f"checkpoints/{checkpoint.name}"


def last_step() -> int:
    """Return the step of the newest checkpoint; 0 without one."""
    return max((int(path.name[5:]) for path in folder.glob("checkpoints/step_*")), default=0)


def finish(status: str, checkpoint: str | None = None) -> None:
    """Move result.json into place."""
    draft = folder / ".result.json"
    draft.write_text(
        json.dumps({"status": status, "seconds": 0.1, "peak_memory_gib": 0.1, "checkpoint": checkpoint})
    )
    draft.rename(folder / "result.json")
    print("ended", kind, status, time.time(), flush=True)


if "stubborn" in label:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
seen = {
    "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "world": os.environ.get("WORLD_SIZE"),
    "pid": os.getpid(),
}
(folder / f"seen-{rank}.json").write_text(json.dumps(seen))
if rank != "0":
    time.sleep(0.05 * total)
    sys.exit()
print("began", kind, time.time(), flush=True)
for step in range(last_step() + 1, total + 1):
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
    if "saves" in label:
        save(step)
    if "crash" in label:
        os._exit(3)
    if (folder / "cancel").exists() and "deaf" not in label:
        finish("cancelled")
        sys.exit()
    if (folder / "pause").exists() and "deaf" not in label:
        finish("paused", save(step))
        sys.exit()
finish("done")
