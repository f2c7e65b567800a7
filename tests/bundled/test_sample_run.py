"""The recorded run: complete, true to the bundled data, marked as recorded, and repeatable from its spec."""

import json

from backend.modeling.loading import load_model
from studio import runs
from studio.evaluation.scores import score
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN, open_workspace
from tests.support.samples import SCHEME


def sample(tmp_path):
    return runs.list_runs(open_workspace(tmp_path))[-1]


def test_it_is_listed_last_and_marked_as_recorded(tmp_path):
    run = sample(tmp_path)
    assert run.recorded and run.state == "done" and run.spec.kind == "train"
    assert run.spec.model_name_or_path == BUNDLED_MODEL and run.spec.dataset_dir == BUNDLED_DATASET


def test_its_scores_follow_from_its_predictions(tmp_path):
    run = sample(tmp_path)
    file = runs.load_scores(run)
    for answer in ("chain", "direct"):
        predictions = runs.load_predictions(run, answer)
        recorded = file.evaluations[answer]
        again = score(
            predictions,
            SCHEME.names,
            answer=answer,
            seconds=recorded.n / recorded.samples_per_second,
            baselines=recorded.baselines,
        )
        assert again.model_dump(exclude={"samples_per_second"}) == recorded.model_dump(
            exclude={"samples_per_second"}
        )


def test_its_predictions_are_of_the_bundled_rows(tmp_path):
    titles = [
        row["conversations"][0]["value"].removeprefix(SCHEME.prompt)
        for row in json.loads((BUNDLED_DATASET / "eval.json").read_text(encoding="utf-8"))
    ]
    assert [p.title for p in runs.load_predictions(sample(tmp_path), "chain")] == titles


def test_it_reached_what_the_readme_promises(tmp_path):
    evaluations = runs.load_scores(sample(tmp_path)).evaluations
    baseline = evaluations["direct"].baselines["tfidf"]
    assert evaluations["direct"].accuracy >= baseline + 0.08
    assert evaluations["chain"].accuracy >= baseline
    assert evaluations["chain"].unparsed <= 2


def test_its_adapter_loads_on_the_bundled_base(tmp_path):
    base, adapter = runs.trained_model(sample(tmp_path))
    assert load_model(base, adapter).num_parameters() == load_model(base).num_parameters()


def test_it_names_no_path_of_the_machine_it_was_made_on():
    for file in SAMPLE_RUN.rglob("*.json"):
        assert '"/' not in file.read_text(encoding="utf-8"), file
