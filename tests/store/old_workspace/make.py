"""Build a workspace in which everything has happened, with the code of an earlier studio.

    git worktree add /tmp/before 6e53561 && cd /tmp/before        (the last commit before m016)
    PYTHONPATH=.:tests python <this file> OUT.tar.gz

It imports that commit's modules and nothing of today's. Titles come in under Chinese and under English,
people answer, dispute, skip, flag, review, undo; an import is undone; runs are done, failed in Chinese and
in English, cancelled, paused and lost. No path of the machine is in the archive but /workspace.
"""

import json
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from filled import base_model, scored_run
from studio.categories import load_scheme
from studio.importing import import_path, import_text
from studio.label_settings import LabelSettings
from studio.leases import offer
from studio.ordering import change_settings
from studio.titles import get_title
from studio.versions import freeze

from studio import (
    annotations,
    batches,
    feedback,
    gold,
    history,
    people,
    quality,
    qualityscan,
    review,
    runs,
    second_look,
    steps,
    verdicts,
)
from studio.contract import Result, TrainSpec
from studio.language import current_language, say
from studio.store import Store, open_store
from studio.workspace import BUNDLED_DATASET, Workspace, open_workspace

SCHEME = load_scheme()
ALONE = LabelSettings(gold_share=0, review_rate=1)
TWO = LabelSettings(gold_share=0, review_rate=1, overlap_share=1, overlap_people=2)
CHAIN = "先看体育。“绝杀”和“主场”都是赛场上的词，讲的是一场比赛怎样分出胜负，所以归体育。"


def rows(folder: Path, name: str, entries: list[tuple[str, str]]) -> Path:
    """A ShareGPT file of questions and answers."""
    turns = [
        {
            "conversations": [
                {"from": "human", "value": f"新闻分类：{title}"},
                {"from": "gpt", "value": answer},
            ]
        }
        for title, answer in entries
    ]
    path = folder / name
    path.write_text(json.dumps(turns, ensure_ascii=False), encoding="utf-8")
    return path


def answer(db: Store, author: str, category: str, settings: LabelSettings, chain: str | None = None) -> int:
    """Answer the title that the person has on screen."""
    title = offer(db, author=author, settings=settings).title
    annotations.annotate(
        db,
        title.id,
        category=category,
        chain=chain,
        author=author,
        seen_revision=title.revision,
        active_seconds=2,
    )
    return title.id


def faulty_rows(db: Store, folder: Path, mark: str) -> None:
    """Rows that disagree, answers that are no category, rows that are refused, pasted lines."""
    good = f"<think>\n{CHAIN}\n</think>\n\n体育"
    entries = [
        (f"{mark}央行下调存款准备金率", "经济"),
        (f"{mark}央行下调存款准备金率", "国内"),
        (f"{mark}两市成交额连续三天破万亿", "财经"),
        (f"{mark}某地发布高温预警", "天气"),
        (f"{mark}国足热身赛三比零取胜", "“体育”。"),
        (f"{mark}小学开学第一课", "<think>只有开头"),
        (f"{mark}新药进入三期临床", "<think>\na\n</think>\n<think>\nb\n</think>\n健康"),
        (f"{mark}电影节公布片单", ""),
        ("", "社会"),
        ("长" * 600, "社会"),
        (f"{mark}主队主场绝杀对手，终场前三秒投进三分", good),
    ]
    import_path(db, rows(folder, f"rows-{mark}.json", entries), SCHEME, author="li")
    broken = folder / f"broken-{mark}.json"
    broken.write_text(
        json.dumps([{"conversations": [{"from": "narrator", "value": "x"}]}, {"a": 1}, 7, "标题"])
    )
    import_path(db, broken, SCHEME, author="li")
    import_text(
        db, "\n".join(f"{mark}第{number}条{word}今日改道" for number, word in enumerate(WORDS)), SCHEME
    )


WORDS = (
    "公交线路",
    "地铁支线",
    "观光巴士",
    "渡轮航班",
    "城际列车",
    "夜间班车",
    "校车",
    "接驳车",
    "快速公交",
    "有轨电车",
)


