"""The runs, drafts and suggestions of the old workspace; see make.py."""

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import filled
from studio.categories import load_scheme
from studio.scores import score
from studio.titles import get_title, next_waiting

from backend.worker import Cancelled, Paused, RunFolder, work_in
from studio import drafts, hubfiles, runs, suggesting_store
from studio.contract import (
    DownloadSpec,
    Drafted,
    DraftSpec,
    EvaluateSpec,
    HeldOut,
    Progress,
    RangeTestSpec,
    ScoreFile,
    TrainSpec,
)
from studio.errors import DiskFull, DownloadFailed, ModelUnusable, TeacherUnavailable, UnreadableFile
from studio.language import say
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN, Workspace

Typed = Callable[[str], str]
URL = "http://127.0.0.1:9/v1"


def models_and_runs(workspace: Workspace, language: str, typed: Typed) -> None:
    """Runs that ended in every way; in Chinese also a base model with its record, and a scored run."""
    base = workspace.models / "small"
    if language == "zh":
        filled.base_model(base)
        record = hubfiles.DownloadRecord(
            endpoint="https://modelscope.cn",
            model_id="team/small",
            revision="master",
            fetched_at=datetime(2026, 1, 2, tzinfo=UTC),
            files=(),
        )
        (base / hubfiles.RECORD).write_text(record.model_dump_json(indent=2))
        filled.scored_run(workspace)
    spec = TrainSpec(model_name_or_path=base, dataset_dir=BUNDLED_DATASET, max_steps=3)
    for name, error in failures(base).items():
        end(runs.prepare_run(workspace, spec, label=typed(f"第二次（{language}）{name}")), error)
    end(runs.prepare_run(workspace, spec, label=typed(f"停下的{language}")), Cancelled())
    end(runs.prepare_run(workspace, spec), Paused(say("已按要求暂停。", "Paused as asked.")))
    lost = runs.prepare_run(workspace, spec, label=typed(f"断电 {language}"))
    (lost.folder / "alive").touch()
    aside = runs.prepare_run(workspace, spec, label=typed(f"放一边 {language}"))
    (aside.folder / "pause").touch()
    evaluations(workspace, base)
    other_jobs(workspace, spec)


def failures(base: Path) -> dict[str, BaseException]:
    """What trainings of that version failed with, in its words."""
    file = BUNDLED_DATASET / "train.json"
    why = say("第 3 行不以回答结尾", "row 3 does not end with an answer")
    rows = UnreadableFile(
        say(f"无法使用 {file}：{why}。", f"Cannot use {file}: {why}."),
        remedy=say("请用 news-studio check 检查并修正。", "Check and mend it with news-studio check."),
    )
    model = ModelUnusable(
        say(f"无法载入模型 {base}：bad magic", f"Cannot load the model {base}: bad magic"),
        remedy=say(
            "请用 news-studio models check 查看缺了什么。",
            "See what is missing with news-studio models check.",
        ),
    )
    memory = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    disk = DiskFull("", remedy="")
    return {"rows": rows, "model": model, "memory": memory, "disk": disk, "bug": KeyError("lora_A")}


def evaluations(workspace: Workspace, base: Path) -> None:
    """One of the bundled model, done, and one of the recorded run, failed; labelled as the page did."""
    asked = EvaluateSpec(model_name_or_path=base, dataset_dir=BUNDLED_DATASET, answer="direct")
    bundled = say("内置小模型（未微调）", "bundled small model (not tuned)")
    done = runs.prepare_run(workspace, asked, label=bundled)
    predictions = filled.answered("direct")
    baselines = {"majority": 0.1, "tfidf": 0.4}
    found = score(predictions, load_scheme().names, answer="direct", seconds=2.0, baselines=baselines)
    scores = ScoreFile(evaluations={"direct": found})
    (done.folder / "scores.json").write_text(scores.model_dump_json(by_alias=True))
    lines = "".join(each.model_dump_json() + "\n" for each in predictions)
    (done.folder / "predictions.jsonl").write_text(lines)
    end(done, None)
    recorded = f"{SAMPLE_RUN.name}{say('（随附的记录）', ' (recorded)')}"
    failed = UnreadableFile(
        say(
            "评测数据里没有一条答案属于这些类别。",
            "No evaluation row has an answer that is one of the categories.",
        ),
        remedy=say(
            "请先在标注页改正这些答案，再冻结一个版本。",
            "Mend the answers on the Label page, then freeze a version.",
        ),
    )
    end(runs.prepare_run(workspace, asked, label=recorded), failed)


