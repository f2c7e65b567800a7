"""Write what a package says about its model: the card, what changed since the release, how to start it.

Every number is one of the scores that the pages show. Each text is written in the current language.
"""

from collections.abc import Iterator

from studio import runs
from studio.contract import UNPARSED, AnswerMode, ExportSpec, Scores, TrainSpec
from studio.errors import StudioError
from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import Entry, entries_of
from studio.language import say
from studio.operations.released import released_run
from studio.runs import Run
from studio.samples.scheme import Scheme
from studio.stats import wilson_interval
from studio.workspace import Workspace

WEAK = 5
"""Confusions that the card names."""


def card(spec: ExportSpec, run: Run | None, scheme: Scheme) -> str:
    """Write the model card: origin, scores with intervals, each category, threshold, limits, weak spots."""
    lines = [f"# {spec.name}", "", *_origin(spec, run, scheme)]
    scored = _scores(run)
    if not scored:
        lines += [
            "",
            say(
                "**没有得分。** 这个模型还没有评估过，先评估再使用。",
                "**No scores.** This model has not been evaluated; do so before it is used.",
            ),
        ]
    for mode, scores in scored.items():
        lines += ["", *_measured(mode, scores)]
    lines += ["", *_threshold(run), "", *_limits(scored)]
    return "\n".join(lines) + "\n"


def changes(workspace: Workspace, run: Run) -> str:
    """Compare a run with the released one; empty where nothing is released, or it is this run.

    A comparison that cannot be made is said with its reason.
    """
    released = released_run(workspace)
    if released is None or released.id == run.id:
        return ""
    before, after = ({entry.answer: entry for entry in entries_of(one)} for one in (released, run))
    head = say(
        f"# 与已发布的 {released.label or released.id} 相比",
        f"# Changes against the released {released.label or released.id}",
    )
    lines = [head]
    for mode in before:
        if mode in after:
            lines += ["", f"## {_mode(mode)}", "", *_compared(before[mode], after[mode])]
    if len(lines) == 1:
        lines += [
            "",
            say("两者没有同一种回答方式的得分。", "They have no scores of the same way of answering."),
        ]
    return "\n".join(lines) + "\n"


def readme(spec: ExportSpec) -> str:
    """Write how a package is started, in both languages."""
    model = f"{spec.name}-{spec.quant}.gguf"
    return "\n".join(
        [
            f"# {spec.name}",
            "",
            "```",
            "python -m venv venv && venv/bin/pip install -r requirements.txt",
            "venv/bin/python smoke_test.py      # 20 titles; exit code 1 where an answer differs",
            "venv/bin/python server.py          # http://127.0.0.1:8000/v1/classify",
            'venv/bin/python client.py "国足客场2比1逆转"',
            "```",
            "",
            "只需要 requirements.txt 里的包，不联网。模型是 `" + model + "`，也可以用 Ollama："
            f"`ollama create {spec.name} -f Modelfile`。",
            "效果、局限、阈值见 card.zh.md；与检查点的逐项核对见 proof.md；"
            "`/v1/classify` 的字段与工作台的一致。",
            "",
            f"It needs the packages of requirements.txt alone, and no network. The model is `{model}`; "
            f"Ollama takes it with `ollama create {spec.name} -f Modelfile`. See card.en.md for scores, "
            "limits and the threshold, proof.md for how it compares with the checkpoint. The fields of "
            "`/v1/classify` are the studio's.",
            "",
        ]
    )


def _origin(spec: ExportSpec, run: Run | None, scheme: Scheme) -> Iterator[str]:
    yield say(
        f"给中文新闻标题选一个类别：{'、'.join(scheme.names)}。",
        f"Chooses one category for a Chinese news title: {', '.join(scheme.names)}.",
    )
    yield ""
    yield f"- {say('基座', 'Base model')}: {spec.model_name_or_path.name}"
    if run is not None:
        yield f"- {say('运行', 'Run')}: {run.id} {run.label}".rstrip()
        if isinstance(run.spec, TrainSpec):
            yield (
                f"- {say('训练', 'Training')}: {run.spec.stage}, {run.spec.finetuning_type}, "
                f"learning_rate {run.spec.learning_rate:g}, seed {run.spec.seed}"
            )
        where = run.version or run.spec.dataset_dir.name
        yield f"- {say('数据', 'Data')}: {where}"
    yield f"- {say('模板', 'Template')}: {spec.template}"
    yield f"- {say('格式', 'Weights')}: GGUF {spec.quant}"


def _scores(run: Run | None) -> dict[AnswerMode, Scores]:
    found = runs.load_scores(run) if run is not None else None
    return dict(found.evaluations) if found else {}


def _mode(mode: AnswerMode) -> str:
    return say("直接打分", "Direct scores") if mode == "direct" else say("思维链", "Think chain")