def people_at_work(db: Store, mark: str) -> None:
    """Answers, disputes, skips and flags, reviews, undo, bulk edits, tags, trash, gold."""
    first = answer(db, "wang", "社会", ALONE)
    for reason in (say("看不懂", "Cannot be understood"), f"{mark}自己写的原因"):
        title = offer(db, author="wang", settings=ALONE).title
        annotations.flag(db, title.id, reason=reason, author="wang", seen_revision=title.revision)
    title = offer(db, author="chen", settings=ALONE).title
    for author in ("wang", "chen", "zhao", "li"):
        seen = get_title(db, title.id)
        if seen.status == "waiting":
            annotations.skip(
                db,
                title.id,
                reason=say("不是新闻标题", "No news title"),
                author=author,
                seen_revision=seen.revision,
            )
    change_settings(db, TWO, author="li")
    disputed = answer(db, "wang", "经济", TWO)
    answer(db, "chen", "国内", TWO)
    second = answer(db, "wang", "社会", TWO, CHAIN)
    answer(db, "chen", "社会", TWO)
    change_settings(db, ALONE, author="li")
    case = review.next_case(db, queue="adjudicate", author="zhao", settings=ALONE)
    review.send_back(
        db,
        case.title.id,
        comment=f"{mark}再看看主角",
        author="zhao",
        addressee="wang",
        seen_revision=case.title.revision,
    )
    case = review.next_case(db, queue="sample", author="zhao", settings=ALONE)
    review.decide(
        db,
        case.title.id,
        category=case.title.category,
        chain=case.title.chain,
        author="zhao",
        seen_revision=case.title.revision,
    )
    moved = answer(db, "wang", "国际", ALONE)
    annotations.undo(db, author="wang")
    second_look.add_wrong(db, f"{mark}模型答错的一条新标题", "体育", "li")
    second_look.add_wrong(db, f"{mark}模型没有答出来的标题", None, "li")
    step = steps.relabel(db, {second: get_title(db, second).revision}, category="国内", author="zhao")
    steps.undo_step(db, step.step_id, author="zhao")
    steps.tag(db, [first, second], f"{mark}难", author="zhao")
    steps.trash(db, {moved: get_title(db, moved).revision}, author="zhao")
    seen = get_title(db, first)
    decided = seen.decision_id
    second_look.send_back(db, [first], reason=f"{mark}请再看", author="zhao")
    history.restore(db, first, decided, author="zhao", seen_revision=get_title(db, first).revision)
    gold.mark_gold(db, [second], author="li")
    assert get_title(db, disputed)


def runs_of_all_kinds(db: Store, workspace: Workspace) -> None:
    """Scored, failed, cancelled, paused, lost and waiting runs; a draft run with a failed title."""
    if not (workspace.models / "small").exists():
        base_model(workspace.models / "small")
    run = scored_run(workspace)
    predictions = [each for each in runs.load_predictions(run, "chain") if each.predicted != each.label][:2]
    feedback.send_predictions_back(db, predictions, run_name="scored", author="li", scheme=SCHEME)
    endings = (
        ("failed", say("内存不足。", "Out of memory."), say("请减小批大小。", "Use a smaller batch.")),
        ("cancelled", say("已按要求停止。", "Stopped as asked."), ""),
        ("paused", say("已按要求暂停，可以继续。", "Paused as asked; it can go on."), ""),
        ("lost", "", ""),
    )
    for status, message, remedy in endings:
        spec = TrainSpec(model_name_or_path=workspace.models / "small", dataset_dir=BUNDLED_DATASET)
        ended = runs.prepare_run(workspace, spec, label=f"{current_language.get()} {status}")
        (ended.folder / "alive").touch()
        (ended.folder / "log.txt").write_text(f"{message} {remedy}\n", encoding="utf-8")
        if status != "lost":
            result = Result(status=status, message=message, remedy=remedy, seconds=3, peak_memory_gib=1)
            (ended.folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")


def main() -> None:
    """Build it and pack it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        workspace = open_workspace(folder / "home")
        db = open_store(workspace.database)
        import_path(db, BUNDLED_DATASET, SCHEME, author="li")
        for person in ("li", "wang", "chen", "zhao"):
            people.sign_in(db, person)
        people.change_person(db, "zhao", by="li", role="reviewer")
        freeze(db, workspace, "news", author="li", scheme=SCHEME)
        for language, mark in (("zh", "甲"), ("en", "乙")):
            current_language.set(language)
            faulty_rows(db, folder, mark)
            people_at_work(db, mark)
            runs_of_all_kinds(db, workspace)
            undone = import_text(db, f"{mark}要撤销的一行\n{mark}要撤销的另一行", SCHEME)
            batches.undo_batch(db, undone.batch_id, "li")
            scan = qualityscan.scan(db, workspace, SCHEME)
            for finding in quality.open_findings(db, scan, "copies")[:1]:
                verdicts.merge(db, finding, finding.titles[0], author="zhao")
        db.execute("pragma wal_checkpoint(truncate)")
        db.execute("vacuum")
        db.close()
        for document in (folder / "home").rglob("*.json"):
            text = document.read_text(encoding="utf-8")
            document.write_text(text.replace(str(folder / "home"), "/workspace"), encoding="utf-8")
        with tarfile.open(sys.argv[1], "w:gz") as archive:
            archive.add(folder / "home", arcname="home", filter=anonymous)


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Of nobody's machine and no particular second."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
