"""Record a finished run as the bundled sample run.

    news-studio train --dataset bundled --home HOME
    python data/sample_run/record.py HOME/runs/ID

Copies the run to data/sample_run with paths relative to the repository, without the files
that only its own machine needs: the lock, the log and the tokenizer, which is the base's.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN

ROOT = SAMPLE_RUN.parent.parent
FILES = ("run.json", "spec.json", "metrics.jsonl", "predictions.jsonl", "scores.json", "result.json")
ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "chat_template.jinja")


def main() -> None:
    """Copy the run and make its paths relative."""
    run = Path(sys.argv[1])
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    shutil.rmtree(SAMPLE_RUN, ignore_errors=True)
    checkpoint = SAMPLE_RUN / result["checkpoint"]
    checkpoint.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(run / name, SAMPLE_RUN / name)
    for name in ADAPTER:
        shutil.copyfile(run / result["checkpoint"] / name, checkpoint / name)
    base = str(BUNDLED_MODEL.relative_to(ROOT))
    data = str(BUNDLED_DATASET.relative_to(ROOT))
    update(SAMPLE_RUN / "spec.json", model_name_or_path=base, dataset_dir=data)
    update(checkpoint / "adapter_config.json", base_model_name_or_path=base)
    update(SAMPLE_RUN / "run.json", id="sample_run", label="")


def update(file: Path, **values: Any) -> None:
    """Update values of a JSON file."""
    document = {**json.loads(file.read_text(encoding="utf-8")), **values}
    file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
