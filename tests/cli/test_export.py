"""`news-studio export`: the queue and the worker for real, and what is refused before them."""

import json

import pytest
from typer.testing import CliRunner

from studio import runs
from studio.cli.main import app
from studio.contract import ChainTrial, Divergence, ExportReport, Proof
from studio.errors import InputError
from studio.evaluation.export_proof import CAUSES, divergence_tokens, nmse_grade, proof_document, proof_line
from studio.language import current_language
from studio.operations.exports import size_in_gb
from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    end_everything(open_workspace(folder))


def export(home, *arguments):
    return CliRunner().invoke(app, ["export", "--home", str(home), *map(str, arguments)])


def test_the_recorded_run_is_exported_and_proven(home, tmp_path):
    recorded = next(run for run in runs.list_runs(open_workspace(home)) if run.recorded)
    done = export(
        home, recorded.id, tmp_path / "out", "--titles", 2, "--chains", 0, "--shard-size", "20MB", "--json"
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["format"], report["quant"], report["run"]) == ("safetensors", "bf16", recorded.id)
    assert report["proof"]["proven"] and report["proof"]["same_category"] == 2
    assert report["path"] == str(tmp_path / "out") and report["bytes"] == sum(report["files"].values())
    assert report["proof"]["n"] == 2 and {"same_text", "first_divergence"} <= set(report["proof"])
    shard = "model-00001-of-00002.safetensors"
    assert (tmp_path / "out" / shard).stat().st_size == report["files"][shard] <= 20.1e6
    assert export(home, recorded.id, tmp_path / "out").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "new"], "news-studio runs"),
        (["bundled", "new", "--format", "adapter"], "choose safetensors"),
        (["bundled", "new", "--quant", "Q8_0"], "choose one of f32"),
        (["bundled", "new", "--format", "package", "--quant", "nf4"], "choose one of f32"),
        (["bundled", "new", "--format", "package", "--titles", "0"], "proof_titles"),
        (["bundled", "new", "--shard-size", "large"], "500MB"),
        (["bundled", "new", "--name", "../x"], "name"),
        (["bundled", "full"], "新的文件夹"),
    ],
)
def test_what_cannot_be_exported_is_one_message_and_queues_nothing(home, tmp_path, arguments, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    before = len(runs.list_jobs(open_workspace(home)))
    done = export(home, arguments[0], tmp_path / arguments[1], *arguments[2:])
    assert done.exit_code == 2 and message in done.stderr and "办法" in done.stderr
    assert len(runs.list_jobs(open_workspace(home))) == before and not (tmp_path / "new").exists()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("cause", ["", *CAUSES])
def test_every_proof_is_one_line(language, cause):
    before = current_language.set(language)
    try:
        proof = Proof(runtime="xllamacpp 1", proven=not cause, cause=cause, titles=10, same_category=9)
        line = proof_line(proof)
    finally:
        current_language.reset(before)
    assert "\n" not in line and ("9" in line) and (cause == "" or CAUSES[cause][language == "en"] in line)


@pytest.mark.parametrize(("text", "gb"), [("500MB", 0.5), ("4GB", 4.0), ("1.5g", 1.5), ("2000000", 0.002)])
def test_sizes_are_read_as_people_write_them(text, gb):
    assert size_in_gb(text) == pytest.approx(gb)
    for nonsense in ("", "MB", "-1GB", "0GB", "4 TB"):
        with pytest.raises(InputError):
            size_in_gb(nonsense)


def test_the_readable_proof_has_both_languages_the_ladder_and_the_first_divergence():
    found = Divergence(
        title="标题", prompt_before="a", prompt_after="a", tokens_before=("甲", "乙", "丙"),
        tokens_after=("甲", "丁"), at=1,
    )  # fmt: skip
    trial = ChainTrial(
        penalty=1.2, titles=20, right_before=17, right_after=13, ended_before=20, ended_after=19,
        same_category=14, same_text=2,
    )  # fmt: skip
    proof = Proof(
        runtime="xllamacpp 1", proven=True, titles=100, same_category=99, right_before=79, lost=2, gained=1,
        p_value=1.0, nmse=1.2e-4, texts=20, chains=(trial,), first_divergence=found,
    )  # fmt: skip
    report = ExportReport(
        format="gguf", quant="q4_k_m", run="r", files={"a.gguf": 1}, repetition_penalty=1.2, fallbacks=43,
        tensor_types={"Q5_0": 38}, proof=proof,
    )  # fmt: skip
    text = proof_document(report)
    for part in (
        "79 / 100 [70%, 86%]",
        "78 / 100",
        "1.2e-04 (very good)",
        "17 / 20",
        "38 x Q5_0",
        "甲|[乙]|丙",
    ):
        assert part in text
    assert text.index("# 导出的核对") < text.index("# Proof of the export")
    ends = found.model_copy(update={"at": 2, "tokens_after": ("甲", "乙")})
    assert divergence_tokens(ends)[1].endswith("[到此为止]")
    assert [nmse_grade(error) for error in (1e-7, 1e-5, 5e-4, 5e-3, 0.1)] == [
        "等同",
        "极好",
        "很好",
        "合格",
        "偏大",
    ]
