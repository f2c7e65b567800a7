"""What a package says about its model: the scores of the pages, and what changed since the release."""

import pytest

from studio import runs
from studio.contract import CALIBRATION, AnswerCalibration, CalibrationFile
from studio.evaluation.refusal import CROSSWISE
from studio.gate.releasing import release
from studio.language import speaking
from studio.operations.exports import export_spec, submit_export
from studio.operations.package_card import card, changes
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import SAMPLE_RUN
from tests.support.candidates import candidate, frozen


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def test_the_card_has_the_scores_of_the_pages_and_what_it_cannot_do(workspace, tmp_path):
    spec = export_spec(workspace, SAMPLE_RUN.name, tmp_path / "out", format="package", quant="q8_0")
    run = runs.get_run(workspace, SAMPLE_RUN.name)
    scores = runs.load_scores(run).evaluations["direct"]
    with speaking("en"):
        text = card(spec, run, load_scheme())
    low, high = scores.accuracy_interval
    assert f"accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})" in text
    assert all(f"| {name} | {one.precision:.0%} |" in text for name, one in scores.per_category.items())
    assert "## Limits" in text and "no threshold was chosen" in text
    assert "**没有得分。**" in card(spec, None, load_scheme())


def test_what_is_submitted_carries_card_categories_threshold_and_licences(workspace, tmp_path, db):
    run = candidate(workspace, frozen(db, workspace))
    fitted = AnswerCalibration(
        answer="direct", signal="probability", temperature=1.5, bias={}, fitted_on=CROSSWISE, rows=80
    )
    file = CalibrationFile(answers={"direct": fitted})
    (run.folder / CALIBRATION).write_text(file.model_dump_json())
    spec = export_spec(workspace, run.id, tmp_path / "out", format="package", quant="q8_0")
    job = submit_export(workspace, spec)
    files = {str(path.relative_to(job.folder / "package")) for path in (job.folder / "package").rglob("*")}
    assert files >= {"README.md", "card.zh.md", "card.en.md", "categories.toml", CALIBRATION}
    assert "licenses/news-studio.txt" in files and not any(name.startswith("CHANGES") for name in files)
    assert "80 行上校准" in (job.folder / "package" / "card.zh.md").read_text(encoding="utf-8")


def test_changes_compare_with_the_release_in_force(workspace, db):
    version = frozen(db, workspace)
    before = candidate(workspace, version)
    release(db, workspace, before.id, signed_by="李", author="ann", despite="测试", name="2026-12")
    assert changes(workspace, before) == ""
    after = candidate(workspace, version)
    with speaking("en"):
        text = changes(workspace, after)
    assert "Changes against the released" in text and "On the same 80 titles: 0 fixed, 0 broken" in text
