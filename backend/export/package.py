"""Complete a package: what a product team needs to run the classifier without the studio.

Beside the GGUF file lie a classifier, a server, a client and a smoke test that need llama.cpp's wheel
alone, the prompt and the categories as tokens, and what studio has prepared: card, threshold, licences.
"""

import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

from backend.data.templates import Renderer
from backend.engine.answering import split_continuations
from backend.export import package_files
from backend.export.answers import Answers, Questions
from studio.contract import ExportSpec
from studio.samples.canonical import write_answer, write_question
from studio.samples.scheme import Scheme

SMOKE_TITLES = 20
_RUNTIME = ("news_classifier.py", "server.py", "client.py", "smoke_test.py")
_PROBE = "TITLETEXT"


def write_package(
    target: Path, spec: ExportSpec, renderer: Renderer, scheme: Scheme, questions: Questions,
    answers: Answers, *, files: Path,
) -> None:  # fmt: skip
    """Write all of a package but the weights.

    Args:
        answers: the export's own to the questions; what the smoke test expects.
        files: folder with what studio prepared; copied as it is.
    """
    own = Path(package_files.__file__).parent
    for name in _RUNTIME:
        shutil.copy(own / name, target)
    if files.is_dir():
        shutil.copytree(files, target, dirs_exist_ok=True)
    prompt = _prompt(renderer, scheme) | {"name": spec.name, "model": f"{spec.name}-{spec.quant}.gguf"}
    _write(target / "prompt.json", prompt)
    _write(target / "smoke_titles.json", _smoke_titles(questions, answers))
    (target / "requirements.txt").write_text(f"{_runtime()}\n", encoding="utf-8")


def _runtime() -> str:
    """Name the runtime as pip takes it: in the version that the proof was run with."""
    try:
        return f"xllamacpp=={importlib.metadata.version('xllamacpp')}"
    except importlib.metadata.PackageNotFoundError:
        return "xllamacpp>=2026.10"


def _prompt(renderer: Renderer, scheme: Scheme) -> dict[str, Any]:
    """Describe how a title is asked about, and the tokens of each category after an empty chain."""
    text = renderer.prompt([{"role": "user", "content": write_question(scheme.prompt, _PROBE)}])
    before, _, after = text.partition(_PROBE)
    answers = [renderer.answer(write_answer("", name), text) for name in scheme.names]
    direct, continuations = split_continuations(renderer, answers)
    return {
        "before": before,
        "after": after,
        "marks": list(renderer.marks.all),
        "direct": direct,
        "categories": dict(zip(scheme.names, continuations, strict=True)),
    }


def _smoke_titles(questions: Questions, answers: Answers) -> list[dict[str, str]]:
    """Choose titles with a clear answer, as evenly over the categories as there are such."""
    ranked: dict[str, list[tuple[float, str]]] = {}
    for title, scores in zip(questions.titles, answers.scores, strict=True):
        best, second = sorted(scores.values(), reverse=True)[:2]
        category = max(scores, key=lambda name: scores[name])
        ranked.setdefault(category, []).append((second - best, title))
    queues = {category: sorted(found) for category, found in ranked.items()}
    chosen: list[dict[str, str]] = []
    while len(chosen) < SMOKE_TITLES and any(queues.values()):
        for category, queue in queues.items():
            if queue and len(chosen) < SMOKE_TITLES:
                chosen.append({"title": queue.pop(0)[1], "category": category})
    return chosen


def _write(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
