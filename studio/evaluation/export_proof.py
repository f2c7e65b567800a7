"""Put the proof of an export into words and a table: how it answers elsewhere beside the checkpoint.

Pure: knows no run and no file. The command, the page and proof.md beside the files all say it with this.
"""

from collections.abc import Sequence

from studio.contract import ChainTrial, Divergence, ExportReport, Proof
from studio.language import LANGUAGES, say, speaking
from studio.stats import wilson_interval

CAUSES = {
    "no_runtime": (
        "这台机器上没有 llama.cpp（pip install xllamacpp），没有核对",
        "there is no llama.cpp on this machine (pip install xllamacpp), so it was not tried",
    ),
    "no_titles": ("没有可以核对的标题", "there was no title to try"),
    "template": (
        "文件里的对话模板写出的提示与训练时不同",
        "the chat template in the files writes another prompt than the trained one",
    ),
    "end_token": (
        "回答没有在该结束的地方结束：结束标记不对",
        "answers do not end where they should: the end token is wrong",
    ),
    "weights": (
        "回答与检查点差得太多：权重没有原样写出，或压缩得太狠",
        "answers differ too much from the checkpoint's: the weights are not those, or have too few bits",
    ),
}
"""Why an export is not proven, in both languages."""

_GRADES = (
    (1e-6, ("等同", "identical")),
    (1e-4, ("极好", "excellent")),
    (1e-3, ("很好", "very good")),
    (1e-2, ("合格", "acceptable")),
)
"""llama.cpp's ladder of logit errors, in both languages."""


def nmse_grade(nmse: float) -> str:
    """Grade a logit error by llama.cpp's ladder."""
    found = next((grade for limit, grade in _GRADES if nmse < limit), ("偏大", "large"))
    return say(*found)


def proof_line(proof: Proof) -> str:
    """Say in one line how the export answers in its own runtime."""
    if not proof.runtime or not proof.titles:
        return say("未核对：", "Not proven: ") + say(*CAUSES[proof.cause or "no_titles"])
    counts = say(
        f"{proof.runtime}：类别相同 {proof.same_category} / {proof.titles}，思维链相同 "
        f"{proof.same_text} / {proof.texts}，答对 {proof.right_before} → {proof.right_after}",
        f"{proof.runtime}: same category {proof.same_category} of {proof.titles}, same chain "
        f"{proof.same_text} of {proof.texts}, right {proof.right_before} → {proof.right_after}",
    )
    if proof.proven:
        return say(f"已核对。{counts}", f"Proven. {counts}")
    cause = say(*CAUSES[proof.cause or "weights"])
    return say(f"没有通过核对：{cause}。{counts}", f"Not proven: {cause}. {counts}")


def proof_table(proof: Proof) -> list[tuple[str, str, str]]:
    """List what was measured: name, the checkpoint's value, the export's value."""
    n = proof.titles
    rows = [
        (
            say(f"直接打分答对（{n} 个标题）", f"Right by direct scores, of {n} titles"),
            _rate(proof.right_before, n),
            _rate(proof.right_after, n),
        ),
        (
            say("其中 对变错 / 错变对（McNemar p）", "Of these lost / gained (McNemar p)"),
            "",
            f"{proof.lost} / {proof.gained} (p = {proof.p_value:.2g})",
        ),
        (say("类别与检查点相同", "Same category as the checkpoint"), "", f"{proof.same_category} / {n}"),
        (
            say("类别概率最大相差", "Largest difference of a category's probability"),
            "",
            f"{proof.largest_difference:.4f}",
        ),
    ]
    if proof.nmse is not None:
        error = f"{proof.nmse:.1e} ({nmse_grade(proof.nmse)})"
        rows.append(
            (say("logits 的归一化均方误差", "Normalized mean squared error of the logits"), "", error)
        )
    for trial in proof.chains:
        rows += _trial_rows(trial)
    return rows


def _rate(correct: int, n: int) -> str:
    low, high = wilson_interval(correct, n)
    return f"{correct} / {n} [{low:.0%}, {high:.0%}]"


