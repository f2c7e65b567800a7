"""What the tests of the pages share: a workspace with data, a model folder, and a scored run."""

import json
from pathlib import Path

import numpy
from safetensors.numpy import save_file

from studio import runs
from studio.contract import AnswerMode, Prediction, Result, ScoreFile, Step, TrainSpec
from studio.datasets.versions import freeze
from studio.evaluation.scores import score
from studio.ingest.importer import import_path
from studio.runs import Run
from studio.samples.canonical import read_answer, read_question, write_answer
from studio.samples.scheme import load_scheme
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, Workspace
from tests.support.model_folders import LAYER, make_adapter

CONFIG = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": 8}


def fill(db: Store, workspace: Workspace) -> Run:
    """Bundled samples, frozen, a base model, and a run that answered twenty rows."""
    import_path(db, BUNDLED_DATASET, load_scheme())
    freeze(db, workspace, "news", author="test", scheme=load_scheme())
    base_model(workspace.models / "small")
    return scored_run(workspace)


def base_model(folder: Path) -> Path:
    """A folder that passes for a base model; nothing can be computed with it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    tensors = {"model.embed_tokens.weight": numpy.zeros((16, 8)), f"{LAYER}.weight": numpy.zeros((8, 8))}
    save_file(tensors, folder / "model.safetensors")
    return folder


def scored_run(workspace: Workspace) -> Run:
    """A finished run: each category's first answer is right, its second is the next category's."""
    spec = TrainSpec(model_name_or_path=workspace.models / "small", dataset_dir=BUNDLED_DATASET)
    run = runs.prepare_run(workspace, spec, label="scored")
    evaluations = {}
    lines = []
    for answer in ("chain", "direct"):
        predictions = answered(answer)
        lines += [prediction.model_dump_json() for prediction in predictions]
        evaluations[answer] = score(
            predictions,
            load_scheme().names,
            answer=answer,
            seconds=2.0,
            baselines={"majority": 0.1, "tfidf": 0.4},
        )
    (run.folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    (run.folder / "scores.json").write_text(ScoreFile(evaluations=evaluations).model_dump_json(by_alias=True))
    (run.folder / "metrics.jsonl").write_text(step().model_dump_json() + "\n")
    (run.folder / "alive").touch()
    checkpoint = run.folder / "checkpoints/step_000001"
    checkpoint.parent.mkdir()
    make_adapter(checkpoint, spec.model_name_or_path)
    result = Result(status="done", seconds=61, peak_memory_gib=1, checkpoint="checkpoints/step_000001")
    (run.folder / "result.json").write_text(result.model_dump_json())
    return runs.get_run(workspace, run.id)


def step() -> Step:
    """One point of a curve."""
    return Step(
        step=1,
        total_steps=1,
        epoch=1,
        loss=2.5,
        learning_rate=0.001,
        tokens_per_second=1000,
        tokens_seen=100,
        elapsed_seconds=1,
        eta_seconds=0,
        memory_gib=0.5,
    )


def answered(answer: AnswerMode) -> list[Prediction]:
    """Two bundled evaluation rows of each category, answered; the very last cannot be read."""
    names = load_scheme().names
    rows = json.loads((BUNDLED_DATASET / "eval.json").read_text())
    seen: dict[str, int] = {}
    predictions = []
    for number, row in enumerate(rows):
        question, reply = (turn["value"] for turn in row["conversations"])
        said = read_answer(reply)
        seen[said.label] = seen.get(said.label, 0) + 1
        if seen[said.label] > 2:
            continue
        wrong = names[(names.index(said.label) + 1) % len(names)]
        predicted = said.label if seen[said.label] == 1 else wrong
        if predicted == names[0] and said.label == names[-1]:
            predicted = None
        predictions.append(
            Prediction(
                row=number,
                title=read_question(question, load_scheme().prompt)[0],
                label=said.label,
                label_chain=said.chain or "",
                answer=answer,
                predicted=predicted,
                chain="想了想。" if answer == "chain" else None,
                text=write_answer("想了想。", predicted or "旅游") if answer == "chain" else "",
            )
        )
    return predictions
