"""Write the card of a release in Markdown: what was signed, with the numbers of that day.

All of it is from the ledger: a card says the same after the run was evaluated again.
"""

from collections.abc import Iterator

from studio.contract import AnswerMode
from studio.evaluation.report import category_name
from studio.gate import sentences
from studio.language import say
from studio.releases.models import GateResult, Release, ReleasedScore
from studio.releases.records import Recorded
from studio.samples.scheme import load_scheme
from studio.stats import wilson_interval


def release_card(recorded: Recorded) -> str:
    """Write the card of a release in the current language: origin, scores, gate, threshold, hashes."""
    made = recorded.release
    lines = [f"# {made.name}", "", *_signed(recorded)]
    for answer, score in made.scores.items():
        lines += ["", *_measured(answer, score)]
    lines += ["", *_gate(made.gate), *_threshold(made), "", *_hashes(recorded)]
    return "\n".join(lines) + "\n"


def _signed(recorded: Recorded) -> Iterator[str]:
    made = recorded.release
    yield say(
        "第 {number} 个发布，{by} 于 {at} 签发。",
        "Release {number}, signed by {by} on {at}.",
        number=made.number,
        by=made.signed_by,
        at=f"{recorded.at.astimezone():%Y-%m-%d %H:%M}",
    )
    if made.before:
        yield say("在它之前用的是 {name}。", "Before it {name} was in force.", name=made.before)
    if made.despite:
        yield say(
            "没过门槛仍然发布，因为：{why}",
            "Released although its gate was not passed, because: {why}",
            why=made.despite,
        )
    yield ""
    yield f"- {say('运行', 'Run')}: {made.run}, {made.checkpoint}"
    yield f"- {say('训练数据', 'Trained on')}: {made.dataset or '–'}"
    yield f"- {say('模板', 'Template')}: {made.template}"


def _measured(answer: AnswerMode, score: ReleasedScore) -> Iterator[str]:
    low, high = score.interval
    yield "## " + (say("直接打分", "Direct scores") if answer == "direct" else say("思维链", "Think chain"))
    yield ""
    yield say(
        "{n} 条评估标题：准确率 {accuracy}（95% 区间 {low} – {high}），见运行 {run}。",
        "{n} evaluation titles: accuracy {accuracy} (95 % interval {low} – {high}), see run {run}.",
        n=score.n,
        accuracy=f"{score.accuracy:.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        run=score.evaluation,
    )
    yield ""
    yield say("| 类别 | 召回率 | 95% 区间 | 条数 |", "| category | recall | 95 % interval | titles |")
    yield "|---|---|---|---|"
    scheme = load_scheme()
    for name, (recall, n) in sorted(score.recalls.items(), key=lambda each: each[1]):
        lower, upper = wilson_interval(recall * n, n)
        yield f"| {category_name(name, scheme)} | {recall:.1%} | {lower:.1%} – {upper:.1%} | {n} |"


def _gate(result: GateResult | None) -> Iterator[str]:
    yield "## " + say("门槛", "Gate")
    yield ""
    if result is None:
        yield say("没有门槛：没有检查过任何一条。", "There was no gate: nothing was checked.")
        return
    yield sentences.outcome(result)
    yield ""
    for line in result.lines:
        status, name = sentences.status_name(line.status), sentences.line_name(line.line)
        yield f"- {status} · {name}: {sentences.found(line)}"
    for remark in sentences.remarks(result):
        yield f"- {remark}"


def _threshold(made: Release) -> Iterator[str]:
    chosen = {
        answer: each.threshold
        for answer, each in (made.calibration.answers if made.calibration else {}).items()
        if each.threshold
    }
    yield ""
    yield "## " + say("拒答", "Refusal")
    yield ""
    if not chosen:
        yield say("没有设阈值：每条都回答。", "No threshold was chosen: every title is answered.")
    for answer, threshold in chosen.items():
        yield say(
            "{answer}：置信度低于 {confidence} 请人判断；选定时 {rows} 条里回答 {answered} 条，"
            "答对 {right} 条。",
            "{answer}: below a confidence of {confidence} a person decides; when it was chosen {answered} of "
            "{rows} titles were answered, {right} of them right.",
            answer=answer,
            confidence=f"{threshold.confidence:.2f}",
            rows=threshold.rows,
            answered=threshold.answered,
            right=threshold.right,
        )


def _hashes(recorded: Recorded) -> Iterator[str]:
    made = recorded.release
    yield "## sha256"
    yield ""
    for name, value in (
        (say("检查点", "checkpoint"), made.checkpoint_sha256),
        (say("基座模型", "base model"), made.model_sha256),
        (say("训练数据", "training data"), made.dataset_sha256),
        (say("台账", "ledger"), recorded.sha256),
    ):
        yield f"- {name}: `{value or '–'}`"