def _trial_rows(trial: ChainTrial) -> list[tuple[str, str, str]]:
    n = trial.titles
    named = (
        say("思维链，无重复惩罚：", "Chains without repetition penalty: ")
        if trial.penalty == 1.0
        else say(
            f"思维链，重复惩罚 {trial.penalty:g}：", f"Chains with repetition penalty {trial.penalty:g}: "
        )
    )
    return [
        (named + say("答对", "right"), _rate(trial.right_before, n), _rate(trial.right_after, n)),
        (
            named + say("自己结束", "end by themselves"),
            f"{trial.ended_before} / {n}",
            f"{trial.ended_after} / {n}",
        ),
        (named + say("类别相同", "same category"), "", f"{trial.same_category} / {n}"),
        (named + say("全文相同", "same text"), "", f"{trial.same_text} / {n}"),
    ]


def penalty_note(report: ExportReport) -> str:
    """Say what becomes of the repetition penalty elsewhere; empty where the model needs none."""
    penalty = report.repetition_penalty
    if penalty == 1.0:
        return ""
    where = {
        "gguf": say("它写在 GGUF 的默认采样参数里", "It is in the GGUF's default sampling"),
        "ollama": say("它写在 GGUF 和 Modelfile 里", "It is in the GGUF and in the Modelfile"),
        "package": say("它写在 GGUF 和 Modelfile 里", "It is in the GGUF and in the Modelfile"),
    }.get(report.format, say("它写在 generation_config.json 里", "It is in generation_config.json"))
    return say(
        f"这个模型的思维链需要重复惩罚 {penalty:g}，否则会循环。{where}；"
        "但别的环境把它用在整个回答甚至标题上，思维链与这里不同。要稳定的类别，请用直接打分。",
        f"The chains of this model need a repetition penalty of {penalty:g}, or they loop. {where}; other "
        "runtimes apply it to the whole answer, or to the title too, and write other chains. For a stable "
        "category use direct scores.",
    )


def fallback_note(report: ExportReport) -> str:
    """Say what became of a K-quant where rows are no multiple of 256; empty where nothing did."""
    if not report.fallbacks:
        return ""
    types = ", ".join(f"{count} x {name}" for name, count in sorted(report.tensor_types.items()))
    return say(
        f"{report.fallbacks} 个矩阵的宽度不是 256 的倍数，K 量化写不了，"
        f"按 llama.cpp 的规则换成了更大的类型：{types}。",
        f"The width of {report.fallbacks} matrices is no multiple of 256, which K-quants need; by "
        f"llama.cpp's rule they have a larger type: {types}.",
    )


def divergence_tokens(found: Divergence, *, around: int = 8) -> tuple[str, str]:
    """Show both token streams around the first token that differs, which is in brackets."""
    return _around(found.tokens_before, found.at, around), _around(found.tokens_after, found.at, around)


def _around(tokens: Sequence[str], at: int, around: int) -> str:
    start, end = max(0, at - around), at + around + 1
    shown = [f"[{token}]" if place == at else token for place, token in enumerate(tokens)][start:end]
    if at >= len(tokens):
        shown.append(say("[到此为止]", "[ends here]"))
    return ("… " if start else "") + "|".join(shown).replace("\n", "⏎") + (" …" if end < len(tokens) else "")


def proof_document(report: ExportReport) -> str:
    """Write the proof as Markdown, in both languages one after the other."""
    parts = []
    for language in LANGUAGES:
        with speaking(language):
            parts.append(_one_language(report))
    return "\n".join(parts)


def _one_language(report: ExportReport) -> str:
    proof = report.proof
    lines = [
        say("# 导出的核对", "# Proof of the export"),
        "",
        proof_line(proof),
        "",
        say("| 项目 | 检查点 | 导出 |", "| | checkpoint | export |"),
        "|---|---|---|",
        *(f"| {name} | {before} | {after} |" for name, before, after in proof_table(proof)),
        "",
        *(note + "\n" for note in (penalty_note(report), fallback_note(report)) if note),
    ]
    if (found := proof.first_divergence) is not None:
        before, after = divergence_tokens(found)
        lines += [
            say("## 第一处不同（无重复惩罚）", "## First difference (without repetition penalty)"),
            "",
            *_fenced(say("标题", "Title"), found.title),
            *_fenced(say("检查点的提示", "Prompt of the checkpoint"), found.prompt_before),
            *_fenced(say("导出的提示", "Prompt of the export"), found.prompt_after),
            *_fenced(say("检查点的词元", "Tokens of the checkpoint"), before),
            *_fenced(say("导出的词元", "Tokens of the export"), after),
        ]
    return "\n".join(lines) + "\n"


def _fenced(name: str, text: str) -> list[str]:
    return [f"{name}:", "", "~~~~", text.replace("~~~~", "~ ~ ~ ~"), "~~~~", ""]
