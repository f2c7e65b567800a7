"""Measure a run further, as the views of the Evaluate page do: `behaviour`, `calibrate`, `curve`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, user_name, workspace_at
from studio.cli._status import StatusLine
from studio.contract import AnswerMode
from studio.errors import InputError, RunFailed
from studio.evaluation import behaviour_runs, refusal
from studio.evaluation.behaviour import BehaviourResult, FlipRate, change_name
from studio.evaluation.calibration import CalibrationReport, CoveragePoint
from studio.evaluation.scaling import MORE, Expected, Forecast
from studio.language import say
from studio.operations.waiting import wait_or_cancel
from studio.samples.scheme import load_scheme
from studio.training import scaling

app = typer.Typer()

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]
COVERAGES = 11
"""Points of the coverage curve that are printed."""


@app.command()
def behaviour(
    run: RunId,
    limit: Annotated[int, typer.Option(min=1, help="Change at most this many titles.")] = (
        behaviour_runs.MOST_ROWS
    ),
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change titles in ways that change no category, and count how often the answer flips."""
    with report_errors():
        workspace = workspace_at(home)
        tested = runs.get_run(workspace, run)
        job = behaviour_runs.start(workspace, tested, load_scheme(), limit=limit)
        ended = wait_or_cancel(workspace, job, StatusLine(quiet=as_json))
        runs.require_done(ended)
        result = behaviour_runs.read_result(ended, tested)
        if as_json:
            print_json({"run": tested.id, "job": job.id, **behaviour_document(result)})
            return
        for each in result.rates:
            low, high = each.interval
            typer.echo(
                f"{each.rate:>6.1%} ({low:.0%}–{high:.0%})  {each.flips:>4} / {each.titles:<5}"
                f" -{each.broken} +{each.fixed}  {change_name(each.test)}"
            )


def behaviour_document(result: BehaviourResult) -> dict[str, Any]:
    """Build the document of `behaviour --json`: flip rates by change and category, and what flipped."""
    return {
        "changes": {each.test: _flip_rate(each) for each in result.rates},
        "per_category": [
            {"change": each.test, "category": each.category, **_flip_rate(each)}
            for each in result.by_category
        ],
        "flips": [
            {
                "change": test,
                "title": flip.title,
                "changed": flip.changed,
                "label": flip.label,
                "before": flip.before,
                "after": flip.after,
            }
            for test, flips in result.flips.items()
            for flip in flips
        ],
    }


def _flip_rate(each: FlipRate) -> dict[str, Any]:
    return {
        "titles": each.titles,
        "flips": each.flips,
        "rate": each.rate,
        "interval": list(each.interval),
        "broken": each.broken,
        "fixed": each.fixed,
    }


@app.command()
def calibrate(
    run: RunId,
    answer: Annotated[AnswerMode, typer.Option(help="The way of answering that is calibrated.")] = "direct",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Store this confidence: below it the model's answers are refused."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove the stored threshold: everything is answered again.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Calibrate confidence, and measure what refusing uncertain answers is worth."""
    with report_errors():
        workspace, scheme = workspace_at(home), load_scheme()
        evaluated = runs.get_run(workspace, run)
        report = refusal.calibration_report(workspace, evaluated, answer, scheme)
        if report is None:
            raise InputError(
                say(
                    f"运行 {run} 没有足够的带概率的答案可供校准。",
                    f"Run {run} has too few answers with probabilities to be calibrated.",
                ),
                remedy=say(
                    f"先直接评估它：news-studio evaluate {run} --answer direct。",
                    f"Evaluate it directly first: news-studio evaluate {run} --answer direct",
                ),
            )
        if clear:
            refusal.forget_threshold(workspace, evaluated, answer)
        elif threshold is not None:
            refusal.choose_threshold(workspace, evaluated, report, threshold, author=user_name())
        chosen = refusal.chosen_threshold(workspace, evaluated, answer)
        document = calibration_document(report, None if chosen is None else chosen.confidence)
    if as_json:
        print_json({"run": evaluated.id, "answer": answer, **document})
        return
    before, after = report.errors
    typer.echo(
        say(
            f"校准误差 {before:.1%} → {after:.1%}"
            f"（拟合于 {report.fitted.fitted_on}，{report.fitted.rows} 条）",
            f"calibration error {before:.1%} → {after:.1%} (fitted on {report.fitted.fitted_on}, "
            f"{report.fitted.rows} rows)",
        )
    )
    for point in report.curve(COVERAGES - 1):
        typer.echo(_coverage_line(point))
    if chosen is not None:
        typer.echo(say("已选的门槛：", "chosen threshold: ") + _coverage_line(report.at(chosen.confidence)))


def calibration_document(report: CalibrationReport, chosen: float | None) -> dict[str, Any]:
    """Build the document of `calibrate --json`: errors, reliability, coverage against accuracy."""
    return {
        "fitted_on": report.fitted.fitted_on,
        "apart": report.apart,
        "calibration_error": list(report.errors),
        "reliability": [
            {"confidence": each.confidence, "rows": each.rows, "right": each.right, "interval": each.interval}
            for each in report.bins(calibrated=True)
        ],
        "coverage": [_coverage(point) for point in report.curve()],
        "threshold": None if chosen is None else _coverage(report.at(chosen)),
    }


def _coverage(point: CoveragePoint) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "coverage": point.coverage,
        "answered": point.answered,
        "right": point.right,
        "accuracy": point.accuracy,
        "interval": list(point.interval),
    }


