"""The Train page: what is asked for under each choice, and the run that its button starts."""

import json
import math
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio import runs
from studio.contract import HeldOut, Result, TrainSpec
from studio.ingest import plain_texts
from studio.language import current_language
from studio.store import open_store
from studio.training import memory_fit
from studio.training.memory_fit import Capacity
from studio.training.settings_file import write_yaml
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.llamafactory_settings import BOARD, LORA
from tests.support.workspaces import fill, step

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"


@pytest.fixture
def filled_run(workspace):
    return fill(open_store(workspace.database), workspace)


def open_page(lang="zh"):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"], app.query_params["annotator"] = lang, "ann"
    app.run()
    return app.switch_page("../pages/train.py").run()


def group(app, key):
    return next(each for each in app.button_group if each.key == key)


def keys(app):
    kinds = ("number_input", "selectbox", "checkbox", "text_input", "button_group")
    return {element.key for kind in kinds for element in app.get(kind)}


def said(app):
    kinds = ("markdown", "caption", "warning", "error", "info")
    return "\n".join(element.value for kind in kinds for element in app.get(kind)).replace("\\", "")


def started(app, workspace):
    """The run that the button started; nothing stands in red."""
    known = {run.id for run in runs.list_runs(workspace)}
    app.button(key="train-start").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    [run] = [run for run in runs.list_runs(workspace) if run.id not in known]
    return run


@pytest.mark.parametrize(
    ("method", "expected", "shown", "hidden"),
    [
        ("lora", ("lora", None), {"lora_rank", "use_dora", "pissa_init"}, {"quantization_type"}),
        ("qlora4", ("lora", 4), {"lora_rank", "quantization_type"}, {"pissa_init"}),
        ("qlora8", ("lora", 8), {"lora_rank"}, {"quantization_type"}),
        ("freeze", ("freeze", None), {"freeze_trainable_layers"}, {"lora_rank", "use_dora"}),
        ("full", ("full", None), {"optim"}, {"lora_rank", "freeze_trainable_layers", "quantization_type"}),
    ],
)
def test_a_method_asks_for_what_it_needs_and_starts(workspace, method, expected, shown, hidden):
    app = open_page()
    group(app, "choose-train-method").set_value(method).run()
    there = {key.removeprefix("spec-sound_default-") for key in keys(app) if key.startswith("spec-")}
    assert shown <= there
    assert not hidden & there
    spec = started(app, workspace).spec
    assert (spec.finetuning_type, spec.quantization_bit) == expected
    assert spec.learning_rate == (1.5e-4 if method in ("freeze", "full") else 1.5e-3)


def test_what_was_typed_survives_a_look_at_another_method(workspace):
    app = open_page()
    app.number_input(key="spec-sound_default-lora_rank").set_value(5).run()
    app.number_input(key="spec-sound_default-num_train_epochs").set_value(7.0).run()
    group(app, "choose-train-method").set_value("full").run()
    group(app, "choose-train-method").set_value("lora").run()
    spec = started(app, workspace).spec
    assert (spec.lora_rank, spec.num_train_epochs) == (5, 7.0)


def test_the_tutorials_settings_start_as_they_are(workspace):
    app = open_page()
    app.selectbox(key="choose-train-preset").set_value("tutorial").run()
    spec = started(app, workspace).spec
    found = (spec.learning_rate, spec.gradient_accumulation_steps, spec.loraplus_lr_ratio, spec.lora_target)
    assert found == (5e-6, 2, 16, "all")
    assert "0.0011" in said(app)  # the rate that would suit this model and 4 samples a step, with its reason


def test_plain_text_is_brought_in_and_learned(workspace):
    app = open_page()
    group(app, "choose-train-stage").set_value("pt").run()
    assert "train-start" not in {button.key for button in app.button}
    app.text_area(key="texts-pasted-0").set_value("今天天气很好，适合出门走走。\n" * 200)
    app.text_input(key="texts-name-0").set_value("daily")
    app.button(key="texts-keep").click().run()
    assert app.selectbox(key="choose-train-texts").value == "daily"
    run = started(app, workspace)
    assert (run.spec.stage, run.spec.val_size, run.spec.eval_dataset) == ("pt", 0.02, None)
    assert run.spec.dataset_dir == plain_texts.list_texts(workspace)[0].folder
    assert run.version is None


