"""A workspace with data, a model folder, and a scored run, for the tests of the pages."""

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
    """Fill a workspace: the bundled samples, frozen, a base model, and a run scored on twenty rows."""
    import_path(db, BUNDLED_DATASET, load_scheme())
    freeze(db, workspace, "news", author="test", scheme=load_scheme())
    base_model(workspace.models / "small")
    return scored_run(workspace)


def base_model(folder: Path) -> Path:
    """Write a folder that passes the check of a base model; nothing can be computed with it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    tensors = {"model.embed_tokens.weight": numpy.zeros((16, 8)), f"{LAYER}.weight": numpy.zeros((8, 8))}
    save_file(tensors, folder / "model.safetensors")
    return folder


def scored_run(workspace: Workspace) -> Run:
    """Write a finished run: each category's first answer is right, its second is the next category's."""
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
    """Make one step event, a point of the loss curve."""
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
    """Make predictions for two bundled eval rows of each category; the very last is unparsed."""
    names = load_scheme().names
    rows = json.loads((BUNDLED_DATASET / "eval.json").read_text())
    seen: dict[str, int] = {}
    predictions = []
    for number, row in enumerate(rows):
        question, reply = (turn["value"] for turn in row["conversations"])
        reference = read_answer(reply)
        seen[reference.label] = seen.get(reference.label, 0) + 1
        if seen[reference.label] > 2:
            continue
        wrong = names[(names.index(reference.label) + 1) % len(names)]
        predicted = reference.label if seen[reference.label] == 1 else wrong
        if predicted == names[0] and reference.label == names[-1]:
            predicted = None
        predictions.append(
            Prediction(
                row=number,
                title=read_question(question, load_scheme().prompt)[0],
                label=reference.label,
                label_chain=reference.chain or "",
                answer=answer,
                predicted=predicted,
                chain="想了想。" if answer == "chain" else None,
                text=write_answer("想了想。", predicted or "旅游") if answer == "chain" else "",
            )
        )
    return predictions
