"""The Export page: what a type costs before it is chosen, an export from press to proof, and its download."""

import io
import shutil
import zipfile

import pytest

from studio import runs
from studio.contract import Divergence, ExportReport, ExportSpec, Proof, Result
from studio.operations.export_sizes import list_exports, model_size
from studio.operations.export_zip import zip_bytes, zip_file
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN, open_workspace
from tests.support.llama_cpp import needs_llama_cpp
from tests.support.merged_model import RECORDED_ADAPTER
from tests.support.pages import open_page
from tests.support.tiny_runs import end_everything, wait_until


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


@pytest.fixture
def workspace(home, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(home))
    monkeypatch.delenv("STUDIO_LANG", raising=False)
    return open_workspace()


def done_export(workspace, name, **fields):
    """An export whose worker is over, with the report that is given."""
    spec = ExportSpec(
        model_name_or_path=BUNDLED_MODEL, adapter_name_or_path=RECORDED_ADAPTER, format="gguf", quant="q4_0",
        target=workspace.exports / name, dataset_dir=BUNDLED_DATASET, run=SAMPLE_RUN.name,
    )  # fmt: skip
    job = runs.prepare_job(workspace, spec)
    spec.target.mkdir(parents=True)
    (spec.target / "news-classifier-q4_0.gguf").write_bytes(b"GGUF" * 100)
    proof = {
        "runtime": "xllamacpp 1",
        "proven": True,
        "titles": 100,
        "same_category": 95,
        "right_before": 79,
        **fields,
    }
    report = ExportReport(
        format="gguf", quant="q4_0", run=SAMPLE_RUN.name, files={"news-classifier-q4_0.gguf": 400},
        repetition_penalty=1.2, proof=Proof(**proof),
    )  # fmt: skip
    (spec.target / "export.json").write_text(report.model_dump_json())
    result = Result(status="done", seconds=1.0, peak_memory_gib=0.1)
    (job.folder / "result.json").write_text(result.model_dump_json())
    return job


def text_of(app):
    kinds = ("caption", "success", "error", "warning", "info", "markdown")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


@needs_llama_cpp
def test_an_export_is_started_proven_and_taken_away(workspace):
    app = open_page("export", run=SAMPLE_RUN.name)
    app.segmented_control(key="choose-export-format").set_value("gguf").run()
    app.selectbox(key="choose-export-quant-gguf").set_value("q8_0").run()
    assert "还没有量过" in text_of(app) and "1.2" in text_of(app)
    assert "--format gguf --quant q8_0" in app.code[0].value
    app.number_input(key="export-titles").set_value(2)
    app.number_input(key="export-chains").set_value(1)
    app.button(key="export-start").click().run()
    job = next(iter(list_exports(workspace)))
    wait_until(lambda: runs.get_job(workspace, job.id).is_over, seconds=240)
    assert runs.get_job(workspace, job.id).state == "done", runs.read_log(job)
    app = open_page("export", export=job.id)
    assert "已核对" in app.success[0].value and not app.exception
    assert "类别相同 2" in text_of(app)  # what q8_0 cost, under the choice
    quants, proof = (frame.value for frame in app.dataframe[:2])
    assert quants.set_index("类型").loc["q8_0", "类别相同"] == "2 / 2"
    assert next(iter(proof["项目"])).startswith("直接打分答对")
    with zipfile.ZipFile(io.BytesIO(zip_bytes(job.spec.target))) as packed:
        names = {name.split("/")[1] for name in packed.namelist()}
    assert {"news-classifier-q8_0.gguf", "proof.json", "proof.md", "export.json"} == names


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_is_not_proven_is_red_and_shows_both_prompts_and_streams(workspace, lang):
    found = Divergence(
        title="标题", prompt_before="a<think>\n", prompt_after="a", tokens_before=("甲", "乙"),
        tokens_after=("甲", "丙"), at=1,
    )  # fmt: skip
    job = done_export(
        workspace, f"broken-{lang}", proven=False, cause="template", same_prompt=False, first_divergence=found
    )
    app = open_page("export", lang, export=job.id)
    assert ("模板" if lang == "zh" else "template") in app.error[0].value
    codes = [element.value for element in app.code]
    assert "a<think>" in [code.strip() for code in codes] and "甲|[乙]" in codes and "甲|[丙]" in codes
    shutil.rmtree(job.spec.target)
    assert not open_page("export", lang, export=job.id).exception


def test_a_large_export_becomes_a_zip_beside_its_folder(workspace, monkeypatch):
    job = done_export(workspace, "large")
    monkeypatch.setattr("pages.sections.export.exports.LARGEST_DOWNLOAD", 10)
    app = open_page("export", export=job.id)
    app.button(key="export-zip").click().run()
    with zipfile.ZipFile(workspace.exports / "large.zip") as packed:
        assert packed.read("large/news-classifier-q4_0.gguf") == b"GGUF" * 100
    assert not app.exception and zip_file(job.spec.target).name == "large.zip"


@pytest.mark.parametrize(
    ("quant", "measured"),
    [("f16", 22.7e6), ("q8_0", 12.34e6), ("q4_0", 8.7e6), ("q4_k_m", 9.9e6), ("nf4", 12.46e6)],
)
def test_sizes_are_estimated_within_a_tenth_of_the_files(quant, measured):
    assert model_size(BUNDLED_MODEL).estimate(quant) == pytest.approx(measured, rel=0.1)