def test_texts_without_a_line_are_told_and_what_was_typed_stays(workspace):
    app = open_page()
    group(app, "choose-train-stage").set_value("pt").run()
    app.text_input(key="texts-name-0").set_value("daily")
    app.button(key="texts-keep").click().run()
    assert "没有一行文字" in app.error[0].value
    assert app.text_input(key="texts-name-0").value == "daily"


def test_a_part_of_the_training_rows_is_held_out(workspace):
    app = open_page()
    app.selectbox(key="choose-held-out-sound_default-sft").set_value("share").run()
    app.number_input(key="val-size-sound_default-sft").set_value(0.2).run()
    spec = started(app, workspace).spec
    assert (spec.eval_dataset, spec.val_size, spec.evaluate_after) == (
        None,
        0.2,
        TrainSpec.model_fields["evaluate_after"].default,
    )


def test_nothing_held_out_offers_no_early_stopping(workspace):
    app = open_page()
    app.selectbox(key="choose-held-out-sound_default-sft").set_value("none").run()
    assert "spec-sound_default-early_stopping_steps" not in keys(app)
    assert not started(app, workspace).spec.has_held_out


def test_another_versions_rows_can_measure(filled_run, workspace):
    app = open_page()
    app.selectbox(key="choose-held-out-sound_default-sft").set_value("other").run()
    spec = started(app, workspace).spec
    assert spec.dataset_dir.parent == workspace.home / "mixed"
    rows = json.loads((spec.dataset_dir / "eval.json").read_text())
    assert rows == json.loads((BUNDLED_DATASET / "eval.json").read_text())


def test_a_finished_adapter_is_gone_on_from(filled_run, workspace):
    app = open_page()
    app.selectbox(key="choose-train-model").set_value("small").run()
    app.selectbox(key="choose-train-adapter").set_value(filled_run.id).run()
    assert "spec-sound_default-lora_rank" not in keys(app)
    spec = started(app, workspace).spec
    assert spec.adapter_name_or_path == filled_run.folder / "checkpoints/step_000001"
    group(app, "choose-train-method").set_value("full").run()
    assert started(app, workspace).spec.adapter_name_or_path is None


def read(app, content):
    app.text_area(key="settings-file-pasted").set_value(content)
    app.button(key="settings-file-read").click().run()
    assert not app.exception
    return app


def test_a_llamafactory_file_fills_the_form_and_every_key_is_told(workspace):
    app = read(open_page(), LORA + "lr_rank: 3\n")
    table = "\n".join(each.value.to_string() for each in app.dataframe)
    assert "lr_rank" in table
    assert "lora_rank" in table
    assert "output_dir" in table
    assert "没有用上" in said(app)
    assert "somebody/Model-8B-Instruct" in said(app)
    spec = started(app, workspace).spec
    found = (spec.learning_rate, spec.lora_rank, spec.gradient_accumulation_steps, spec.direct_share)
    assert found == (1e-4, 8, 8, 0)
    assert spec.model_name_or_path == BUNDLED_MODEL


def test_the_state_of_llamafactorys_page_can_be_uploaded(workspace):
    app = open_page()
    content = json.dumps(BOARD | {"top.finetuning_type": "full"})
    app.file_uploader(key="settings-file-file").upload("llamaboard_config.yaml", content.encode())
    app.button(key="settings-file-read").click().run()
    spec = started(app, workspace).spec
    assert (spec.finetuning_type, spec.learning_rate) == ("full", 5e-6)


def test_a_second_file_read_in_one_session_applies(workspace):
    app = open_page()
    first = "learning_rate: 1.0e-4\nlora_rank: 4\ndataset: identity\n"
    app.file_uploader(key="settings-file-file").upload("first.yaml", first.encode())
    app.button(key="settings-file-read").click().run()
    assert started(app, workspace).spec.lora_rank == 4
    read(app, "learning_rate: 3.0e-4\nlora_rank: 16\nfinetuning_type: lora\n")
    spec = started(app, workspace).spec
    assert (spec.lora_rank, spec.learning_rate) == (16, 3e-4)
    app.file_uploader(key="settings-file-file").upload("third.yaml", first.replace("4", "2").encode())
    app.button(key="settings-file-read").click().run()
    assert started(app, workspace).spec.lora_rank == 2