def _measured(mode: AnswerMode, scores: Scores) -> Iterator[str]:
    low, high = scores.accuracy_interval
    yield f"## {_mode(mode)}"
    yield ""
    yield say(
        f"{scores.n} 个评估标题：准确率 {scores.accuracy:.1%}（95 % 区间 {low:.1%} 到 {high:.1%}），"
        f"宏平均 F1 {scores.macro_f1:.3f}，读不出类别 {scores.unparsed} 个。",
        f"{scores.n} evaluation titles: accuracy {scores.accuracy:.1%} (95 % interval {low:.1%} to "
        f"{high:.1%}), macro F1 {scores.macro_f1:.3f}, {scores.unparsed} without a category.",
    )
    baselines = ", ".join(f"{name} {value:.1%}" for name, value in scores.baselines.items())
    if baselines:
        yield say(f"同样的标题，简单做法：{baselines}。", f"On the same titles, simple ways: {baselines}.")
    yield ""
    yield say(
        "| 类别 | 精确率 | 召回率 [95 %] | F1 | 标题数 |",
        "| category | precision | recall [95 %] | F1 | titles |",
    )
    yield "|---|---|---|---|---|"
    for name, one in scores.per_category.items():
        low, high = wilson_interval(round(one.recall * one.support), one.support)
        recall = f"{one.recall:.0%} [{low:.0%}, {high:.0%}]"
        yield f"| {name} | {one.precision:.0%} | {recall} | {one.f1:.2f} | {one.support} |"
    weak = _confusions(scores)
    if weak:
        yield ""
        yield say("已知的弱点，最常见的混淆：", "Known weak spots, the most frequent confusions:")
        yield from (f"- {text}" for text in weak)


def _confusions(scores: Scores) -> list[str]:
    found = [
        (count, row, column)
        for row, counts in zip(scores.confusion.rows, scores.confusion.counts, strict=True)
        for column, count in zip(scores.confusion.columns, counts, strict=True)
        if count and row != column and column != UNPARSED
    ]
    return [
        say(f"{row} 被答成 {column}：{count} 个", f"{row} answered as {column}: {count}")
        for count, row, column in sorted(found, reverse=True)[:WEAK]
    ]


def _threshold(run: Run | None) -> Iterator[str]:
    file = runs.load_calibration(run) if run is not None else None
    fitted = file.answers.get("direct") if file else None
    yield say("## 置信度与拒答", "## Confidence and abstention")
    yield ""
    if fitted is None:
        yield say(
            "置信度没有校准，也没有选定拒答的阈值：每个标题都给答案。",
            "The confidence is not calibrated and no threshold was chosen: every title is answered.",
        )
        return
    yield say(f"置信度在 {fitted.rows} 行上校准。", f"The confidence was calibrated on {fitted.rows} rows.")
    if (chosen := fitted.threshold) is not None:
        low, high = chosen.accuracy_interval
        yield say(
            f"低于 {chosen.confidence:.2f} 拒答：选定时 {chosen.rows} 行里回答 {chosen.answered} 行，"
            f"答对 {chosen.right} 行（{low:.1%} 到 {high:.1%}），由 {chosen.author} 选定。",
            f"Abstains below {chosen.confidence:.2f}: when chosen, {chosen.answered} of {chosen.rows} rows "
            f"were answered, {chosen.right} rightly ({low:.1%} to {high:.1%}); chosen by {chosen.author}.",
        )


def _limits(scored: dict[AnswerMode, Scores]) -> Iterator[str]:
    yield say("## 局限", "## Limits")
    yield ""
    if scored:
        n = max(scores.n for scores in scored.values())
        yield say(
            f"- 得分只来自 {n} 个标题；区间之内的差别说明不了什么。",
            f"- The scores come from {n} titles; a difference within the interval says nothing.",
        )
    yield say(
        "- 只看标题，不看正文；只会在上面的类别里选，别的内容也会得到其中一个类别。",
        "- It reads titles, no articles, and always chooses one of the categories above, whatever comes.",
    )
    yield say(
        "- 思维链是说明，不是依据；换一个运行环境，思维链会不同，类别以直接打分为准。",
        "- A think chain illustrates, it is no evidence, and differs between runtimes: use direct scores.",
    )
    yield say(
        "- 题材或时间与训练数据不同的标题，请先抽样检查再使用。",
        "- Titles of other subjects or times than the training data: check a sample before relying on it.",
    )


def _compared(before: Entry, after: Entry) -> Iterator[str]:
    try:
        (found,) = compare_entries([before, after], common=True).comparisons
    except StudioError as error:
        yield say(f"无法比较：{error.problem}", f"They cannot be compared: {error.problem}")
        return
    low, high = found.interval
    yield found.verdict.sentence
    yield ""
    yield say(
        f"同样的 {found.n} 个标题：变对 {found.fixed}，变错 {found.broken}，"
        f"相差 {found.difference:+.1%}（{low:+.1%} 到 {high:+.1%}），p = {found.p_value:.2g}。",
        f"On the same {found.n} titles: {found.fixed} fixed, {found.broken} broken, "
        f"difference {found.difference:+.1%} ({low:+.1%} to {high:+.1%}), p = {found.p_value:.2g}.",
    )
