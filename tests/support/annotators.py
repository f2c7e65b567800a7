"""A crowd of annotators in browsers: each labels what it sees, and every answer is accounted for."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Error, Page, Playwright, async_playwright

from studio.annotation.queue_order import change_settings
from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.team import people
from studio.team.settings import LabelSettings
from studio.workspace import open_workspace
from tests.support.browser import ARGS
from tests.support.web_process import WebProcess

TARGET_MEDIAN_MS, TARGET_P95_MS = 200, 400
BREATH_MS = 250
IDLE_ROUNDS = 3
PATIENCE_MS = 60_000

WATCH = """() => {
  if (window.presses) return
  window.presses = []
  window.times = []
  // While the page is drawn anew after a restart the title is gone for a moment; the person still sees it.
  let last = ""
  const title = () => (last = document.querySelector("[data-testid=stHeading] h2")?.innerText || last)
  let before = "", began = null
  document.addEventListener("keydown", event => {
    window.presses.push([event.key, title()])
    before = title(); began = performance.now()
  }, { capture: true })
  new MutationObserver(() => {
    if (began === null || title() === before) return
    const key = window.presses.at(-1)[0], start = began
    began = null
    requestAnimationFrame(() => window.times.push([key, performance.now() - start]))
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}"""


@dataclass
class Crowd:
    """A record of the people's presses: per name the keys with the title on screen; digit key times in ms."""

    think_seconds: float
    presses: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    times: list[float] = field(default_factory=list)
    count: int = 0


def fill(home: Path, titles: int, count: int) -> Store:
    """Fill a workspace with `titles` different waiting titles and `count` people."""
    db = open_store(open_workspace(home).database)
    for number in range(count):
        people.sign_in(db, name_of(number))
    import_text(db, "\n".join(f"第 {n} 次航班改签，{n * 7} 号旅客滞留" for n in range(titles)), load_scheme())
    change_settings(db, LabelSettings(overlap_share=0.3, lease_minutes=0.1), author=name_of(0))
    return db


def name_of(number: int) -> str:
    """Name the annotator of that number."""
    return f"p{number}"


async def work(home: Path, count: int, titles: int, chromium: str, think_seconds: float) -> Crowd:
    """Run the crowd until enough digits were pressed or nothing waits; kill the server, then a browser."""
    crowd = Crowd(think_seconds=think_seconds)
    web = WebProcess(home)
    web.start()
    async with async_playwright() as playwright:
        browsers = [await launch(playwright, chromium) for _ in range(2)]
        jobs = [
            asyncio.create_task(annotator(browsers[number % 2], web, name_of(number), crowd, titles))
            for number in range(1, count)
        ]
        await until(crowd, titles // 3, jobs)
        web.kill()
        web.start()
        await until(crowd, 2 * titles // 3, jobs)
        await browsers[1].close()  # its pages are gone in the middle of a press
        browsers[1] = await launch(playwright, chromium)
        jobs += [
            asyncio.create_task(annotator(browsers[1], web, name_of(number), crowd, titles))
            for number in range(count)
            if number % 2 == 1 or number == 0
        ]
        await asyncio.gather(*jobs)
        for browser in browsers:
            await browser.close()
    web.kill()
    return crowd


async def launch(playwright: Playwright, chromium: str) -> Browser:
    """Launch a Chromium in a process of its own."""
    return await playwright.chromium.launch(executable_path=chromium, args=ARGS)


async def until(crowd: Crowd, presses: int, jobs: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all together pressed that many digits, or nobody is left to press."""
    while crowd.count < presses and not all(job.done() for job in jobs):
        await asyncio.sleep(0.05)


async def annotator(browser: Browser, web: WebProcess, name: str, crowd: Crowd, titles: int) -> None:
    """Simulate one person until nothing waits for them, enough was done, or their browser is gone."""
    draw = random.Random(f"{name}/{crowd.count}")
    try:
        page = await browser.new_page(viewport={"width": 1100, "height": 800})
    except Error:
        return
    idle = 0
    while idle < IDLE_ROUNDS and crowd.count < 3 * titles:
        try:
            idle = 0 if await one_step(page, web, name, crowd, draw) else idle + 1
        except Error as error:
            if "closed" in str(error):
                return  # the browser was killed
            await asyncio.sleep(0.5)  # the server was killed; the page is opened again
            await keep(page, name, crowd)
            await reopen(page, web, name)
    await keep(page, name, crowd)
    await page.close()


async def one_step(page: Page, web: WebProcess, name: str, crowd: Crowd, draw: random.Random) -> bool:
    """Press a key or reload; returns False when no title is on screen."""
    if not page.url.startswith("http") or draw.random() < 0.03:
        await keep(page, name, crowd)
        await reopen(page, web, name)
    heading = page.locator("[data-testid=stHeading] h2")
    if await heading.count() == 0:
        await page.wait_for_timeout(3000)  # somebody else's lease runs out, or the end is reached
        await keep(page, name, crowd)
        await reopen(page, web, name)
        return await heading.count() > 0
    await page.wait_for_timeout(BREATH_MS + 1000 * draw.uniform(0.5, 1.5) * crowd.think_seconds)
    before, chance = await heading.inner_text(timeout=PATIENCE_MS), draw.random()
    digit = str(digit_for(before, draw))
    keys = ["S", "Alt+1"] if chance < 0.03 else ["U"] if chance < 0.06 else [digit]
    for key in keys:
        await page.keyboard.press(key)
        await page.wait_for_timeout(2 * BREATH_MS if len(keys) > 1 else 0)
    crowd.count += keys == [digit]
    try:
        await page.wait_for_function(
            "before => document.querySelector('[data-testid=stHeading] h2')?.innerText !== before",
            arg=before,
            timeout=5000,
        )
    except Error as error:
        if "Timeout" not in str(error):
            raise  # else: a refused press, or nothing to take back
    return True


def digit_for(title: str, draw: random.Random) -> int:
    """Choose a digit: mostly the same for the same title, for every person."""
    return len(title) * 7 % 10 if draw.random() < 0.9 else draw.randrange(10)


async def reopen(page: Page, web: WebProcess, name: str) -> None:
    """Load the Label page under that person's name, with retries while the server is down."""
    for _ in range(60):
        try:
            await page.goto(f"{web.url}/label?annotator={name}", timeout=PATIENCE_MS)
            await page.wait_for_selector("h1", timeout=PATIENCE_MS)
            await page.wait_for_selector(
                "[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE_MS
            )
            await page.evaluate(WATCH)
            return
        except Error as error:
            if "closed" in str(error):
                raise
            await asyncio.sleep(0.5)


async def keep(page: Page, name: str, crowd: Crowd) -> None:
    """Collect the presses and times that the page has recorded."""
    presses, times = await page.evaluate("() => [window.presses ?? [], window.times ?? []]")
    crowd.presses[name] |= {(key, title) for key, title in presses}
    crowd.times += [milliseconds for key, milliseconds in times if key.isdigit()]


def account(db: Store, crowd: Crowd, *, finished: bool) -> list[str]:
    """Account for every answer in the database; returns a sentence for each inconsistency."""
    names = {category.name: category.key for category in load_scheme().categories}
    wrong, gone = [], {name for name in crowd.presses if int(name[1:]) % 2 == 1}
    for name, category, text in db.execute(
        "select author, category, text from annotations join titles on titles.id = title_id"
        " where kind = 'category'"
    ).fetchall():
        # What the killed browser's people had pressed died with it.
        if name not in gone and (names[category], text) not in crowd.presses.get(name, set()):
            keys = sorted(key for key, title in crowd.presses[name] if title == text)
            wrong.append(f"{name} never pressed {category} for {text}, but {keys}")
    for title_id, wanted, answers, authors in db.execute(ANSWERS).fetchall():
        if not wanted == answers == authors:
            wrong.append(f"title {title_id}: {wanted} asked, {answers} answers by {authors} people")
    left = db.execute("select count(*) from states where status = 'waiting'").fetchone()[0]
    if finished and left > 0.1 * db.execute("select count(*) from states").fetchone()[0]:
        wrong.append(f"{left} titles still wait")
    return wrong


ANSWERS = (
    "select states.title_id, states.wanted, count(answers.id), count(distinct answers.author) from states"
    " join decisions on decisions.id = states.decision_id"
    " join decisions as before on before.id = decisions.follows"
    " left join annotations as answers on answers.title_id = states.title_id and answers.kind = 'category'"
    " and answers.decision_id = coalesce(before.restores, before.id)"
    " and not exists (select 1 from retractions where annotation_id = answers.id)"
    " where states.status = 'decided' group by states.title_id"
)
"""Decided titles: answers wanted, answers that were not retracted, and the people who gave them."""
