"""The worker of the forgetting probe: both models answer every item, the base once, and a cancel ends it."""

import json
import sys

import pytest

from backend.forgetting import forgetting
from backend.harness import run_tasks, tasks_sha256
from backend.worker import Cancelled, RunFolder
from studio.contract import FORGETTING, ForgettingFile, ForgettingSpec
from studio.errors import InputError
from studio.evaluation.forgetting.probe import probe_items
from tests.support.tiny_models import save_tiny_model

FEW = [item for item in probe_items() if item.id.endswith(("-001", "-002", "-021"))]
TASK = """task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: colours.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A tiny model with other weights: what was tuned from it."""
    return save_tiny_model(tmp_path_factory.mktemp("other"), hidden=48)


@pytest.fixture
def tasks(tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "colours.yaml").write_text(TASK)
    rows = [
        {"question": "草是", "choices": ["绿色", "紫色"], "answer": 0},
        {"question": "雪是", "choices": ["黑色", "白色"], "answer": 1},
    ]
    (folder / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def prepared(home, base, tuned, name="job", **fields):
    folder = home / name
    folder.mkdir()
    (home / "run").mkdir(exist_ok=True)
    spec = ForgettingSpec(
        base_name_or_path=base,
        model_name_or_path=tuned,
        run="run",
        checkpoint="checkpoints/step_000001",
        target=home / "run",
        cache=home / "probes",
        max_new_tokens=8,
        **fields,
    )
    (folder / "spec.json").write_text(spec.model_dump_json())
    (folder / "probe.jsonl").write_text("".join(item.model_dump_json() + "\n" for item in FEW))
    return RunFolder(folder)


def found_in(folder):
    return ForgettingFile.model_validate_json((folder / FORGETTING).read_bytes())


def test_both_models_answer_every_item_and_the_base_answers_once(tmp_path, model, other):
    known = forgetting(prepared(tmp_path, model, other))
    found = found_in(tmp_path / "run")
    assert found == found_in(tmp_path / "job") and found.base_sha256 == known["model_sha256"]
    assert [item.id for item in found.items] == [item.id for item in FEW]
    letters = [item for item in found.items if item.kind == "knowledge"]
    assert all(
        side.text in "ABCD" and side.probability >= 0.25 for x in letters for side in (x.base, x.tuned)
    )
    assert found.code == "unclear" and {each.code for each in found.kinds.values()} == {"blind"}
    (kept,) = (tmp_path / "probes").iterdir()
    before = kept.stat().st_mtime_ns
    # The model itself against itself: its answers as the base were kept, and nothing differs.
    forgetting(prepared(tmp_path, model, model, "again"))
    assert kept.stat().st_mtime_ns == before and len(list((tmp_path / "probes").iterdir())) == 1
    again = found_in(tmp_path / "run")
    assert again.all.lost == again.all.gained == 0
    assert [item.base for item in again.items] == [item.base for item in found.items]
    assert [item.base.text for item in again.items] == [item.tuned.text for item in again.items]


def test_another_way_of_choosing_is_answered_anew(tmp_path, model):
    forgetting(prepared(tmp_path, model, model))
    forgetting(prepared(tmp_path, model, model, "written", choices="generation"))
    assert len(list((tmp_path / "probes").iterdir())) == 2
    assert all(item.tuned.probability is None for item in found_in(tmp_path / "run").items)


def test_a_cancel_ends_it_and_nothing_is_written(tmp_path, model):
    folder = prepared(tmp_path, model, model)
    (folder.path / "cancel").touch()
    with pytest.raises(Cancelled):
        forgetting(folder)
    assert not (tmp_path / "run" / FORGETTING).exists() and not (tmp_path / "probes").exists()


def test_tasks_with_code_are_refused_and_a_folder_is_known_by_its_contents(tmp_path, tasks, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    before = tasks_sha256(tasks)
    (tasks / "colours.yaml").write_text(TASK + "process_docs: !function utils.process\n")
    assert tasks_sha256(tasks) != before
    with pytest.raises(InputError, match="!function"):
        run_tasks(tasks, None, None, 1)
    (tasks / "colours.yaml").write_text("group: all\n")
    with pytest.raises(InputError, match="task"):
        run_tasks(tasks, None, None, 1)


def test_a_harness_that_is_not_installed_is_named_with_its_command(tmp_path, tasks, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        run_tasks(tasks, None, None, 1)
    assert "news-studio[lm-eval]" in error.value.remedy


def test_tasks_of_the_harness_are_counted_beside_the_probe(tmp_path, model, other, tasks):
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    forgetting(prepared(tmp_path, model, other, tasks=tasks))
    found = found_in(tmp_path / "run")
    assert found.kinds["colours"].n == 2 and found.kinds["colours"].chance == 0.5
    assert found.all.n == len(FEW) and len(found.items) == len(FEW) + 2
