"""Make tests/support/old_workspace/workspace.tar.xz, a workspace as version 0.1.0 left it.

    cd CHECKOUT && PYTHONPATH=.:tests python .../tests/support/old_workspace/make.py workspace.tar.xz

CHECKOUT is commit 6e53561, the last whose database stored sentences; this script speaks to
its modules and to none of today's. Everything that can happen to a workspace has happened
in it once in Chinese and once in English. The archive has the database as SQL, every other
file as it is, and `typed.json`: all that people typed or that files held, which no reader
may find changed. Paths of the machine are written as @HOME@ and @DATA@.
"""

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import make_runs
from studio.categories import load_scheme
from studio.label_settings import LabelSettings
from studio.titles import find_title, find_titles, get_title

from studio import (
    annotations,
    batches,
    feedback,
    gold,
    history,
    importing,
    leases,
    ordering,
    people,
    quality,
    qualityscan,
    review,
    second_look,
    staging,
    steps,
    texts,
    typed_drafts,
    verdicts,
    versions,
)
from studio.contract import Prediction
from studio.language import current_language, say
from studio.store import open_store
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN, open_workspace

SCHEME = load_scheme()
NAMES = SCHEME.names
ALONE = LabelSettings(gold_share=0, review_rate=1, skip_limit=1)
TWO = LabelSettings(gold_share=0, review_rate=1, skip_limit=1, overlap_share=1, overlap_people=2)
PLACES, NEWS = "东南西北中上下左右前", ("开张", "停业", "搬迁", "翻修", "易主")
REASONS = {
    annotations.skip: (
        ("不是新闻标题", "No news title"),
        ("看不懂", "Cannot be understood"),
        ("标题不完整", "Cut off"),
        ("留给别人", "For somebody else"),
        ("标注时跳过", "Skipped while labelling"),
    ),
    annotations.flag: (
        ("两类都像", "Fits two categories"),
        ("规则没有写到", "No rule covers it"),
        ("标题内容有误", "The title is wrong"),
        ("建议明显不对", "The suggestion is plainly wrong"),
        ("拿不准，请大家看看", "Unsure; please have a look"),
    ),
}
"""As pages/shared/put_aside.py stored them, and the page before it."""
TYPED: list[str] = []
"""What people typed, and what files were called."""


def typed(text: str) -> str:
    """A text that a person typed: it is in the list that nobody may translate."""
    TYPED.append(text)
    return text