def test_our_own_file_brings_method_and_stage_back(workspace):
    kept = plain_texts.add_pasted(workspace, "daily", "今天天气很好，适合出门走走。\n" * 200)
    spec = TrainSpec(
        model_name_or_path=BUNDLED_MODEL,
        dataset_dir=kept.folder,
        stage="pt",
        eval_dataset=None,
        val_size=0.1,
        quantization_bit=8,
        num_train_epochs=2.0,
    )
    found = started(read(open_page(), write_yaml(spec)), workspace).spec
    assert found == spec


@pytest.mark.parametrize("content", ["", "- a", "learning_rate: [", "learning_rate: 7\n"])
def test_a_file_that_cannot_be_used_is_a_sentence(workspace, content):
    app = read(open_page(), content)
    assert app.error
    assert "Traceback" not in app.error[0].value


def test_the_command_and_the_files_are_offered(workspace):
    app = open_page()
    app.number_input(key="spec-sound_default-lora_rank").set_value(5).run()
    shown = "\n".join(code.value for code in app.code)
    assert "--set lora_rank=5" in shown
    assert "accelerate launch" in shown
    assert "torchrun" in shown


def write_events(run, events, *, result=None):
    (run.folder / "metrics.jsonl").write_text("".join(event.model_dump_json() + "\n" for event in events))
    (run.folder / "alive").touch()
    if result:
        (run.folder / "result.json").write_text(result.model_dump_json())


def test_a_broken_curve_is_drawn_and_warned_about(workspace):
    spec = TrainSpec(model_name_or_path=BUNDLED_MODEL, dataset_dir=BUNDLED_DATASET)
    run, other = (runs.prepare_run(workspace, spec, label=name) for name in ("坏的", "另一个"))
    broken = [step(), step().model_copy(update={"loss": math.nan}), HeldOut(step=1, epoch=1, loss=2.0)]
    result = Result(status="done", seconds=1, peak_memory_gib=1, left_out=(0, 4))
    write_events(run, broken, result=result)
    write_events(other, [step()])
    app = open_page()
    app.selectbox(key="choose-watched-run").set_value(run.id).run()
    app.multiselect(key="compare-runs").set_value([other.id]).run()
    assert not app.exception
    assert not app.error
    assert "NaN" in said(app)
    assert "2 行太长" in said(app)
    assert "第 1、5 行" in said(app)
    group(app, f"curve-quantity-{run.id}").set_value("accuracy").run()
    assert not app.exception
    assert "没有记录" in said(app)


def test_what_does_not_fit_is_told_with_the_cheapest_change(workspace, monkeypatch):
    def card(gib):
        monkeypatch.setattr(memory_fit, "places", lambda: [Capacity(name="卡", memory_gib=gib, is_gpu=True)])

    card(1.5)
    app = open_page()
    assert "放不下" in said(app)
    assert "代价最小的改法：打开梯度检查点" in said(app)
    card(1.0)
    app.run()
    assert "批大小 1" in said(app)
    card(0.5)
    app.run()
    assert "改设置也不够" in said(app)
    card(80.0)
    app.run()
    assert "放得下" in said(app)
    assert "代价最小" not in said(app)


@pytest.fixture
def english():
    token = current_language.set("en")
    yield
    current_language.reset(token)


def test_the_page_is_english_throughout(workspace, english):
    app = open_page("en")
    for method in ("qlora4", "freeze", "full"):
        group(app, "choose-train-method").set_value(method).run()
        labels = [
            element.label
            for kind in ("number_input", "selectbox", "checkbox", "text_input", "expander", "tab", "button")
            for element in app.get(kind)
            if "Language" not in element.label
        ]
        assert not [label for label in labels if any("\u4e00" <= letter <= "\u9fff" for letter in label)]
