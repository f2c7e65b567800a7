"""The tab that shows what the model will see, and the line on the Train page."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio.store import open_store
from studio.training import token_preview
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, open_workspace
from tests.support.tiny_runs import end_everything, wait_until
from tests.support.workspaces import fill

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    place = open_workspace()
    yield place
    end_everything(place)


def answered(workspace, data=BUNDLED_DATASET):
    """Wait until both questions that the pages ask about the bundled model are answered."""
    known = {"model": BUNDLED_MODEL, "dataset_dir": data}
    for ask in (
        lambda: token_preview.count_rows(workspace, **known),
        lambda: token_preview.see_block(workspace, entry="train", row=0, **known),
    ):
        wait_until(lambda ask=ask: ask().state != "running", seconds=120)


def open_page(name, lang="zh", **state):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"] = lang
    app.query_params["annotator"] = "ann"
    app.run()
    for key, value in state.items():
        app.session_state[key] = value
    return app.switch_page(f"../pages/{name}.py").run()


@pytest.mark.parametrize(("lang", "words"), [("zh", "300 行中有 0 行超过"), ("en", "0 of 300 train rows")])
def test_the_tab_counts_and_shows_a_row(workspace, lang, words):
    answered(workspace)
    app = open_page("datasets", lang, **{"datasets-open": "preview", "choose-preview-dataset": "bundled"})
    assert not app.exception
    assert not app.error
    assert words in app.success[0].value
    assert any("deepseekr1" in element.value for element in app.markdown)


def test_a_shorter_limit_names_the_rows_that_would_be_left_out(workspace):
    answered(workspace)
    app = open_page("datasets", **{"datasets-open": "preview"})
    app.number_input(key="preview-limit").set_value(90).run()
    assert "超过 90 个词元" in app.warning[0].value
    assert "跳过" in app.warning[0].value
    assert app.dataframe[0].value["词元"].min() > 90


def test_while_the_tokens_are_counted_the_page_says_so(workspace):
    app = open_page("datasets", **{"datasets-open": "preview"})
    assert not app.exception
    assert (
        token_preview.count_rows(workspace, model=BUNDLED_MODEL, dataset_dir=BUNDLED_DATASET).state
        != "failed"
    )


def test_train_says_how_many_rows_are_too_long_before_it_starts(workspace):
    fill(open_store(workspace.database), workspace)
    data = workspace.datasets / "news" / "v1"
    answered(workspace, data)
    app = open_page("train", **{"choose-train-model": "bundled"})
    assert any("300 行中有 0 行超过 512 个词元" in element.value for element in app.caption)
    app.number_input(key="spec-sound_default-cutoff_len").set_value(64).run()
    assert "行超过 64 个词元" in app.warning[0].value


def test_a_model_without_a_tokenizer_is_said_and_training_can_still_be_tried(workspace):
    fill(open_store(workspace.database), workspace)
    known = {"model": workspace.models / "small", "dataset_dir": workspace.datasets / "news" / "v1"}
    wait_until(lambda: token_preview.count_rows(workspace, **known).state != "running", seconds=120)
    app = open_page("train", **{"choose-train-model": "small"})
    assert any("无法统计词元" in element.value for element in app.caption)
    assert not app.exception
