"""Judge a candidate line by line, and write the judgement down.

A line is green, red or not measured: what nobody measured passes nothing. The numbers are those of the
functions that the Evaluate and Compare pages ask.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from studio import runs
from studio.errors import InputError
from studio.evaluation.chain_quality import chain_quality
from studio.evaluation.compared import Compared, compare_entries, load_entries
from studio.evaluation.entries import Entry, find_entries
from studio.evaluation.forgetting.verdict import forgetting_verdict
from studio.evaluation.wear import record_comparison, wear_of
from studio.gate.evidence import (
    Evaluated,
    find_evaluation,
    known_since,
    sealed_evidence,
    sealed_titles_trained,
    worst_flips,
)
from studio.gate.gates import Gate
from studio.releases import ledger
from studio.releases.models import GateResult, GateRule, LineCode, LineResult, Release, Status, Why
from studio.releases.records import list_releases
from studio.runs import Run
from studio.samples.scheme import Scheme, load_scheme
from studio.stats import wilson_interval
from studio.store import Store, writing
from studio.team.rights import require_right
from studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class AgainstReleased:
    """The released model and a candidate, in this order, on the same rows."""

    release: Release
    entries: tuple[Entry, Entry]
    compared: Compared


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A judgement and the comparison behind its first line, None where there was nothing to compare with."""

    result: GateResult
    against: AgainstReleased | None


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What every line is judged from."""

    db: Store
    workspace: Workspace
    rule: GateRule
    candidate: Run
    evaluated: Evaluated | None
    released: Release | None
    against: AgainstReleased | None
    scheme: Scheme


def judge(db: Store, workspace: Workspace, gate: Gate, candidate: Run) -> Judgement:
    """Judge a candidate at a gate; nothing is written."""
    rule = gate.rule
    evaluated = find_evaluation(workspace, candidate.id, rule, rule.answer)
    released = next((each.release for each in list_releases(db) if each.in_force), None)
    case = _Case(
        db=db,
        workspace=workspace,
        rule=rule,
        candidate=candidate,
        evaluated=evaluated,
        released=released,
        against=compare_with_released(workspace, rule, evaluated, released),
        scheme=load_scheme(),
    )
    judged = {entry.run for entry in judgements(db) if entry.gate == gate.number}
    result = GateResult(
        gate=gate.number,
        run=candidate.id,
        evaluation=evaluated.run.id if evaluated else None,
        lines=tuple(_JUDGES[line](case) for line in rule.lines),
        late=evaluated is not None and known_since(evaluated.run) <= gate.at,
        attempt=len(judged | {candidate.id}),
        wear=_wear(db, evaluated),
    )
    return Judgement(result=result, against=case.against)


def judge_and_record(
    db: Store, workspace: Workspace, gate: Gate, candidate: Run, *, author: str
) -> GateResult:
    """Judge a candidate and write it down; the same result again is written once.

    The comparison with the released model counts as a use of the evaluation rows.

    Raises:
        NotAllowed: the author's role does not cover it.
    """
    require_right("release", db, author)
    judgement = judge(db, workspace, gate, candidate)
    with writing(db):
        last = last_judgement(db, gate, candidate.id)
        # What was not there yet when it was judged first: the wear includes that very look.
        if last is None or _findings(last) != _findings(judgement.result):
            ledger.append(db, "candidate_judged", judgement.result, author=author)
            last = judgement.result
        if (against := judgement.against) is not None:
            record_comparison(db, against.compared.rows_sha256, against.entries, author=author)
    return last


def _findings(result: GateResult) -> dict[str, Any]:
    return result.model_dump(exclude={"wear", "attempt"})


def judgements(db: Store) -> list[GateResult]:
    """List every judgement that was written down, the oldest first."""
    return [GateResult.model_validate_json(entry.body) for entry in ledger.read(db, "candidate_judged")]


def last_judgement(db: Store, gate: Gate, run_id: str) -> GateResult | None:
    """Find the last judgement of a candidate at a gate; None: it was not judged there."""
    found = [each for each in judgements(db) if (each.gate, each.run) == (gate.number, run_id)]
    return found[-1] if found else None


def compare_with_released(
    workspace: Workspace, rule: GateRule, evaluated: Evaluated | None, released: Release | None
) -> AgainstReleased | None:
    """Compare a candidate with the released model on the rows of a gate; None where one was not evaluated."""
    if evaluated is None or released is None:
        return None
    other = find_evaluation(workspace, released.run, rule, rule.answer)
    if other is None or other.run.id == evaluated.run.id:
        return None
    entries = (_entry(other), _entry(evaluated))
    return AgainstReleased(release=released, entries=entries, compared=compare_entries(entries))


def against_release(
    db: Store, workspace: Workspace, candidate: Run, gate: Gate | None
) -> AgainstReleased | None:
    """Compare a candidate with the release in force: on the rows of the gate, else on those that both have.

    None: nothing is released, the candidate is it, or one of them was not scored.

    Raises:
        NotComparable: they share no row.
    """
    released = next((each.release for each in list_releases(db) if each.in_force), None)
    if released is None or released.run == candidate.id:
        return None
    if gate is not None:
        evaluated = find_evaluation(workspace, candidate.id, gate.rule, gate.rule.answer)
        found = compare_with_released(workspace, gate.rule, evaluated, released)
        if found is not None:
            return found
    try:
        a, b = find_entries(workspace, [released.run, candidate.id])
    except InputError:
        return None
    return AgainstReleased(release=released, entries=(a, b), compared=compare_entries([a, b], common=True))


def _entry(evaluated: Evaluated) -> Entry:
    scores = evaluated.scores
    return Entry(runs=(evaluated.run,), answer=scores.answer, scores=(scores,))


def _wear(db: Store, evaluated: Evaluated | None) -> int:
    if evaluated is None:
        return 0
    return wear_of(db, load_entries([_entry(evaluated)]).rows_sha256).comparisons


def _result(line: LineCode, status: Status, why: Why, **numbers: Any) -> LineResult:
    return LineResult(line=line, status=status, why=why, **numbers)


def _met(line: LineCode, is_met: bool, **numbers: Any) -> LineResult:
    return _result(line, "green" if is_met else "red", "met" if is_met else "missed", **numbers)


def _not_worse(case: _Case) -> LineResult:
    if case.released is None:
        return _result("not_worse", "green", "first_release")
    if case.released.run == case.candidate.id:
        return _result("not_worse", "green", "same_model", detail={"release": case.released.name})
    if case.evaluated is None:
        return _result("not_worse", "not_measured", "no_evaluation")
    if case.against is None:
        return _result(
            "not_worse", "not_measured", "released_not_evaluated", detail={"release": case.released.name}
        )
    (comparison,) = case.against.compared.comparisons
    low, high = comparison.interval
    is_met = comparison.verdict.code != "worse" and (case.rule.margin is None or low >= -case.rule.margin)
    return _met(
        "not_worse",
        is_met,
        wanted=None if case.rule.margin is None else -case.rule.margin,
        value=comparison.difference,
        interval=(low, high),
        n=comparison.n,
        detail={
            "release": case.released.name,
            "p_value": comparison.p_value,
            "fixed": comparison.fixed,
            "broken": comparison.broken,
        },
    )


def _accuracy(case: _Case) -> LineResult:
    if case.evaluated is None:
        return _result("accuracy", "not_measured", "no_evaluation", wanted=case.rule.accuracy)
    scores, wanted = case.evaluated.scores, case.rule.accuracy or 0
    return _met(
        "accuracy",
        scores.accuracy_interval[0] >= wanted,
        wanted=wanted,
        value=scores.accuracy,
        interval=scores.accuracy_interval,
        n=scores.n,
    )


def _category(case: _Case) -> LineResult:
    wanted = case.rule.category or 0
    if case.evaluated is None:
        return _result("category", "not_measured", "no_evaluation", wanted=wanted)
    scores = case.evaluated.scores.per_category
    measured = {name: scores[name] for name in case.scheme.names if name in scores and scores[name].support}
    if not measured:
        return _result("category", "not_measured", "no_evaluation", wanted=wanted)
    weakest = min(measured, key=lambda name: measured[name].recall)
    recall, n = measured[weakest].recall, measured[weakest].support
    lacking = [name for name in case.scheme.names if name not in measured]
    numbers: Mapping[str, Any] = {
        "wanted": wanted,
        "value": recall,
        "interval": wilson_interval(recall * n, n),
        "n": n,
        "detail": {
            "category": weakest,
            "below": [name for name, each in measured.items() if each.recall < wanted],
            "lacking": lacking,
        },
    }
    if recall >= wanted and lacking:
        return _result("category", "not_measured", "category_without_rows", **numbers)
    return _met("category", recall >= wanted, **numbers)


def _flips(case: _Case) -> LineResult:
    wanted = case.rule.flips or 0
    worst = worst_flips(case.workspace, case.candidate.id, case.rule)
    if worst is None:
        return _result("flips", "not_measured", "not_tested", wanted=wanted)
    return _met(
        "flips",
        worst.rate <= wanted,
        wanted=wanted,
        value=worst.rate,
        interval=worst.interval,
        n=worst.titles,
        detail={"test": worst.test},
    )


def _forgetting(case: _Case) -> LineResult:
    code = forgetting_verdict(case.candidate.folder)
    if code is None:
        return _result("forgetting", "not_measured", "no_probe")
    if code in ("red", "green"):
        return _met("forgetting", code == "green")
    return _result("forgetting", "green", "probe_unclear")


def _quotes(case: _Case) -> LineResult:
    wanted = case.rule.quotes
    chains = find_evaluation(case.workspace, case.candidate.id, case.rule, "chain")
    quality = chain_quality(runs.load_predictions(chains.run, "chain"), case.scheme) if chains else None
    if quality is None:
        return _result("quotes", "not_measured", "no_chain_evaluation", wanted=wanted)
    if quality.quotes_in_title is None:
        return _result("quotes", "not_measured", "no_quotes", wanted=wanted, n=quality.chains)
    return _met(
        "quotes",
        quality.quotes_in_title >= (wanted or 0),
        wanted=wanted,
        value=quality.quotes_in_title,
        n=quality.chains,
    )


def _sealed(case: _Case) -> LineResult:
    wanted = case.rule.sealed or 0
    found = sealed_evidence(case.db, case.workspace, case.rule.dataset, case.candidate.id)
    if found is None:
        return _result("sealed", "not_measured", "no_sealed_set", wanted=wanted)
    detail: dict[str, Any] = {"set": found.sealed.ref, "openings": found.openings}
    if found.job is None or found.job.state in ("failed", "cancelled", "lost"):
        return _result("sealed", "not_measured", "not_opened", wanted=wanted, detail=detail)
    if found.scores is None:
        return _result("sealed", "not_measured", "being_answered", wanted=wanted, detail=detail)
    numbers: Mapping[str, Any] = {
        "wanted": wanted,
        "value": found.scores.accuracy,
        "interval": found.scores.accuracy_interval,
        "n": found.scores.n,
    }
    trained = sealed_titles_trained(case.workspace, case.candidate, found.job, case.scheme)
    if trained:
        detail["trained"] = trained
        return _result("sealed", "red", "sealed_titles_trained", **numbers, detail=detail)
    return _met("sealed", found.scores.accuracy_interval[0] >= wanted, **numbers, detail=detail)


_JUDGES: Mapping[LineCode, Callable[[_Case], LineResult]] = {
    "not_worse": _not_worse,
    "accuracy": _accuracy,
    "category": _category,
    "flips": _flips,
    "forgetting": _forgetting,
    "quotes": _quotes,
    "sealed": _sealed,
}
