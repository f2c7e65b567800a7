"""Run the whole loop without a browser, on the bundled data and base model.

check -> import -> freeze -> evaluate the base -> train and evaluate -> classify one title.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from studio import runs
from studio.contract import AnswerMode, Scores
from studio.datasets.versions import freeze
from studio.errors import InputError
from studio.ingest.bundled import import_samples
from studio.language import say
from studio.operations.waiting import Watcher, evaluate_and_wait, train_and_wait
from studio.runs import Run
from studio.samples.scheme import load_scheme
from studio.serving.client import classify
from studio.serving.servers import ensure_server
from studio.store import open_store
from studio.system.login import login_name
from studio.training.presets import sound_default
from studio.validation.check import check_path
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, BUNDLED_NAME, Workspace

MODES: tuple[AnswerMode, ...] = ("chain", "direct")
TITLE = "主场三比一逆转，年轻门将扑出关键点球"


@dataclass
class Demo:
    """Results of the demo: seconds of each step, scores of the base and of the tuned model.

    `export` is the folder with train.json, eval.json and dataset_info.json, as LLaMA-Factory reads it.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    base: dict[AnswerMode, Scores] = field(default_factory=dict)
    tuned: dict[AnswerMode, Scores] = field(default_factory=dict)
    run: str = ""
    dataset: str = ""
    export: str = ""
    classified: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio demo --json`.

        `base` and `tuned` hold the scores of the think-chain answers, and under `direct` the others.
        """

        def both(scores: dict[AnswerMode, Scores]) -> dict[str, Any]:
            documents = {mode: s.model_dump(mode="json", by_alias=True) for mode, s in scores.items()}
            return {**documents["chain"], "direct": documents["direct"]}

        return {
            "seconds": {step: round(value, 1) for step, value in self.seconds.items()},
            "dataset": self.dataset,
            "base": both(self.base),
            "tuned": both(self.tuned),
            "run": self.run,
            "export": self.export,
            "classified": self.classified,
        }


def run_demo(
    workspace: Workspace, *, on_message: Callable[[str], None], watcher: Watcher | None = None
) -> Demo:
    """Run the loop; `on_message` is called with one sentence after each step.

    Raises:
        StudioError: a step failed; the last message names the step before it.
    """
    demo = Demo()
    scheme = load_scheme()

    @contextmanager
    def step(name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        demo.seconds[name] = time.monotonic() - started

    with step("check"):
        report = check_path(BUNDLED_DATASET, scheme)
    on_message(
        say(
            f"检查：{report.rows} 行，{report.valid} 行可用",
            f"check: {report.rows} rows, {report.valid} valid",
        )
    )
    with closing(open_store(workspace.database)) as db:
        with step("import"):
            imported = import_samples(db, scheme, author=login_name("demo"))
        on_message(
            say(
                f"导入：新增 {imported.added} 个标题，其中 {imported.waiting} 个待标注",
                f"import: {imported.added} new titles, {imported.waiting} of them to label",
            )
        )
        with step("freeze"):
            version = freeze(db, workspace, "demo", author=login_name("demo"), scheme=scheme)
    demo.dataset = version.ref
    demo.export = str(version.folder)
    on_message(say(f"冻结：{version.ref}，{version.rows}", f"freeze: {version.ref}, {version.rows}"))

    # The base first: the newest run is then the tuned one, which is what the pages open with.
    with step("evaluate"):
        for mode in MODES:
            evaluated = evaluate_and_wait(
                workspace, BUNDLED_NAME, version.ref, answer=mode, limit=None, watcher=watcher
            )
            demo.base |= _scores(evaluated)
    with step("train"):
        spec = sound_default(BUNDLED_MODEL, version.folder)
        run = train_and_wait(workspace, spec, version=version.ref, watcher=watcher)
    demo.run = run.id
    demo.tuned = dict(_scores(run))
    on_message(say(f"训练并评估：{run.id}", f"train and evaluate: {run.id}"))
    for who, scores in ((say("基础模型", "base"), demo.base), (say("微调后", "tuned"), demo.tuned)):
        for mode in MODES:
            unparsed = f"{say('无法解析', 'unparsed')} {scores[mode].unparsed}"
            on_message(f"  {who} {mode}: {scores[mode].accuracy:.1%}, {unparsed}")
    with step("classify"):
        demo.classified = _classify(workspace, run)
    on_message(f"{TITLE} -> {demo.classified['category']}")
    return demo


def _scores(run: Run) -> dict[AnswerMode, Scores]:
    file = runs.load_scores(run)
    if file is None:
        raise InputError(
            say(f"运行 {run.id} 没有成绩。", f"Run {run.id} has no scores."),
            remedy=say("请查看它的日志。", "See its log."),
        )
    return dict(file.evaluations)


def _classify(workspace: Workspace, run: Run) -> dict[str, Any]:
    model, adapter = runs.trained_model(run)
    url = ensure_server(workspace, model=model, adapter=adapter, template=run.spec.template, name=run.id)
    (answer,) = classify(url, [TITLE])
    return answer.model_dump()