def _coverage_line(point: CoveragePoint) -> str:
    low, high = point.interval
    return say(
        f"  把握 ≥ {point.threshold:.2f}：回答 {point.coverage:.0%}，其中对 {point.accuracy:.1%}"
        f"（{low:.0%}–{high:.0%}）",
        f"  confidence ≥ {point.threshold:.2f}: answers {point.coverage:.0%}, of these right "
        f"{point.accuracy:.1%} ({low:.0%}–{high:.0%})",
    )


@app.command()
def curve(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a training run.")],
    again: Annotated[
        bool, typer.Option("--again", help="Train a new curve although there is a finished one.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a run's recipe on parts of its rows, three seeds each; forecast what more rows would bring.

    A finished curve is not trained again: it is printed, with what later trainings on more rows brought.
    """
    with report_errors():
        workspace, scheme = workspace_at(home), load_scheme()
        trained = runs.get_run(workspace, run)
        found = scaling.last_curve(workspace, trained, scheme)
        if again or found is None or (found.job.is_over and found.forecast is None):
            found = None
            job = scaling.start_curve(workspace, trained, scheme)
        else:
            job = found.job
        if not job.is_over:
            runs.require_done(wait_or_cancel(workspace, job, StatusLine(quiet=as_json)))
            found = scaling.last_curve(workspace, trained, scheme)
        if found is None or found.forecast is None:
            raise RunFailed(
                say("训练成功的不够画一条曲线。", "Too few of the trainings succeeded for a curve."),
                remedy=say("用 news-studio runs 看原因。", "See why with: news-studio runs"),
            )
        checks = scaling.checks(workspace, found, trained, scheme)
        if as_json:
            print_json({"run": trained.id, "job": found.job.id, **curve_document(found, checks)})
            return
        _print_curve(found.forecast, checks)
        if note := scaling.steps_note(trained):
            typer.echo(note, err=True)


def curve_document(found: scaling.Curve, checks: Sequence[scaling.Check]) -> dict[str, Any]:
    """Build the document of `curve --json`: what was measured, the forecasts, how earlier ones came true."""
    assert found.forecast is not None, "a finished curve"
    forecast = found.forecast
    largest = max(each.rows for each in forecast.measured)
    return {
        "trainings": found.trainings,
        "done": found.done,
        "measured": [each.model_dump(mode="json") for each in forecast.measured],
        "exponent": forecast.exponent.model_dump(),
        "forecast": {
            str(rows): forecast.accuracy_at(rows).model_dump()
            for rows in (largest, round(1.5 * largest), 2 * largest)
        },
        "per_category": {name: each.model_dump() for name, each in forecast.categories.items()},
        "more_rows": MORE,
        "checks": [
            {
                "run": each.run.id,
                "rows": each.rows,
                "accuracy": each.accuracy,
                "expected": each.expected.model_dump(),
                "within": each.is_within,
            }
            for each in checks
        ],
    }


def _print_curve(forecast: Forecast, checks: Sequence[scaling.Check]) -> None:
    for each in forecast.measured:
        mean = sum(each.accuracies) / len(each.accuracies)
        seeds = " ".join(f"{accuracy:.1%}" for accuracy in each.accuracies)
        typer.echo(
            say(f"{each.rows:>7} 条  {mean:.1%}  （{seeds}）", f"{each.rows:>7} rows  {mean:.1%}  ({seeds})")
        )
    double = 2 * forecast.measured[-1].rows
    expected = _expected(forecast.accuracy_at(double))
    typer.echo(say(f"{double:>7} 条  推算 {expected}", f"{double:>7} rows  forecast {expected}"))
    for name, gain in sorted(forecast.categories.items(), key=lambda item: -item[1].gain.value):
        points = f"{100 * gain.gain.value:+.1f} ({100 * gain.gain.low:+.1f} … {100 * gain.gain.high:+.1f})"
        typer.echo(
            say(f"  {name}：再标 {MORE} 条 {points} 点", f"  {name}: {MORE} more rows bring {points} points")
        )
    for check in checks:
        mark = say("说中", "as forecast") if check.is_within else say("没说中", "not as forecast")
        typer.echo(f"{check.run.id}  {check.rows}  {check.accuracy:.1%}  {_expected(check.expected)}  {mark}")


def _expected(found: Expected) -> str:
    return f"{found.value:.1%} ({found.low:.0%} – {found.high:.0%})"
