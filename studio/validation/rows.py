"""Validate raw rows against the scheme: title, category, problems.

`check` shows the problems; `import` adds the row as a title, decided if it has a category
and no error, else waiting with the errors as its note.
"""

import os.path
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.formats.conversations import RawRow
from studio.language import say
from studio.messages import Message, message
from studio.samples.canonical import (
    Answer,
    bare_words,
    exact_category,
    read_answer,
    read_question,
    write_answer,
    write_question,
)
from studio.samples.chain_lint import lint_chain
from studio.samples.label_matching import FaultKind, find_fault
from studio.samples.problems import Problem, Severity
from studio.samples.scheme import Scheme
from studio.samples.title_text import clean_title, find_marks, unescape_html

TITLE_CHARACTERS = 500
"""No news title is longer; what is, is an article in the wrong column or an attack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A row validated against the scheme.

    `title` is empty where the row has none. `category` is set only where the answer
    is one exactly. `answer` is None for a plain title.
    """

    row: RawRow
    title: str
    answer: Answer | None
    category: str | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the row from being used as it is."""
        return [problem for problem in self.problems if problem.severity == "error"]


def judge_rows(rows: Iterable[RawRow], scheme: Scheme) -> list[Judged]:
    """Validate every row by itself; comparing rows with each other is `check`'s."""
    return list(judge_each(list(rows), scheme))


def judge_each(rows: Iterable[RawRow], scheme: Scheme) -> Iterator[Judged]:
    """Validate rows one at a time; they are iterated twice, so they must not be an iterator."""
    prefix = shared_prefix(rows, scheme)
    return (judge_row(row, prefix, scheme) for row in rows)


def shared_prefix(rows: Iterable[RawRow], scheme: Scheme) -> str:
    """Find the prompt that a set has of its own instead of the scheme's.

    It is the common prefix of at least three different questions, and of all of them, up to
    its last colon or line break; empty when the rows share none.
    """
    finder = PrefixFinder(scheme)
    for row in rows:
        finder.add(row)
        if finder.is_hopeless:
            break
    return finder.prefix


class PrefixFinder:
    """Finds the shared prefix of rows that are added one at a time."""

    def __init__(self, scheme: Scheme) -> None:
        self._prompt = scheme.prompt
        self._common: str | None = None
        self._different: set[str] = set()

    def add(self, row: RawRow) -> None:
        """Add a row."""
        if self._common == "" or row.kind != "conversation" or row.title is not None or row.question is None:
            return
        question = row.question.strip()
        if _starts_with(question, self._prompt):
            return
        common = self._common
        self._common = question if common is None else os.path.commonprefix([common, question])
        if len(self._different) < 3:
            self._different.add(question)

    @property
    def is_hopeless(self) -> bool:
        """Whether no further row can lead to a prefix."""
        return self._common == ""

    @property
    def prefix(self) -> str:
        """The shared prefix of all rows so far; empty when they share none."""
        if not self._common or len(self._different) < 3:
            return ""
        return self._common[: max(self._common.rfind(mark) for mark in "：:\n") + 1]


def _starts_with(question: str, prompt: str) -> bool:
    """Return whether a question starts with the prompt, in its full-width or half-width form."""
    head = question[: len(prompt)]
    return head == prompt or unicodedata.normalize("NFKC", head) == unicodedata.normalize("NFKC", prompt)


class _Remarks:
    """Collects the problems of one row."""

    def __init__(self, row: RawRow) -> None:
        self.row = row
        self.problems = list(row.problems)

    def add(
        self,
        code: str,
        severity: Severity,
        message: str | Message,
        *,
        repair: str | None = None,
        found: str | None = None,
        proposal: str | None = None,
    ) -> None:
        self.problems.append(
            Problem(
                file=self.row.file,
                row=self.row.row,
                code=code,
                severity=severity,
                message=message.sentence() if isinstance(message, Message) else message,
                repair=repair,
                found=found,
                proposal=proposal,
                reason=message if isinstance(message, Message) else None,
            )
        )


def judge_row(row: RawRow, prefix: str, scheme: Scheme) -> Judged:
    """Validate one row; `prefix` is the shared prefix of its set where that is not the scheme's prompt."""
    remarks = _Remarks(row)
    title = _judge_title(row, prefix, scheme, remarks)
    answer = None if row.answer is None else read_answer(row.answer)
    category = None if answer is None else exact_category(clean_title(answer.label), scheme.names)
    if answer is not None:
        _judge_form(row, answer, category, remarks)
        if category is None and answer.label:
            _judge_label(answer.label, scheme, remarks)
        elif category is not None and answer.chain and title:
            for finding in lint_chain(title, answer.chain, category, scheme):
                remarks.add(finding.code, finding.severity, finding.message)
    return Judged(row=row, title=title, answer=answer, category=category, problems=tuple(remarks.problems))


