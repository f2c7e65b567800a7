"""Finished evaluations with the answers that a test wants, as a worker leaves them."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec, Prediction, Result, ScoreFile, TrainSpec
from studio.evaluation.scores import score
from studio.runs import Run
from studio.samples.canonical import write_answer
from studio.samples.scheme import load_scheme
from studio.workspace import BUNDLED_DATASET, Workspace

SAID = (
    "央行 下调 存款 准备金率 主队 补时 绝杀 夺冠 新药 进入 三期 临床 高考 报名 人数 创 新高 外长 会见 代表团 暴雨 红色 预警"
    " 芯片 量产 电影 票房 破 十亿 疫苗 接种 地铁 开通 村民 起诉 航母 下水 油价 上涨 女排 击败 大学 扩招 医院 停诊"
)
WORDS = SAID.split()


def titles(count: int, *, seed: int = 1) -> list[str]:
    """Make titles that are no near duplicates of each other."""
    rng = random.Random(seed)
    return ["".join(rng.sample(WORDS, 7)) + f"{rng.randrange(10**6)}" for _ in range(count)]


def predictions(
    names: Sequence[str],
    is_right: Callable[[int], bool],
    answer: AnswerMode = "chain",
    *,
    chain: str = "“央行”是经济的机构，归经济。",
) -> list[Prediction]:
    """Make a prediction for each title; categories come in turn, and a wrong answer is the next category."""
    categories = load_scheme().names
    found = []
    for row, title in enumerate(names):
        label = categories[row % len(categories)]
        said = label if is_right(row) else categories[(row + 1) % len(categories)]
        found.append(
            Prediction(
                row=row,
                title=title,
                label=label,
                label_chain="标题说得清楚。",
                answer=answer,
                predicted=said,
                chain=chain if answer == "chain" else None,
                text=write_answer(chain, said) if answer == "chain" else "",
                tokens=20,
            )
        )
    return found


def finished(
    workspace: Workspace,
    answered: Sequence[Prediction],
    *,
    label: str = "",
    version: str | None = None,
    training: int | None = None,
    of: str | None = None,
) -> Run:
    """Write a finished run with these predictions: an evaluation (`of` a run), or a training with that seed."""
    spec: EvaluateSpec | TrainSpec = EvaluateSpec(
        model_name_or_path=Path("/models/small"), dataset_dir=BUNDLED_DATASET, run=of
    )
    if training is not None:
        spec = TrainSpec(model_name_or_path=Path("/models/small"), dataset_dir=BUNDLED_DATASET, seed=training)
    run = runs.prepare_run(workspace, spec, label=label, version=version)
    modes = dict.fromkeys(each.answer for each in answered)
    scored = {
        mode: score(
            [each for each in answered if each.answer == mode], load_scheme().names, answer=mode, seconds=2
        )
        for mode in modes
    }
    lines = "".join(each.model_dump_json() + "\n" for each in answered)
    (run.folder / "predictions.jsonl").write_text(lines, encoding="utf-8")
    scores = ScoreFile(evaluations=scored)
    (run.folder / "scores.json").write_text(scores.model_dump_json(by_alias=True), encoding="utf-8")
    (run.folder / "alive").touch()
    result = Result(status="done", seconds=2, peak_memory_gib=1)
    (run.folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    found = runs.get_run(workspace, run.id)
    assert found.state == "done", found
    return found
