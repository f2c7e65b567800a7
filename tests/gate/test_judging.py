"""A gate is judged line by line: green and red by the numbers, not measured where nobody measured."""

import pytest

from studio import runs
from studio.contract import FORGETTING, ForgettingFile, ProbeCount
from studio.errors import InputError
from studio.evaluation.entries import entries_of
from studio.evaluation.wear import record_comparison
from studio.gate import sentences
from studio.gate.evidence import known_since
from studio.gate.gates import find_gate, list_gates, save_gate
from studio.gate.judging import judge, judge_and_record, judgements
from studio.gate.releasing import release
from studio.language import current_language
from studio.store import open_store
from studio.workspace import BUNDLED_NAME
from tests.support.candidates import behaviour_tested, candidate, evaluated, frozen


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def version(db, workspace):
    return frozen(db, workspace)


def saved(db, workspace, **lines):
    return save_gate(db, workspace, dataset="news", author="ann", **lines)


def line_of(result, code):
    return next(line for line in result.lines if line.line == code)


def judged(db, workspace, gate, run):
    return judge(db, workspace, gate, run).result


def test_a_gate_names_its_rows_by_hash_and_is_kept_as_it_was(db, workspace, version):
    gate = saved(db, workspace, accuracy=0.7)
    assert (gate.number, gate.rule.dataset, gate.rule.rows) == (1, "news@1", 80)
    assert gate.rule.dataset_sha256 == version.sha256
    other = save_gate(db, workspace, dataset=BUNDLED_NAME, author="li", quotes=0.9, not_worse=False)
    assert other.rule.rows == 100 and [each.number for each in list_gates(db)] == [2, 1]
    assert find_gate(db, 1) == gate and find_gate(db) == other
    with pytest.raises(InputError, match="第 7 号"):
        find_gate(db, 7)


@pytest.mark.parametrize(
    "lines",
    [{"not_worse": False}, {"accuracy": 70}, {"flips": -0.1}, {"category": 0}, {"unknown": 1}],
    ids=lambda lines: "-".join(lines),
)
def test_a_gate_that_asks_for_nothing_or_the_impossible_is_refused(db, workspace, version, lines):
    with pytest.raises(InputError):
        saved(db, workspace, **lines)
    assert list_gates(db) == []


def test_everything_measured_and_good_is_ready_to_ship(db, workspace, version):
    gate = saved(db, workspace, accuracy=0.7, category=0.5, flips=0.2, quotes=0.9)
    run = candidate(workspace, version)
    behaviour_tested(workspace, run, flips=2)
    result = judged(db, workspace, gate, run)
    assert result.outcome == "passed" and not result.late and result.attempt == 1
    accuracy, category, flips, quotes = (
        line_of(result, code) for code in ("accuracy", "category", "flips", "quotes")
    )
    assert (accuracy.value, accuracy.n) == (0.9, 80) and accuracy.interval[0] > 0.7
    assert category.value == min(
        score.recall for score in runs.load_scores(run).evaluations["direct"].per_category.values()
    )
    assert (flips.value, flips.n, flips.detail["test"]) == (0.1, 20, "prefix")
    assert quotes.value == 1.0
    assert line_of(result, "not_worse").why == "first_release"


def test_each_line_turns_red_by_itself(db, workspace, version):
    gate = saved(db, workspace, accuracy=0.85, category=0.95, flips=0.05, quotes=0.9)
    run = candidate(workspace, version, chain="先看“没有这个词”。")
    behaviour_tested(workspace, run, flips=2)
    result = judged(db, workspace, gate, run)
    assert result.outcome == "failed"
    assert {line.line: line.status for line in result.lines} == {
        "not_worse": "green",
        "accuracy": "red",  # 90 %, but its interval begins below 85 %
        "category": "red",
        "flips": "red",
        "quotes": "red",
    }
    assert len(line_of(result, "category").detail["below"]) > 1


def test_what_nobody_measured_passes_nothing(db, workspace, version):
    gate = saved(db, workspace, flips=0.2, quotes=0.9, forgetting=True, sealed=0.5, accuracy=0.5)
    run = candidate(workspace, version, modes=("direct",))
    result = judged(db, workspace, gate, run)
    assert result.outcome == "incomplete"
    assert {line.line: line.why for line in result.lines if line.status == "not_measured"} == {
        "flips": "not_tested",
        "quotes": "no_chain_evaluation",
        "forgetting": "no_probe",
        "sealed": "no_sealed_set",
    }


def test_only_an_evaluation_of_all_rows_made_here_counts(db, workspace, version):
    gate = saved(db, workspace, accuracy=0.5)
    run = candidate(workspace, version, modes=("chain",))
    assert line_of(judged(db, workspace, gate, run), "accuracy").why == "no_evaluation"
    evaluated(workspace, run, version, lambda row: True, limit=40)
    evaluated(workspace, run, version, lambda row: True, imported="theirs.csv")
    assert line_of(judged(db, workspace, gate, run), "accuracy").why == "no_evaluation"
    whole = evaluated(workspace, run, version, lambda row: True)
    result = judged(db, workspace, gate, run)
    assert line_of(result, "accuracy").value == 1.0 and result.evaluation == whole.id