def _judge_title(row: RawRow, prefix: str, scheme: Scheme, remarks: _Remarks) -> str:
    text, has_prefix = _find_title(row, prefix, scheme)
    decoded = unescape_html(text or "")
    title = clean_title(decoded)
    if decoded != text and text:
        remark = say(
            "标题里有 HTML 实体或标签，已还原。", "The title had HTML entities or tags; they were decoded."
        )
        remarks.add("html", "warning", remark, found=text[:200])
    if "\ufffd" in title or "\ufffd" in (row.answer or ""):
        remark = say("有字符在转码时丢失（\ufffd）。", "Characters were lost in a conversion (\ufffd).")
        remarks.add("encoding", "warning", remark, found=title)
    if marks := find_marks(title):
        remark = say(
            f"标题里有模型用作标记的文字（{marks[0]}），训练和回答时按普通文字处理。",
            f"The title has text that models use as a mark ({marks[0]}); it is taken for plain text.",
        )
        remarks.add("model_marks", "hint", remark, found=title[:200])
    if len(title) > TITLE_CHARACTERS:
        reason = message("title_too_long", count=len(title), most=TITLE_CHARACTERS)
        remarks.add("title_too_long", "error", reason, found=title[:60])
        return ""
    if title in scheme.names:
        # A heading between titles, or a column that slipped: it would be labelled, and trained on.
        remarks.add("empty_title", "error", message("title_is_category", category=title), found=title)
        return ""
    if text is not None and not title:
        remarks.add("empty_title", "error", message("title_missing"))
    elif text is not None and not has_prefix:
        question = write_question(scheme.prompt, title)
        remark = say(
            f"问题不是以“{scheme.prompt}”开头的规范形式。",
            f"The question lacks the canonical “{scheme.prompt}”.",
        )
        remarks.add("prefix_missing", "warning", remark, repair=question, found=(row.question or "")[:200])
    elif row.title is None and text is not None:
        question = write_question(scheme.prompt, title)
        if row.question != question:
            remark = say("问题里有多余的空白。", "The question has stray white space.")
            remarks.add("white_space", "hint", remark, repair=question, found=(row.question or "")[:200])
    return title


def find_title(row: RawRow, prefix: str, scheme: Scheme) -> str:
    """Extract the title of a row, without the prompt; empty where it has none."""
    return clean_title(unescape_html(_find_title(row, prefix, scheme)[0] or ""))


def _find_title(row: RawRow, prefix: str, scheme: Scheme) -> tuple[str | None, bool]:
    """Extract the title, None if there is none to parse, and whether its question is canonical."""
    if row.title is not None:
        # A title column, or Alpaca's input, that begins with the prompt already.
        return _without_prompt(row.title, scheme.prompt), row.kind == "title"
    if row.question is None:
        return None, True
    title, is_canonical = read_question(row.question, scheme.prompt)
    if is_canonical:
        once = _without_prompt(title, scheme.prompt)
        return once, once == title
    if _starts_with(title, scheme.prompt):
        return _without_prompt(title, scheme.prompt), False
    return title.removeprefix(prefix), False


def _without_prompt(text: str, prompt: str) -> str:
    """Take the prompt off a title, in its full-width or half-width form, as often as it stands there."""
    title = text.strip()
    if not prompt or not _starts_with(title, prompt):
        return text
    while _starts_with(title, prompt):
        title = title[len(prompt) :].strip()
    return title


def _judge_form(row: RawRow, answer: Answer, category: str | None, remarks: _Remarks) -> None:
    """Report a think block that is not canonical; a table needs none."""
    if answer.form == "repeated":
        remarks.add("think_repeated", "error", message("think_repeated"))
    elif answer.form == "unclosed":
        remarks.add("think_unclosed", "error", message("think_unclosed"))
    elif not answer.label:
        remarks.add("empty_answer", "error", message("answer_empty"))
    if row.kind == "title":
        return
    if answer.form == "none" and answer.label:
        remark = say("答案没有思维链。", "The answer has no think chain.")
        remarks.add("think_missing", "warning", remark)
        if category is not None and row.answer != category:
            remark = say("答案里有多余的空白。", "The answer has stray white space.")
            remarks.add("white_space", "hint", remark, repair=category, found=(row.answer or "")[:200])
    elif answer.form in ("inline", "opened_before"):
        remark = say("<think> 块不是规范形式。", "The <think> block is not in canonical form.")
        repair = None if category is None else write_answer(answer.chain or "", category)
        remarks.add("think_form", "warning", remark, repair=repair, found=(row.answer or "")[:200])
    if answer.chain == "" and answer.form != "unclosed":
        remarks.add("think_empty", "hint", say("思维链是空的。", "The think chain is empty."))


def _judge_label(label: str, scheme: Scheme, remarks: _Remarks) -> None:
    """Report an answer that is no category as an error, and its likely cause, if known, as a hint."""
    shown = label if len(label) <= 30 else label[:30] + "…"
    shown = " ".join(shown.split())
    count = len(scheme.names)
    several = list(dict.fromkeys(word for word in bare_words(label) if word in scheme.names))
    if len(several) > 1 and len(several) == len(set(bare_words(label))):
        reason = message("several_categories", count=len(several), labels=several)
        remarks.add("several_categories", "error", reason, found=label[:200])
        return
    fault = find_fault(label, scheme)
    repair, near = fault.repair, fault.near
    if repair is not None:
        reason = message("unknown_category_means", label=shown, count=count, category=repair)
    elif 1 <= len(near) <= 3:
        reason = message("unknown_category_near", label=shown, count=count, near=list(near))
    else:
        reason = message("unknown_category", label=shown, count=count)
    proposal = None if repair is not None or len(near) != 1 else near[0]
    remarks.add("answer_not_category", "error", reason, repair=repair, found=label[:200], proposal=proposal)
    if fault.kind is not None:
        cause = say(*_FAULTS[fault.kind])
        remarks.add(f"answer_{fault.kind}", "hint", cause, found=label[:200], proposal=proposal)


_FAULTS: dict[FaultKind, tuple[str, str]] = {
    "quoted": (
        "类别外面多了引号、括号或标点。",
        "There are quotation marks, brackets or punctuation around the category.",
    ),
    "doubled": ("同一个类别写了不止一次。", "The same category is written more than once."),
    "extra_text": ("除了类别还写了别的字。", "There is other text beside the category."),
    "english": ("类别写成了英文；由人来定。", "The category is in English; a person decides."),
    "synonym": ("这是类别的近义说法；由人来定。", "It is another word for a category; a person decides."),
}
