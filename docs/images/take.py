"""Take the pictures of the README anew, from a real workspace with a real run.

    python docs/images/take.py [--home DIR] [--out docs/images]

Fills the workspace (bundled samples, some titles to label, a frozen version), trains with
the sound default unless the workspace has a scored run already, and photographs six
pages at 1280 x 800 in Chinese, light and dark. Takes a few minutes on two cores the first time.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.app.label_latency import CHROMIUM_ARGS, settle
from studio import runs
from studio.annotation.annotations import annotate
from studio.datasets.versions import freeze, list_versions
from studio.evaluation.feedback import send_predictions_back
from studio.ingest.importer import import_path, import_text
from studio.jobs import queue as jobs
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.training.presets import sound_default
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, Workspace, open_workspace
from tests.support.tiny_runs import end_job_process
from tests.support.titles import next_waiting
from tests.support.web_process import running

LABELLED = {
    "城市书房二十四小时开放，夜读成为新去处": "国内",
    "油价年内第三次下调，加满一箱少花十二元": "经济",
    "深海采样机器人完成千米级试潜": "科技",
    "老戏新唱走红，年轻观众挤满小剧场": "娱乐",
    "女篮末节连追十五分，主场逆转晋级": "体育",
    "职校生拿下世界技能大赛焊接金牌": "教育",
    "春季花粉浓度走高，医生提醒过敏者备药": "健康",
    "两国就边境贸易口岸重开达成一致": "国际",
    "保洁员捡到装有现金的背包，原地等了两小时": "社会",
    "县级以上政府将公开重大决策目录": "政治",
}
WAITING = """外卖员用三年存下学费，重新走进大学课堂
高铁新线开通，两座城市半小时互达
新能源车企公布固态电池路测数据
社区医院开到夜里十点，上班族看病不用请假"""
THEMES: dict[Literal["light", "dark"], str] = {"light": "", "dark": "_dark"}
"""What the system asks for, to the ending of the picture's name."""
TITLE = "新一代国产大飞机完成高原试飞，航程再提升"


def main(argv: Sequence[str] | None = None) -> None:
    """Fill the workspace, train, take the screenshots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="workspace to use and keep; default: a throw-away one")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(arguments.home or Path(folder))
        fill(open_store(workspace.database), workspace)
        with running(workspace.home) as web, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=CHROMIUM_ARGS)
            arguments.out.mkdir(parents=True, exist_ok=True)
            for theme, ending in THEMES.items():
                page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
                photograph(page, web.url, arguments.out, ending)
                page.close()
            browser.close()
        end_job_process(workspace)


def fill(db: Store, workspace: Workspace) -> None:
    """Fill every stage of the loop with data; what is there already is left alone."""
    scheme = load_scheme()
    if not list_versions(db, workspace):
        import_path(db, BUNDLED_DATASET, scheme)
        import_text(db, "\n".join(LABELLED), scheme)
        for title in next_waiting(db, limit=len(LABELLED)):
            annotate(
                db,
                title.id,
                category=LABELLED[title.text],
                author="li",
                seen_revision=title.revision,
                active_seconds=2.4,
            )
        import_text(db, WAITING, scheme)
        freeze(db, workspace, "news", author="li", scheme=scheme)
    if not any(run.state == "done" for run in runs.list_runs(workspace) if not run.recorded):
        version = list_versions(db, workspace)[0]
        spec = sound_default(BUNDLED_MODEL, version.folder)
        run = runs.prepare_run(workspace, spec, label="第一次训练", version=version.ref)
        jobs.submit(workspace, run)
        run = jobs.wait(workspace, run.id)
        runs.require_done(run)
        wrong = next(p for p in runs.load_predictions(run, "direct") if p.predicted != p.label)
        send_predictions_back(db, [wrong], run_name=run.label, author="li", scheme=scheme)


def photograph(page: Page, url: str, out: Path, ending: str) -> None:
    """Take a screenshot of the six pages, each in a state that shows its purpose."""
    for name in ("home", "label", "titles", "train", "evaluate", "try_it"):
        page.goto(f"{url}/{'' if name == 'home' else name}?annotator=li")
        settle(page)
        if name == "try_it":
            page.locator(".st-key-classify-text textarea").fill(TITLE)
            page.locator(".st-key-classify-now button").click()
            page.get_by_role("button", name="不对？").wait_for(timeout=120_000)
        page.mouse.move(330, 795)
        page.wait_for_timeout(2500)  # charts fade in
        save(page.screenshot(), out / f"{name}{ending}.png")


def save(picture: bytes, path: Path) -> None:
    """Save a screenshot with a palette of 256 colours: a third of the size, no visible loss."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size / 1024:.0f} KB\n")


if __name__ == "__main__":
    main()
