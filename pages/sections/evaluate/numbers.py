"""Draw the choice of a scored run, and its numbers."""

from collections.abc import Mapping

import streamlit as st

from pages.shared import charts, colors, session
from pages.shared.elements import choose_one, table
from pages.shared.feedback import report_errors
from pages.shared.run_names import data_name, model_name
from pages.shared.text import answer_name, baseline_name, category_name, plain, run_option
from studio import runs
from studio.contract import AnswerMode, Scores
from studio.evaluation.entries import list_entries
from studio.evaluation.planning import rows_missing, what_it_tells
from studio.language import say
from studio.runs import Run
from studio.workspace import Workspace

Scored = dict[str, tuple[Run, Mapping[AnswerMode, Scores]]]


def scored_runs(workspace: Workspace) -> Scored:
    """Return runs with scores, newest first, the recorded one last."""
    found: Scored = {}
    for run in runs.list_runs(workspace):
        with report_errors():
            file = runs.load_scores(run)
            if file is not None and file.evaluations:
                found[run.id] = (run, file.evaluations)
    return found


def choose_run(scored: Scored) -> tuple[Run, AnswerMode]:
    """Draw the choice of a run and of its way of answering."""
    session.follow_address("evaluation", "choose-evaluate-run", scored)
    left, right = st.columns([2.2, 1])
    labels = {key: _run_label(*entry) for key, entry in scored.items()}
    run_id = left.selectbox(
        say("运行", "Run"),
        list(scored),
        format_func=labels.__getitem__,
        key="choose-evaluate-run",
    )
    session.keep_address("evaluation", run_id)
    run, evaluations = scored[run_id]
    st.session_state.setdefault(f"choose-evaluate-answer-{run_id}", next(iter(evaluations)))
    with right:
        answer = choose_one(
            say("回答方式", "Way of answering"),
            list(evaluations),
            key=f"choose-evaluate-answer-{run_id}",
            format_func=answer_name,
            help=say(
                "思维链：先写思维链再给类别，产品就是这样回答的。"
                "直接打分：空思维链之后给十个类别打分，速度快，并给出概率。",
                "Think chain: write the chain, then the category; this is the product. Direct: score the ten "
                "categories after an empty chain; fast, and gives probabilities.",
            ),
        )
    return run, answer


def _run_label(run: Run, evaluations: Mapping[AnswerMode, Scores]) -> str:
    """Name a scored run: what it is called, its model, the rows that it was asked, and how many."""
    kind = say("训练", "training") if run.spec.kind == "train" else say("评估", "evaluation")
    count = max((scores.n for scores in evaluations.values()), default=0)
    parts = [run_option(run), kind, model_name(session.workspace(), run), data_name(run), f"n={count}"]
    return " · ".join(dict.fromkeys(parts))


def lacking_categories(scores: Scores) -> None:
    """Warn where no evaluated row has some category: of that one the score says nothing."""
    lacking = [name for name, entry in scores.per_category.items() if entry.support == 0]
    if lacking:
        names_zh, names_en = "、".join(map(category_name, lacking)), ", ".join(map(category_name, lacking))
        st.warning(
            say(
                f"评估数据里没有这些类别：{names_zh}。准确率和宏 F1 看不出模型在它们上面的好坏；"
                "请换一个各类都有的数据集版本。",
                f"The evaluation rows have none of: {names_en}. Accuracy and macro F1 say nothing about "
                "these; evaluate on a version that has every category.",
            ),
            icon=":material/data_alert:",
        )


