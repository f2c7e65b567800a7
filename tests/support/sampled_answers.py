"""A finished job of sampled answers, as its worker leaves it."""

from studio import runs
from studio.contract import Result, SampledAnswer, SampleSpec
from studio.runs import Job
from studio.workspace import BUNDLED_MODEL, Workspace
from tests.support.samples import CHAIN, TITLE

OTHER = "央行宣布下调存款准备金率"


def answer(
    row: int,
    number: int,
    predicted: str | None,
    *,
    title: str = TITLE,
    label: str = "体育",
    chain: str = CHAIN,
) -> SampledAnswer:
    """Make one sampled answer."""
    return SampledAnswer(
        row=row, sample=number, title=title, label=label, predicted=predicted, chain=chain, tokens=9
    )


def sampled_job(workspace: Workspace) -> Job:
    """Two rows, two answers each: one row is right once, the other never."""
    spec = SampleSpec(model_name_or_path=BUNDLED_MODEL, dataset_dir=workspace.home, samples=2)
    made = runs.prepare_job(workspace, spec, label="draw")
    answers = [
        answer(0, 1, "体育"),
        answer(0, 0, "娱乐", chain="看着像娱乐。"),
        answer(1, 0, "社会", title=OTHER, label="经济", chain="讲民生，归社会。"),
        answer(1, 1, None, title=OTHER, label="经济"),
    ]
    lines = "".join(f"{each.model_dump_json()}\n" for each in answers)
    (made.folder / "samples.jsonl").write_text(lines, encoding="utf-8")
    (made.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=1)
    (made.folder / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    return runs.get_job(workspace, made.id)
