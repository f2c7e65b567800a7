"""Judge candidates, release them, go back: `release`, `releases`, `gate`, `sealed`.

Exit code 0: done, and the gate was passed; 1: it was not; 2: there is no such run, release or dataset.
"""

from contextlib import closing
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, user_name, workspace_at
from studio.cli._status import StatusLine
from studio.contract import AnswerMode
from studio.datasets.sealed_sets import SealedSet, list_sealed_sets
from studio.errors import GateNotPassed, InputError
from studio.gate import sentences
from studio.gate.card import release_card
from studio.gate.evidence import list_openings, sealed_scores
from studio.gate.gates import Gate, find_gate, list_gates, save_gate
from studio.gate.judging import judge_and_record, last_judgement
from studio.gate.lineage import LineageStep, lineage
from studio.gate.releasing import release as release_run
from studio.gate.releasing import require_candidate
from studio.gate.sealed_evaluation import open_sealed
from studio.language import say
from studio.operations.waiting import wait_or_cancel
from studio.releases import ledger
from studio.releases.checkpoints import is_unchanged
from studio.releases.models import GateResult, SealedOpening
from studio.releases.records import (
    Recorded,
    list_releases,
    put_back,
    put_in_force,
    require_release,
)
from studio.store import Store, open_store
from studio.workspace import Workspace

app = typer.Typer()
releases_app = typer.Typer(help="List releases; go back to an earlier one.")
gate_app = typer.Typer(help="What a candidate must show: saved before it is evaluated.", no_args_is_help=True)
sealed_app = typer.Typer(help="Evaluation sets that are opened before a release only.", no_args_is_help=True)
app.add_typer(releases_app, name="releases")
app.add_typer(gate_app, name="gate")
app.add_typer(sealed_app, name="sealed")

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Id of a training run.")]
GateNumber = Annotated[int | None, typer.Option("--gate", help="Number of the gate (default: the newest).")]