def test_a_gate_saved_after_the_evaluation_is_late_and_passes_nobody(db, workspace, version):
    run = candidate(workspace, version)
    gate = saved(db, workspace, accuracy=0.5)
    result = judged(db, workspace, gate, run)
    assert result.late and result.outcome == "late"
    assert "之后才存的" in sentences.outcome(result)
    again = evaluated(workspace, run, version, lambda row: row % 10 != 0)
    assert known_since(again) > gate.at
    assert judged(db, workspace, gate, run).outcome == "passed"


def test_the_released_one_is_compared_title_by_title(db, workspace, version):
    better = candidate(workspace, version, lambda row: True)
    release(db, workspace, better.id, signed_by="li", author="li")
    gate = saved(db, workspace)
    worse = candidate(workspace, version, lambda row: row % 3 != 0)
    line = line_of(judged(db, workspace, gate, worse), "not_worse")
    assert line.status == "red" and line.value == pytest.approx(-27 / 80)
    assert (line.detail["fixed"], line.detail["broken"]) == (0, 27) and line.detail["p_value"] < 0.001
    near = candidate(workspace, version, lambda row: row not in (3, 4))
    assert line_of(judged(db, workspace, gate, near), "not_worse").status == "green"
    strict = saved(db, workspace, margin=0.02)
    assert line_of(judged(db, workspace, strict, near), "not_worse").status == "red"
    assert line_of(judged(db, workspace, gate, better), "not_worse").why == "same_model"


def test_a_released_one_without_an_evaluation_there_is_not_compared(db, workspace, version):
    old = candidate(workspace, version, modes=("chain",))
    release(db, workspace, old.id, signed_by="li", author="li")
    gate = saved(db, workspace)
    result = judged(db, workspace, gate, candidate(workspace, version))
    assert line_of(result, "not_worse").why == "released_not_evaluated" and result.outcome == "incomplete"


def probe(run, code, checkpoint):
    """Write the result of a forgetting probe."""
    count = ProbeCount(
        n=10, base=9, tuned=9, lost=0, gained=0, difference=0, interval=(0, 0), p_value=1, chance=0, code=code
    )  # fmt: skip
    file = ForgettingFile(
        probe_sha256="x",
        base_sha256="y",
        checkpoint=checkpoint,
        choices="probability",
        code=code,
        all=count,
        kinds={},
        items=(),
    )
    (run.folder / FORGETTING).write_text(file.model_dump_json(), encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "status", "why"),
    [
        ("green", "green", "met"),
        ("red", "red", "missed"),
        ("unclear", "green", "probe_unclear"),
    ],
)
def test_the_forgetting_probe_is_read_from_the_run(db, workspace, version, code, status, why):
    gate = saved(db, workspace, not_worse=False, forgetting=True)
    run = candidate(workspace, version)
    probe(run, code, run.result.checkpoint)
    line = line_of(judged(db, workspace, gate, run), "forgetting")
    assert (line.status, line.why) == (status, why)
    probe(run, code, "checkpoints/another")
    assert line_of(judged(db, workspace, gate, run), "forgetting").why == "no_probe"


def test_attempts_and_wear_are_counted_and_looking_again_counts_once(db, workspace, version):
    first = candidate(workspace, version)
    release(db, workspace, first.id, signed_by="li", author="li")
    gate = saved(db, workspace, accuracy=0.5)
    later = [candidate(workspace, version, lambda row, n=n: row % 10 != n) for n in (1, 2)]
    for run in later:
        for _ in range(2):
            judge_and_record(db, workspace, gate, run, author="li")
    told = judgements(db)
    assert [(each.run, each.attempt, each.wear) for each in told] == [
        (later[0].id, 1, 0),
        (later[1].id, 2, 1),
    ]
    assert "第 2 个候选" in "".join(sentences.remarks(told[1]))
    a, b = (entries_of(run)[1] for run in later)
    assert a.answer == "direct"
    record_comparison(db, "other rows", [a, b], author="li")
    assert judged(db, workspace, gate, later[0]).wear == 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_line_is_a_sentence_in_both_languages(db, workspace, version, language):
    current_language.set(language)
    gate = saved(
        db, workspace, accuracy=0.99, category=0.99, flips=0.0, quotes=0.9, forgetting=True, sealed=0.5
    )
    run = candidate(workspace, version)
    behaviour_tested(workspace, run, flips=2)
    result = judged(db, workspace, gate, run)
    told = [sentences.outcome(result)]
    for line in result.lines:
        told += [sentences.asked(gate.rule, line.line), sentences.found(line), sentences.line_name(line.line)]
    assert all(told) and "None" not in "".join(told) and "{" not in "".join(told)
    assert any("一" <= sign <= "鿿" for sign in "".join(told).replace("【快讯】", "")) == (language == "zh")