def other_jobs(workspace: Workspace, spec: TrainSpec) -> None:
    """A download and a range test that failed, and a sweep of two trainings."""
    asked = DownloadSpec(model_id="team/large", target=workspace.models / "large")
    broke = DownloadFailed(
        say(
            "https://modelscope.cn 连续 3 轮没有给出数据（model.safetensors：连接中断）。",
            "https://modelscope.cn gave nothing in 3 rounds (model.safetensors: the connection broke).",
        ),
        remedy=say(
            "请检查网络或换一个镜像，然后继续；已下载的部分都在。",
            "Check the network or use a mirror, then resume; what was fetched is kept.",
        ),
    )
    end(runs.prepare_job(workspace, asked, label="team/large"), broke)
    test = RangeTestSpec(train=spec, lowest=1e-6, highest=0.1, steps=10)
    empty = UnreadableFile(
        say("没有一条样本可以训练。", "Not one sample is left to train on."),
        remedy=say("请增大 cutoff_len，或检查数据集。", "Raise cutoff_len, or check the data set."),
    )
    end(runs.prepare_job(workspace, test), empty)
    members = [(f"{rate:g}", spec.model_copy(update={"learning_rate": rate})) for rate in (1e-4, 2e-4)]
    sweep, inner = runs.prepare_sweep(workspace, members, label="learning_rate: 1e-4, 2e-4")
    for run in inner:
        held = HeldOut(step=1, epoch=1, loss=1.5, accuracy=0.5, rows=20)
        curve = [filled.step().model_dump_json(), held.model_dump_json(), ""]
        (run.folder / "metrics.jsonl").write_text("\n".join(curve))
        end(run, None)
    end(sweep, None)


def end(job: runs.Job, outcome: BaseException | None) -> None:
    """Let a worker of that version end the run like this; its log is what it says."""
    handler = logging.FileHandler(job.folder / "log.txt", encoding="utf-8")
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler], force=True)

    def work(_: RunFolder) -> dict[str, object]:
        if outcome is not None:
            raise outcome
        return {}

    (job.folder / "alive").touch()
    with contextlib.suppress(RuntimeError, KeyError):
        work_in(RunFolder(job.folder), work)
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def teacher(db: Store, workspace: Workspace, language: str, typed: Typed) -> None:
    """A draft run that broke off: four drafts, of which one waits, and two titles without."""
    titles = drafts.titles_without_chain(db, limit=6)
    lines = [
        Drafted(
            **title.model_dump(),
            chain=typed(f"老师写的第{number}条（{language}），归{title.category}。"),
            remarks=("chain_short",),
        )
        for number, title in enumerate(titles[:4])
    ]
    problems = (
        say(
            "回答是空的：max_tokens 在思考中用完了", "the answer is empty: max_tokens was used up by thinking"
        ),
        say("120 秒内没有答完", "no whole answer within 120 s"),
    )
    lines += [
        Drafted(**title.model_dump(), chain=None, problem=problem)
        for title, problem in zip(titles[4:], problems, strict=True)
    ]
    files = {"titles.jsonl": "".join(title.model_dump_json() + "\n" for title in titles).encode()}
    job = runs.prepare_job(workspace, DraftSpec(base_url=URL, model="teacher"), files=files)
    (job.folder / "drafts.jsonl").write_text("".join(line.model_dump_json() + "\n" for line in lines))
    progress = Progress(phase="drafting", done=6, total=6)
    (job.folder / "metrics.jsonl").write_text(progress.model_dump_json() + "\n")
    end(job, down(problems[1]))
    assert drafts.take_in(db, workspace) == 4
    for number, title in enumerate(titles[:2]):
        draft = drafts.pending_draft(db, title.title_id)
        chain = draft.chain if number else typed(f"改过的第{number}条（{language}）。")
        revision = get_title(db, title.title_id).revision
        drafts.accept(
            db, draft.id, category=title.category, chain=chain, author="chen", seen_revision=revision
        )
    drafts.reject(db, drafts.pending_draft(db, titles[2].title_id).id, author="chen")


def down(last: str) -> TeacherUnavailable:
    """What a draft run ended with when its endpoint was down."""
    return TeacherUnavailable(
        say(
            f"{URL} 接连没有给出可用的回答，最后一次：{last}",
            f"{URL} gave no usable answer time and again, at last: {last}",
        ),
        remedy=say(
            "请检查地址、网络和端点是否在运行，然后点“继续”；已写好的草稿都在。",
            "Check the address, the network and that the endpoint runs, then resume;"
            " all drafts so far are kept.",
        ),
    )


def suggestions(db: Store, workspace: Workspace) -> None:
    """What the small model left, and why the tuned one could not be asked."""
    found = suggesting_store.Suggestion(
        category="经济", probability=0.5, runner_up="社会", runner_up_probability=0.4, source="tfidf"
    )
    waiting = [title for title in next_waiting(db, limit=9) if title.proposal is None]
    suggesting_store.write_suggestions(db, [(title.id, found) for title in waiting])
    told = suggesting_store.Standing(
        at=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=1.5,
        labelled=250,
        suggested=9,
        placed=0,
        source="tfidf",
        problem="运行 x 没有保存检查点。 请重新训练。",
    )
    suggesting_store.state_path(workspace).write_text(told.model_dump_json())