@app.command()
def release(
    run: RunName,
    name: Annotated[str | None, typer.Option(help="Name of the release (default: release-<number>).")] = None,
    sign: Annotated[str | None, typer.Option(help="Who signs for it (default: your login name).")] = None,
    gate: GateNumber = None,
    despite: Annotated[
        str, typer.Option(help="Why it is released although the gate was not passed; kept with the release.")
    ] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Judge a run at the gate and release its checkpoint: Classify and `serve` offer it first from now on."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            try:
                made = release_run(
                    db,
                    workspace,
                    run,
                    name=name,
                    signed_by=sign or user_name(),
                    author=user_name(),
                    gate=gate,
                    despite=despite,
                )
            except GateNotPassed as error:
                if as_json:
                    print_json(_refused(db, run, gate, error))
                raise
            if as_json:
                print_json(release_document(workspace, made))
                return
            typer.echo(
                say(
                    "{run} 已发布为 {name}，由 {by} 签发。",
                    "{run} is released as {name}, signed by {by}.",
                    run=made.release.run,
                    name=made.release.name,
                    by=made.release.signed_by,
                )
            )
            if made.release.gate is not None:
                _echo_result(made.release.gate)
            else:
                typer.echo(say("没有门槛：没有检查过任何一条。", "There was no gate: nothing was checked."))


def _refused(db: Store, run: str, number: int | None, error: GateNotPassed) -> dict[str, Any]:
    gate = find_gate(db, number)
    result = last_judgement(db, gate, run) if gate else None
    return {"released": False, "problem": error.problem, "gate": result_document(result) if result else None}


def release_document(workspace: Workspace, made: Recorded) -> dict[str, Any]:
    """Build the JSON of a release; `unchanged`: its checkpoint is there and is what was signed."""
    body = made.release
    return body.model_dump(mode="json") | {
        "released": True,
        "at": made.at.isoformat(),
        "in_force": made.in_force,
        "unchanged": is_unchanged(workspace, body),
        "gate": result_document(body.gate) if body.gate else None,
        "ledger_sha256": made.sha256,
    }


def result_document(result: GateResult) -> dict[str, Any]:
    """Build the JSON of a judgement."""
    return result.model_dump(mode="json") | {
        "outcome": result.outcome,
        "sentence": str(sentences.outcome(result)),
        "lines": [
            line.model_dump(mode="json") | {"sentence": str(sentences.found(line))} for line in result.lines
        ],
    }


def _echo_result(result: GateResult) -> None:
    typer.echo(sentences.outcome(result))
    for line in result.lines:
        status = sentences.status_name(line.status)
        typer.echo(f"  {status}  {sentences.line_name(line.line)}  {sentences.found(line)}")
    for remark in sentences.remarks(result):
        typer.echo(f"  {remark}")


@releases_app.callback(invoke_without_command=True)
def releases(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List every release, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            known, broken = list_releases(db), ledger.first_broken(db)
        if as_json:
            print_json(
                {
                    "releases": [release_document(workspace, each) for each in known],
                    "ledger_broken_at": broken,
                }
            )
        else:
            _echo_releases(workspace, known)
        if broken is not None:
            typer.echo(_broken(broken), err=True)
            raise typer.Exit(1)


def _echo_releases(workspace: Workspace, known: list[Recorded]) -> None:
    if not known:
        typer.echo(say("还没有发布任何模型。", "Nothing is released yet."))
    for each in known:
        _echo_release(workspace, each)


def _broken(number: int) -> str:
    return say(
        "台账从第 {number} 条起被改动过：请从备份恢复 studio.db。",
        "The ledger was changed from entry {number} on: restore studio.db from a backup.",
        number=number,
    )


def _echo_release(workspace: Workspace, each: Recorded) -> None:
    made = each.release
    mark = "*" if each.in_force else " "
    outcome = sentences.outcome(made.gate) if made.gate else say("没有门槛", "no gate")
    at = f"{each.at.astimezone():%Y-%m-%d %H:%M}"
    typer.echo(f"{mark} {made.name}  {made.run}  {made.signed_by}  {at}  {outcome}")
    if not is_unchanged(workspace, made):
        typer.echo(
            say("  检查点与签发时不同，或已不在。", "  The checkpoint is not what was signed, or is gone.")
        )


@releases_app.command()
def back(
    name: Annotated[
        str | None, typer.Argument(help="Release to go back to (default: the one before the one in force).")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier release in force again; the others stay."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            if name is None:
                now = put_back(db, author=user_name())
            else:
                number = require_release(workspace, name).release.number
                now = put_in_force(db, number, author=user_name())
        if as_json:
            print_json(release_document(workspace, now))
        else:
            typer.echo(
                say(
                    "现在用的是 {name}（{run}）。",
                    "{name} ({run}) is in force now.",
                    name=now.release.name,
                    run=now.release.run,
                )
            )


@releases_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Release by name, `released`, or a training run.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Trace a release or a run from its titles on, with the command that repeats each step."""
    with report_errors():
        workspace = workspace_at(home)
        run = require_candidate(workspace, name)
        with closing(open_store(workspace.database)) as db:
            steps = lineage(db, workspace, run)
        if as_json:
            print_json({"run": run.id, "lineage": [step.to_json() for step in steps]})
            return
        for step in steps:
            _echo_step(step)


@releases_app.command()
def card(
    name: Annotated[str, typer.Argument(help="Release by name, or `released`.")], home: Home = None
) -> None:
    """Print the card of a release in Markdown: who signed what, with the numbers of that day."""
    with report_errors():
        typer.echo(release_card(require_release(workspace_at(home), name)), nl=False)


def _echo_step(step: LineageStep) -> None:
    typer.echo(step.name)
    for name, value in step.facts:
        typer.echo(f"  {name}: {value}")
    for line in step.command.splitlines():
        typer.echo(f"    {line}")


@gate_app.command()
def save(
    dataset: Annotated[
        str, typer.Option(help="Version (name or name@3) or bundled, whose evaluation rows count.")
    ],
    answer: Annotated[AnswerMode, typer.Option(help="Way of answering that is judged.")] = "direct",
    not_worse: Annotated[
        bool,
        typer.Option("--not-worse/--may-be-worse", help="Not worse than the released one, paired by title."),
    ] = True,
    margin: Annotated[
        float | None, typer.Option(help="Loss of accuracy that the interval must exclude, such as 0.02.")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option("--min-accuracy", help="Least lower end of the accuracy's interval.")
    ] = None,
    category: Annotated[
        float | None, typer.Option("--min-category", help="Least recall of every category.")
    ] = None,
    flips: Annotated[
        float | None, typer.Option("--max-flips", help="Highest flip rate of a behavioural test.")
    ] = None,
    forgetting: Annotated[
        bool, typer.Option("--no-forgetting", help="The forgetting probe shows no loss.")
    ] = False,
    quotes: Annotated[
        float | None, typer.Option("--min-quotes", help="Least share of quotes that are in the title.")
    ] = None,
    sealed: Annotated[
        float | None,
        typer.Option("--min-sealed", help="Least lower end of the interval on the sealed set."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Save a gate for candidates that are evaluated from now on; it cannot be changed afterwards."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            gate = save_gate(
                db,
                workspace,
                dataset=dataset,
                author=user_name(),
                answer=answer,
                not_worse=not_worse,
                margin=margin,
                accuracy=accuracy,
                category=category,
                flips=flips,
                forgetting=forgetting,
                quotes=quotes,
                sealed=sealed,
            )
        if as_json:
            print_json(gate.to_json())
        else:
            _echo_gate(gate)


@gate_app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List every gate, the newest first."""
    with report_errors():
        with closing(open_store(workspace_at(home).database)) as db:
            gates = list_gates(db)
        if as_json:
            print_json({"gates": [gate.to_json() for gate in gates]})
            return
        if not gates:
            typer.echo(say("还没有存过门槛。", "No gate was saved yet."))
        for gate in gates:
            _echo_gate(gate)


def _echo_gate(gate: Gate) -> None:
    typer.echo(sentences.gate_name(gate))
    for line in gate.rule.lines:
        typer.echo(f"  {sentences.asked(gate.rule, line)}")


@gate_app.command()
def check(run: RunName, gate: GateNumber = None, home: Home = None, as_json: AsJson = False) -> None:
    """Judge a run at a gate, line by line. Exit code 1 unless it is passed."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            found = find_gate(db, gate)
            if found is None:
                raise InputError(
                    say("还没有存过门槛。", "No gate was saved yet."),
                    remedy=say(
                        "先存一道：news-studio gate save --dataset bundled --min-accuracy 0.7",
                        "Save one first: news-studio gate save --dataset bundled --min-accuracy 0.7",
                    ),
                )
            candidate = require_candidate(workspace, run)
            result = judge_and_record(db, workspace, found, candidate, author=user_name())
        if as_json:
            print_json(result_document(result))
        else:
            _echo_result(result)
        if result.outcome != "passed":
            raise typer.Exit(1)


@sealed_app.command("list")
def list_sealed(home: Home = None, as_json: AsJson = False) -> None:
    """List the sealed sets, and who opened them when and why."""
    with report_errors():
        with closing(open_store(workspace_at(home).database)) as db:
            sets = {each: _openings_of(db, each) for each in list_sealed_sets(db)}
        if as_json:
            print_json({"sealed": [_sealed_document(*each) for each in sets.items()]})
            return
        if not sets:
            typer.echo(
                say(
                    "没有封存的评估集；冻结时用 --sealed-share 0.1 封存一份。",
                    "There is no sealed set; freeze with --sealed-share 0.1 to seal one.",
                )
            )
        for each, openings in sets.items():
            typer.echo(f"{each.ref}  n={each.rows}  {each.author}  {each.created_at[:10]}")
            for opening, entry in openings:
                at = f"{entry.at.astimezone():%Y-%m-%d %H:%M}"
                typer.echo(f"  {opening.opening}. {opening.run}  {entry.author}  {at}  {opening.reason}")


def _openings_of(db: Store, sealed: SealedSet) -> list[tuple[SealedOpening, ledger.LedgerEntry]]:
    """Pair every opening of a set with its entry in the ledger, which says who and when."""
    return [
        (opening, entry)
        for opening, entry in zip(list_openings(db), ledger.read(db, "sealed_opened"), strict=True)
        if (opening.dataset, opening.number) == (sealed.dataset, sealed.number)
    ]


def _sealed_document(
    sealed: SealedSet, openings: list[tuple[SealedOpening, ledger.LedgerEntry]]
) -> dict[str, Any]:
    return {
        "set": sealed.ref,
        "rows": sealed.rows,
        "sha256": sealed.sha256,
        "sealed_by": sealed.author,
        "sealed_at": sealed.created_at,
        "openings": [
            opening.model_dump(mode="json") | {"author": entry.author, "at": entry.at.isoformat()}
            for opening, entry in openings
        ],
    }


@sealed_app.command("open")
def open_(
    dataset: Annotated[str, typer.Argument(help="Dataset whose newest sealed set is opened, or name#2.")],
    run: RunName,
    reason: Annotated[str, typer.Option(help="Why it is opened; kept for ever.")],
    answer: Annotated[AnswerMode, typer.Option(help="Way of answering.")] = "direct",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Have a candidate answer a sealed set; every opening is written down and counted."""
    with report_errors():
        workspace = workspace_at(home)
        with closing(open_store(workspace.database)) as db:
            opening, job = open_sealed(
                db, workspace, dataset, run, reason=reason, author=user_name(), answer=answer
            )
        typer.echo(sentences.openings(opening.opening), err=True)
        job = wait_or_cancel(workspace, job, StatusLine(quiet=as_json))
        runs.require_done(job)
        scores = sealed_scores(job, answer)
        assert scores is not None, job.id
        low, high = scores.accuracy_interval
        if as_json:
            print_json(
                opening.model_dump(mode="json")
                | {"n": scores.n, "accuracy": scores.accuracy, "accuracy_interval": [low, high]}
            )
        else:
            typer.echo(
                say(
                    "准确率 {accuracy}，95% 区间 {low} – {high}，{n} 条",
                    "accuracy {accuracy}, 95 % interval {low} – {high}, n = {n}",
                    accuracy=f"{scores.accuracy:.1%}",
                    low=f"{low:.1%}",
                    high=f"{high:.1%}",
                    n=scores.n,
                )
            )
