"""Name what is stored, with its colour; format moments, durations and sizes; escape text for Markdown.

What the codes of problems are called is in `studio.validation.codes`.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from pages.shared import colors, session
from studio.contract import AnswerMode
from studio.language import half, say
from studio.messages import shown
from studio.runs import Run, RunState
from studio.samples.problems import Severity
from studio.samples.words import Span
from studio.store import Store
from studio.team import people

STATE_NAMES: dict[RunState, tuple[str, str]] = {
    "queued": ("排队中", "queued"),
    "running": ("运行中", "running"),
    "done": ("完成", "done"),
    "failed": ("失败", "failed"),
    "cancelled": ("已取消", "cancelled"),
    "paused": ("已暂停", "paused"),
    "lost": ("中断", "lost"),
}
PHASE_NAMES = {
    "waiting": ("准备", "starting"),
    "loading": ("加载模型与数据", "loading"),
    "training": ("训练", "training"),
    "evaluating": ("评估", "evaluating"),
    "classifying": ("分类", "classifying"),
    "saving": ("保存", "saving"),
    "drafting": ("起草", "drafting"),
    "downloading": ("下载", "downloading"),
    "verifying": ("校验", "verifying"),
    "proving": ("在目标环境里核对", "proving it in its own runtime"),
    "sweeping": ("逐个试", "trying one after the other"),
}
SEVERITY_NAMES: dict[Severity, tuple[str, str]] = {
    "error": ("错误", "error"),
    "warning": ("警告", "warning"),
    "hint": ("提示", "hint"),
}
SEVERITY_ICONS: dict[Severity, str] = {
    "error": ":red[:material/error:]",
    "warning": ":orange[:material/warning:]",
    "hint": ":gray[:material/lightbulb:]",
}
MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")
_LIVE = re.compile(
    r"(?<=-)(?=[->])|(?<=<)(?=[-=])|(?<=[>~])(?==)|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE
)
"""Where Streamlit makes dashes, arrows and links of text, also of escaped text: it looks at what was read."""
_JOINER = "\u2060"
"""Invisible, and removed from a title that is pasted back."""

BASELINE_NAMES = {
    "majority": ("总猜最多的类", "majority class"),
    "tfidf": ("词频统计（TF-IDF）", "word statistics (TF-IDF)"),
}
TOKEN_NOTE = (
    "词元（token）是模型读写的最小单位，一个汉字大约一个。",
    "A token is the smallest piece that a model reads or writes, about one Chinese character.",
)
"""What stands where a token is first met."""


def plain(text: str) -> str:
    """Escape text for Streamlit's Markdown, on one line; a sentence in the reader's language."""
    return MARKDOWN.sub(r"\\\1", _LIVE.sub(_JOINER, " ".join(str(half(text)).split())))


def plain_lines(text: str) -> str:
    """Escape a text of several lines for Streamlit's Markdown; its lines stay lines."""
    return "  \n".join(plain(line) or _JOINER for line in text.strip().splitlines())


def highlighted(text: str, ground: str | None) -> str:
    """Escape a piece of a text on one of Streamlit's coloured grounds, such as "orange"; None: on none.

    The white space at its ends, which Markdown would drop, stays outside.
    """
    before, after = " " * text[:1].isspace(), " " * text[-1:].isspace()
    escaped = plain(text)
    if not escaped:
        return before
    return f"{before}:{ground}-background[{escaped}]{after}" if ground else f"{before}{escaped}{after}"


def highlighted_spans(text: str, grounds: Mapping[Span, str]) -> str:
    """Escape a text, with spans of it, none of which overlaps another, on coloured grounds."""
    parts, at = [], 0
    for span in sorted(grounds):
        parts += [highlighted(text[at : span.start], None), highlighted(span.of(text), grounds[span])]
        at = span.end
    return "".join([*parts, highlighted(text[at:], None)])


def spoken(text: str) -> str:
    """Return a text for the hidden label of a control: without the signs that Markdown may read.

    Screen readers say a label as it is written, escapes included.
    """
    return " ".join(MARKDOWN.sub(" ", str(half(text))).split())


def plain_stored(text: str | None) -> str:
    """Escape a note, reason or source that is stored: as it was typed, or a code made into a sentence."""
    return plain(shown(text) or "")


def category_name(name: str) -> str:
    """Translate a category; what is stored stays the scheme's name.

    One that the scheme has no longer is named as it was stored.
    """
    scheme = session.scheme()
    if name not in scheme.names:
        return name
    category = scheme.category(name)
    return say(category.name, category.english)


def category_mark(name: str) -> str:
    """Name a category with its colour, for labels and Markdown; without, if the scheme has it no longer."""
    scheme = session.scheme()
    if name not in scheme.names:
        return plain(name)
    return f':color[■]{{foreground="{colors.readable(scheme.category(name).color)}"}} {category_name(name)}'


def person_mark(name: str, colors_of: Mapping[str, str]) -> str:
    """Name a person with their colour, for labels and Markdown; grey for one who never signed in."""
    color = colors.readable(colors_of.get(name, "#6B7280"))
    return f':color[●]{{foreground="{color}"}} {plain(name)}'


def person_colors(db: Store) -> dict[str, str]:
    """Map everybody's name to their colour, as it can be read on the page."""
    return {each.name: colors.readable(each.color) for each in people.list_people(db)}


def severity_name(severity: Severity) -> str:
    """Name how bad a problem is."""
    return say(*SEVERITY_NAMES[severity])


def state_name(state: RunState) -> str:
    """Name a run's state."""
    return say(*STATE_NAMES[state])


def answer_name(answer: AnswerMode) -> str:
    """Name a way of answering."""
    return say("思维链", "think chain") if answer == "chain" else say("直接打分", "direct")


def baseline_name(name: str) -> str:
    """Name a baseline."""
    return say(*BASELINE_NAMES[name]) if name in BASELINE_NAMES else name


def run_name(run: Run) -> str:
    """Name a run in lists: its label or id, and whether it only was recorded."""
    name = run.label or run.id
    return f"{name}{say('（内置的记录）', ' (recorded)')}" if run.recorded else name


def run_option(run: Run) -> str:
    """Name a run as an option of a select box: unlike any other run, and the same in every state.

    Streamlit finds a choice again by this text.
    """
    return f"{run_name(run)} · {run.created_at:%m-%d %H:%M:%S}" if run.label else run_name(run)


def local_time(moment: str) -> str:
    """Format an ISO moment in UTC as local time, to the minute."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """Format seconds with their two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return say(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
    if minutes:
        return say(f"{minutes} 分 {rest} 秒", f"{minutes} min {rest} s")
    return say(f"{rest} 秒", f"{rest} s")


def time_left(seconds: float) -> str:
    """Format an estimate of the time that is left."""
    return say("还需 {time}", "{time} left", time=duration(seconds))


def file_size(count: int) -> str:
    """Format bytes in MiB or GiB."""
    return f"{count / 2**30:,.2f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