def headline(scores: Scores) -> None:
    """Draw the numbers that matter, with the baselines beside them."""
    numbers, bars = st.columns([1.5, 1], gap="large", vertical_alignment="center")
    low, high = scores.accuracy_interval
    with numbers, st.grid(4, min_column_width=90):
        st.metric(
            say("准确率", "Accuracy"),
            f"{scores.accuracy:.1%}",
            help=say(
                f"{scores.n} 条评估标题里答对的比例；95% 置信区间是 {low:.1%} 到 {high:.1%}。",
                f"Share of the {scores.n} evaluation titles answered correctly; 95 % confidence interval "
                f"{low:.1%} to {high:.1%}.",
            ),
            delta=f"{low:.0%} – {high:.0%}",
            delta_color="off",
            delta_arrow="off",
        )
        st.metric(
            say("宏 F1", "Macro F1"),
            f"{scores.macro_f1:.1%}",
            help=say(
                "各类别 F1 的平均值，小类别和大类别权重相同。",
                "Mean F1 of the categories: a small category counts as much as a large one.",
            ),
        )
        st.metric(
            say("无法解析", "Unparsed"),
            str(scores.unparsed),
            help=say(
                "无法读出类别的回答数，都算错。",
                "Answers without a readable category; they count as wrong.",
            ),
        )
        st.metric(
            say("条/秒", "Titles/s"),
            f"{scores.samples_per_second:,.1f}",
            help=say("回答的速度，不含加载模型。", "Inference speed, without loading."),
        )
    with bars:
        rows = [(say("这个模型", "this model"), scores.accuracy, True)]
        rows += [(baseline_name(name), value, False) for name, value in scores.baselines.items()]
        st.altair_chart(charts.accuracy_bars(rows), alt=say("准确率与基线", "Accuracy and baselines"))


def what_it_can_tell(run: Run, scores: Scores) -> None:
    """Say how small a difference such titles show, and which category needs how many more."""
    tells = what_it_tells(list_entries(session.workspace()), run.spec.dataset_dir, scores.n)
    parts = [plain(tells.sentence)]
    missing = rows_missing(scores)
    if missing is not None:
        name, count = missing
        parts.append(
            say(
                f"“{category_name(name)}”的召回率要准到 ±5 个百分点，还要 {count} 条这一类的评估标题。",
                f"The recall of {category_name(name)} within ±5 points takes {count} more evaluation titles "
                "of it.",
            )
        )
    st.caption(" ".join(parts))


def category_table(scores: Scores) -> None:
    """Draw precision, recall and F1 of each category."""
    rate = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, color=colors.ACCENT)
    precision, recall = say("精确率", "precision"), say("召回率", "recall")
    table(
        [
            {
                say("类别", "category"): category_name(name),
                precision: entry.precision,
                recall: entry.recall,
                "F1": entry.f1,
                say("条数", "rows"): entry.support,
            }
            for name, entry in scores.per_category.items()
        ],
        hide_index=True,
        height="content",
        column_config={precision: rate, recall: rate, "F1": rate},
        alt=say("逐类指标", "Scores per category"),
    )
    st.caption(
        say(
            "精确率：模型判为这一类的，有多少是对的。召回率：属于这一类的，模型找出了多少。F1：两者的调和平均。",
            "Precision: share of the titles given this category that belong to it. Recall: share of the "
            "titles of this category that were found. F1: their harmonic mean.",
        )
    )


def text_score_table(scores: Scores) -> None:
    """Draw ROUGE and BLEU, and why they decide nothing."""
    st.warning(
        say(
            "ROUGE 和 BLEU 只用来和 LLaMA-Factory 的数字对照。它们衡量的是文字重合："
            "类别答错但思维链照抄，也能得 95 分左右。判断模型好坏请看准确率。",
            "ROUGE and BLEU are here only to compare with LLaMA-Factory's numbers. They measure word "
            "overlap: a wrong category with a copied chain scores about 95. Judge a model by its accuracy.",
        ),
        icon=":material/balance:",
    )
    values = {
        "ROUGE-1": scores.rouge_1,
        "ROUGE-2": scores.rouge_2,
        "ROUGE-L": scores.rouge_l,
        "BLEU-4": scores.bleu_4,
    }
    if all(value is None for value in values.values()):
        st.caption(
            say(
                "直接打分不生成文字，没有这些指标。",
                "Direct scoring generates no text, so there are no such scores.",
            )
        )
        return
    for column, (name, value) in zip(st.columns(4), values.items(), strict=True):
        column.metric(name, "–" if value is None else f"{value:.1f}")