class Maker:
    """One workspace, and the hands that work in it."""

    def __init__(self, home: Path) -> None:
        self.workspace = open_workspace(home)
        self.db = open_store(self.workspace.database)
        self.files = home.parent / "files"
        self.files.mkdir()
        self.shops = 0

    def everything(self) -> None:
        """Let it all happen."""
        for name in ("li", "wang", "chen", "zhao", "刘编辑"):
            people.sign_in(self.db, typed(name))
        people.change_person(self.db, "zhao", by="li", role="reviewer")
        ordering.change_settings(self.db, ALONE, author="li")
        for language in ("zh", "en"):
            current_language.set(language)
            self.import_titles(language)
            self.label(language)
            self.send_back(language)
            self.review(language)
            self.edit(language)
            make_runs.models_and_runs(self.workspace, language, typed)
        for language in ("zh", "en"):
            current_language.set(language)
            self.freeze()
            self.near_copies(language)
            make_runs.teacher(self.db, self.workspace, language, typed)
        self.meet_gold()
        self.answer_suspects()
        texts.add_pasted(self.workspace, typed("练习文本"), "第一段文字\n第二段文字")
        make_runs.suggestions(self.db, self.workspace)
        self.leave_on_screen()

    # Imports

    def file(self, name: str, content: object) -> Path:
        path = self.files / typed(name)
        path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
        return path

    def take_in(self, name: str, rows: list[object]) -> importing.ImportReport:
        return importing.import_path(self.db, self.file(name, rows), SCHEME, author="li")

    def import_titles(self, language: str) -> None:
        mark = {"zh": "甲", "en": "乙"}[language]
        answered = json.loads((BUNDLED_DATASET / "train.json").read_text())[language == "en" :: 2][:130]
        self.take_in(f"answered_{language}.json", answered)
        self.take_in(f"对话_{language}.json", faulty_rows(mark))
        near = f"{mark}地消防员救出被困老人"
        pasted = "\n".join([near, f"{near}们", f"{mark}校运动会今日开幕", "长" * 600])
        importing.import_text(self.db, pasted, SCHEME, author="li")
        table = f"title,category,source,date\n{mark}企发布财报,经济,{typed('晚报')},昨天\n"
        path = self.file(f"table_{language}.csv", table)
        importing.import_path(self.db, path, SCHEME, author="wang")
        undone = [talk(f"{mark}片上映首日", "娱乐"), talk(f"{mark}歌手开唱", "歌曲")]
        report = self.take_in(f"撤销_{language}.json", undone)
        batches.undo_batch(self.db, report.batch_id, "li")
        cancelled = staging.open_batch(self.db, typed(f"中断_{language}.txt"), "li")
        staging.sweep(self.db, cancelled)
        # The same titles come again, one with another answer.
        self.take_in(f"again_{language}.json", [talk(f"{mark}企发布财报", "科技"), answered[0]])

    def new_title(self) -> int:
        """A title of its own that waits and that nobody was asked about."""
        self.shops += 1
        place = PLACES[self.shops % 10] + PLACES[self.shops // 10]
        text = f"{place}街第{self.shops}家店{NEWS[self.shops % 5]}的消息"
        importing.import_text(self.db, text, SCHEME, author="li")
        return int(find_title(self.db, text).id)

    # Labelling

    def revision(self, title_id: int) -> int:
        return int(get_title(self.db, title_id).revision)

    def annotate(self, title_id: int, category: str, author: str, **more: object) -> None:
        seen = self.revision(title_id)
        annotations.annotate(self.db, title_id, category=category, author=author, seen_revision=seen, **more)

    def decided(self, number: int) -> str:
        return str(find_titles(self.db, status="decided", limit=1, offset=number * 7)[0].text)

    def label(self, language: str) -> None:
        for put_aside, reasons in REASONS.items():
            for reason in [*(say(*each) for each in reasons), typed(f"地名有歧义，{language} 里问过")]:
                title = self.new_title()
                seen = self.revision(title)
                put_aside(self.db, title, reason=reason, author="wang", seen_revision=seen)
        ordering.change_settings(self.db, TWO, author="li")
        for categories in (("经济", "社会"), ("体育", "体育"), ("教育", "科技")):
            title = self.new_title()
            for name, category in zip(("wang", "chen"), categories, strict=True):
                chain = typed(f"{name}说是{category}。")
                self.annotate(title, category, name, chain=chain, active_seconds=3.5)
        ordering.change_settings(self.db, ALONE, author="li")
        for number, name in enumerate(("wang", "chen", "刘编辑") * 2):
            suggested = annotations.Suggested(category=NAMES[number], source="import")
            self.annotate(self.new_title(), NAMES[number], name, suggested=suggested)
        annotations.undo(self.db, author="chen")

    def send_back(self, language: str) -> None:
        known = [prediction(self.decided(0), NAMES[1]), prediction(self.decided(1), None)]
        new = prediction(typed(f"{language} 里没有的标题"), NAMES[2])
        feedback.send_predictions_back(
            self.db, [*known, new], run_name=typed("第一次训练"), author="li", scheme=SCHEME
        )
        recorded = f"{SAMPLE_RUN.name}{say('（随附的记录）', ' (recorded)')}"
        missing = prediction(typed(f"{language} 的随附记录里的标题"), None)
        feedback.send_predictions_back(self.db, [missing], run_name=recorded, author="li", scheme=SCHEME)
        second_look.add_wrong(self.db, typed(f"{language} 试用时贴进来的标题"), "经济", "刘编辑")
        second_look.add_wrong(self.db, typed(f"{language} 试用时答不出来的标题"), None, "chen")
        second_look.add_wrong(self.db, self.decided(2), "科技", "chen")
        again = find_title(self.db, self.decided(3)).id
        second_look.send_back(self.db, [again], reason=typed(f"再看一眼，{language}"), author="zhao")

    # Reviewing

    def review(self, language: str) -> None:
        disputed = find_titles(self.db, status="disputed")[-1]
        review.decide(
            self.db,
            disputed.id,
            category="教育",
            chain=typed(f"审核写的理由（{language}）。"),
            author="zhao",
            seen_revision=disputed.revision,
            active_seconds=8.0,
        )
        *_, other, flagged = find_titles(self.db, status="flagged")
        comment = typed(f"请看规则第三条，{language}")
        seen = flagged.revision
        review.send_back(
            self.db, flagged.id, comment=comment, author="zhao", addressee="wang", seen_revision=seen
        )
        seen = other.revision
        review.decide(self.db, other.id, category="社会", chain=None, author="zhao", seen_revision=seen)
        review.undo(self.db, author="zhao", settings=ALONE)
        skipped = find_titles(self.db, status="skipped")[-1]
        first = "select id from decisions where title_id = ? and follows is null"
        decision = self.db.execute(first, [skipped.id]).fetchone()[0]
        history.restore(self.db, skipped.id, decision, author="zhao", seen_revision=skipped.revision)

    def edit(self, language: str) -> None:
        titles = find_titles(self.db, status="decided", limit=4, offset=40)
        seen = {title.id: title.revision for title in titles}
        steps.relabel(self.db, seen, category="科技", author="zhao")
        one, two = titles[0].id, titles[1].id
        trashed = steps.trash(self.db, {one: self.revision(one), two: self.revision(two)}, author="zhao")
        steps.take_from_trash(self.db, {one: self.revision(one)}, author="zhao")
        steps.tag(self.db, seen, typed(f"存疑批次 {language}"), author="zhao")
        steps.tag(self.db, seen, "hard", author="li")
        untagged = steps.untag(self.db, seen, "hard", author="li")
        steps.undo_step(self.db, untagged.step_id, author="li")
        if language == "en":
            steps.undo_step(self.db, trashed.step_id, author="zhao")

    # Gold, versions, quality, screens

    def freeze(self) -> None:
        titles = find_titles(self.db, status="decided", limit=5, offset=60)
        gold.mark_gold(self.db, [title.id for title in titles], author="zhao")
        frozen = versions.freeze(
            self.db, self.workspace, "news", author="li", scheme=SCHEME, accept_warnings=True
        )
        assert frozen.rows["train"], frozen
        title = find_titles(self.db, status="decided", limit=1, offset=90)[0]
        self.annotate(title.id, NAMES[NAMES.index(title.category) - 1], "chen")

    def meet_gold(self) -> None:
        asked = LabelSettings(gold_share=0.5)
        for name in ("wang", "chen"):
            met = 0
            while met < 2:
                offered = leases.offer(self.db, author=name, settings=asked)
                met += offered.is_blind
                self.annotate(offered.title.id, NAMES[met], name, active_seconds=2.0)
        first = find_titles(self.db, status="decided", limit=1, offset=60)[0]
        gold.unmark_gold(self.db, [first.id], author="zhao")

    def near_copies(self, language: str) -> None:
        mark = {"zh": "丙", "en": "丁"}[language]
        text = f"{mark}市今年高考报名人数"
        near = [f"{text}创下历史新高", f"{text}创下历史新低", f"{text}再创历史新高"]
        self.take_in(f"近似_{language}.json", [talk(title, "教育") for title in near])
        text = f"{mark}市半程马拉松本周"
        torn = [talk(f"{text}日鸣枪开跑", "体育"), talk(f"{text}六鸣枪开跑", "社会")]
        self.take_in(f"矛盾_{language}.json", torn)
        scanned = qualityscan.scan(self.db, self.workspace, SCHEME)
        copies = quality.open_findings(self.db, scanned, "near")[-1]
        verdicts.merge(self.db, copies, copies.titles[0], author="zhao")

    def answer_suspects(self) -> None:
        scanned = qualityscan.scan(self.db, self.workspace, SCHEME)
        right, dismissed, wrong = quality.open_findings(self.db, scanned, "suspect")[:3]
        verdicts.accept(self.db, right, author="wang")
        verdicts.dismiss(self.db, dismissed, author="wang")
        verdicts.relabel(self.db, wrong, wrong.evidence.suggested, author="zhao")

    def leave_on_screen(self) -> None:
        """Reviewers and annotators have a title before them, one with a text half typed."""
        review.next_case(self.db, queue="sample", author="zhao", settings=ALONE)
        review.next_case(self.db, queue="adjudicate", author="li", settings=ALONE)
        title = leases.offer(self.db, author="刘编辑", settings=ALONE).title
        typed_drafts.keep(
            self.db,
            author="刘编辑",
            title_id=title.id,
            seen_revision=title.revision,
            category="社会",
            text=typed("写到一半"),
        )


def talk(title: str, answer: str) -> dict[str, object]:
    return conversation(("human", f"新闻分类：{title}"), ("gpt", answer))


def conversation(*turns: tuple[str, object]) -> dict[str, object]:
    return {"conversations": [{"from": role, "value": value} for role, value in turns]}


def faulty_rows(mark: str) -> list[object]:
    """One row of each kind that does not arrive decided, and some that do not arrive."""
    TYPED.extend(["反着来的一行", "不成列表的一格", "光秃秃的一轮", "无人认识的键", "无人认识的值"])
    return [
        talk(f"{mark}市地铁新线开通", "经济"),
        talk(f"{mark}市地铁新线开通", "国内"),
        talk(f"{mark}队主场绝杀对手", "体育类"),
        talk(f"{mark}国央行再次降息", "财经"),
        talk(f"{mark}地古城迎来客流高峰", "旅游"),
        talk(f"{mark}校学生获得奖学金", "<think>\n想想\n</think>\n\n<think>\n再想\n</think>\n\n教育"),
        talk(f"{mark}院发布新药进展", "<think>\n想想"),
        talk(f"{mark}省召开人代会", ""),
        talk(mark * 501, "国内"),
        conversation(("gpt", "体育"), ("human", "反着来的一行")),
        conversation(("human", f"新闻分类：{mark}剧开播")),
        conversation(("bot", "反着来的一行"), ("gpt", "体育")),
        conversation(("human", None), ("gpt", 5)),
        {"conversations": "不成列表的一格"},
        {"conversations": ["光秃秃的一轮"]},
        {"无人认识的键": "无人认识的值"},
        17,
    ]


def prediction(title: str, predicted: str | None) -> Prediction:
    chain = typed(f"看“{title[:4]}”，归{NAMES[0]}。")
    return Prediction(
        row=0,
        title=title,
        label=NAMES[0],
        label_chain=chain,
        answer="direct",
        predicted=predicted,
        chain=None,
        text="",
    )


def pack(home: Path, out: Path) -> None:
    """The archive: SQL, files, and what people typed."""
    db = open_store(home / "studio.db")
    parts = {"studio.sql": "\n".join(db.conn.iterdump())}
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        left_out = name.startswith(("studio.db", "queue.db")) or name.endswith("lock")
        if path.is_file() and not left_out:
            parts[f"home/{name}"] = path.read_bytes().decode("utf-8", "surrogateescape")
    parts["typed.json"] = json.dumps(sorted(set(TYPED)), ensure_ascii=False, indent=1)
    with tarfile.open(out, "w:xz", preset=9) as packed:
        for name, text in parts.items():
            text = text.replace(str(home), "@HOME@").replace(str(BUNDLED_DATASET.parent), "@DATA@")
            content = text.encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Make the workspace and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        Maker(home).everything()
        pack(home, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
