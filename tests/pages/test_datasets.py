"""The Datasets page about versions: freezing asks, two versions compare, every form downloads."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio.datasets.versions import freeze, list_versions
from studio.ingest.importer import import_path
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, open_workspace
from tests.support.samples import SCHEME, import_titles, unlike

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    return open_workspace()


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def open_datasets(lang="zh"):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"] = lang
    app.query_params["annotator"] = "ann"
    return app.run().switch_page("../pages/datasets.py").run()


def test_freezing_with_warnings_asks_and_then_does_it(workspace, db, tmp_path):
    import_titles((db, workspace), unlike(30), tmp_path, category="体育")
    import_titles((db, workspace), [f"{unlike(30)[0]}！快讯"], tmp_path, "b.json", category="社会")
    app = open_datasets()
    app.button(key="freeze-now").click().run()
    assert list_versions(db, workspace) == []
    assert "几乎相同的标题类别不同" in app.warning[0].value
    app.button(key="freeze-accept").click().run()
    assert [version.ref for version in list_versions(db, workspace)] == ["news@1"]
    assert not app.exception


def test_a_list_of_titles_can_be_given(workspace, db, tmp_path):
    import_titles((db, workspace), unlike(30), tmp_path)
    app = open_datasets()
    app.file_uploader(key="freeze-list").upload("list.txt", "\n".join(unlike(3)).encode())
    app.button(key="freeze-now").click().run()
    assert list_versions(db, workspace)[0].rows == {"train": 27, "eval": 3}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_two_versions_are_compared_in_a_sentence(workspace, db, tmp_path, lang):
    import_path(db, BUNDLED_DATASET, SCHEME)
    for name in ("news", "news"):
        freeze(db, workspace, name, author="li", scheme=SCHEME)
        import_titles((db, workspace), ["全新的一条标题"], tmp_path, category="健康")
    app = open_datasets(lang)
    said = "\n".join(element.value for element in app.markdown)
    assert ("新增 1 行" if lang == "zh" else "1 rows added") in said
    assert "全新的一条标题" in app.dataframe[-1].value.to_string()
    assert not app.exception


def test_a_version_opens_with_its_downloads(workspace, db):
    import_path(db, BUNDLED_DATASET, SCHEME)
    freeze(db, workspace, "news", author="li", scheme=SCHEME)
    app = open_datasets()
    app.session_state["version-news@1"] = True
    app.run()
    assert (
        app.selectbox(key="form-news@1").set_value("alpaca").run().selectbox(key="form-news@1").value
        == "alpaca"
    )
    assert {button.key for button in app.get("download_button")} >= {"get-news@1-zip", "get-news@1-card"}
    assert not app.exception
