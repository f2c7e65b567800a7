"""Answers of other programs become evaluations: LLaMA-Factory, OpenAI batches, tables; and any run goes out."""

import io
import json

import pyarrow.parquet as pq
import pytest

from studio import runs
from studio.contract import EvaluateSpec
from studio.datasets.lookup import resolve_dataset
from studio.errors import InputError, RunFailed, UnreadableFile
from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import entries_of
from studio.evaluation.foreign_answers import title_in_prompt
from studio.evaluation.prediction_import import export_predictions, import_predictions
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import SAMPLE_RUN, open_workspace

SCHEME = load_scheme()
RECORDED = [json.loads(line) for line in (SAMPLE_RUN / "predictions.jsonl").read_text("utf-8").splitlines()]
CHAIN = [row for row in RECORDED if row["answer"] == "chain"]
RIGHT = sum(row["predicted"] == row["label"] for row in CHAIN)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return open_workspace(tmp_path_factory.mktemp("home"))


def imported(place, path, dataset="bundled", **options):
    found = resolve_dataset(place, dataset) if dataset else None
    return import_predictions(open_store(place.database), place, path, found, author="li", **options)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def of_llamafactory(row):
    return {
        "prompt": f"<|im_start|>user\n{SCHEME.prompt}{row['title']}<|im_end|>\n<|im_start|>assistant\n",
        "predict": row["text"],
        "label": f"<think>\n{row['label_chain']}\n</think>\n\n{row['label']}",
    }


def test_llamafactory_predictions_are_compared_like_the_run_that_they_are_from(place, tmp_path):
    file = write_lines(tmp_path / "generated_predictions.jsonl", map(of_llamafactory, CHAIN))
    report = imported(place, file)
    assert (report.origin, report.imported, report.missing, report.unmatched_count) == (
        "llamafactory",
        100,
        0,
        0,
    )
    assert report.accuracy == RIGHT / 100
    recorded = runs.get_run(place, SAMPLE_RUN.name)
    (comparison,) = compare_entries([entries_of(recorded)[0], entries_of(report.run)[0]]).comparisons
    assert (comparison.fixed, comparison.broken) == (0, 0)
    alone = imported(place, file, dataset=None)
    assert (alone.imported, alone.accuracy) == (100, RIGHT / 100)


@pytest.mark.parametrize(
    "rendered",
    [
        "<|im_start|>user\n新闻分类：央行降息<|im_end|>\n<|im_start|>assistant\n<think>\n",
        "<｜begin▁of▁sentence｜><｜User｜>新闻分类：央行降息<｜Assistant｜>",
        "user\n新闻分类：央行降息\nassistant\n",
        "[INST]新闻分类：央行降息[/INST]",
        "新闻分类：旧的\n体育\n新闻分类：央行降息",
    ],
)
def test_the_title_is_found_in_prompts_of_many_templates(rendered):
    assert title_in_prompt(rendered, "新闻分类：") == "央行降息"


def test_an_openai_batch_is_joined_by_its_custom_ids(place, tmp_path):
    def line(row, first=0):
        message = {"role": "assistant", "content": row["predicted"] or "?", "reasoning_content": row["chain"]}
        body = {"choices": [{"message": message}], "usage": {"completion_tokens": 7}}
        return {
            "id": "b",
            "custom_id": f"row-{row['row'] + first}",
            "response": {"status_code": 200, "body": body},
            "error": None,
        }

    failed = {"id": "b", "custom_id": "row-99", "response": None, "error": {"message": "rate limit"}}
    report = imported(place, write_lines(tmp_path / "batch.jsonl", [*map(line, CHAIN[:99]), failed]))
    assert (report.imported, report.missing, report.failed) == (99, 1, 1)
    assert "1 行不是回答" in report.sentence and report.run.state == "done"
    from_one = imported(place, write_lines(tmp_path / "one.jsonl", (line(row, 1) for row in CHAIN)))
    assert (from_one.imported, from_one.accuracy) == (100, RIGHT / 100)


def test_a_table_brings_categories_with_probabilities_whatever_their_names(place, tmp_path):
    english = {category.name: category.english for category in SCHEME.categories}
    lines = ["标题,预测类别,置信度"] + [
        f'"{row["title"]}",{english[row["label"]] if row["row"] % 2 else row["label"] + "类"},87%'
        for row in CHAIN[:30]
    ]
    lines += ["不在数据集里的标题一二三,体育,0.5"]
    file = tmp_path / "answers.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    report = imported(place, file, label="old model")
    assert (report.imported, report.accuracy, report.missing, report.unmatched_count) == (30, 1, 70, 1)
    assert "不在数据集里的标题" in report.unmatched[0]
    assert report.run.label == "old model" and report.answer == "direct"


def test_a_table_with_true_categories_needs_no_dataset(place, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("title,label,predicted\n女排夺冠,体育,体育\n央行降息,经济,国内\n", encoding="utf-8")
    report = imported(place, file, dataset=None)
    assert (report.imported, report.accuracy) == (2, 0.5)
    without = tmp_path / "without.csv"
    without.write_text("title,predicted\n女排夺冠,体育\n央行降息,经济\n", encoding="utf-8")
    with pytest.raises(InputError, match="--dataset"):
        imported(place, without, dataset=None)


def test_what_is_no_answer_file_is_said(place, tmp_path):
    with pytest.raises(UnreadableFile, match="predicted"):
        imported(place, write_lines(tmp_path / "x.jsonl", [{"a": 1}, {"b": 2}]))
    with pytest.raises(InputError, match="不属于"):
        imported(
            place, write_lines(tmp_path / "y.jsonl", [{"title": "谁也不认识的标题", "predicted": "体育"}])
        )


def test_an_import_cannot_be_run_again_or_served(place, tmp_path):
    report = imported(place, write_lines(tmp_path / "again.jsonl", map(of_llamafactory, CHAIN)))
    assert isinstance(report.run.spec, EvaluateSpec) and report.run.spec.imported == "again.jsonl"
    assert not runs.can_retry(report.run)
    with pytest.raises(InputError):
        runs.prepare_retry(place, report.run)
    with pytest.raises(RunFailed):
        runs.trained_model(report.run)


def test_predictions_go_out_in_three_forms_and_come_back(place, tmp_path):
    recorded = runs.get_run(place, SAMPLE_RUN.name)
    document = json.loads(export_predictions(recorded, "direct", "json"))
    assert document["scores"]["n"] == 100 and len(document["predictions"]) == 100
    table = pq.read_table(io.BytesIO(export_predictions(recorded, "direct", "parquet")))
    assert table.num_rows == 100 and {f"p_{name}" for name in SCHEME.names} <= set(table.column_names)
    file = tmp_path / "out.csv"
    file.write_bytes(export_predictions(recorded, "chain", "csv"))
    back = imported(place, file)
    assert (back.imported, back.accuracy) == (100, RIGHT / 100)
