"""Train: choose model, data and settings, start, and watch."""

from pages.sections.train.new_run import new_run
from pages.sections.train.runs import watch_runs
from pages.shared import session
from pages.shared.elements import header
from studio.language import say

header(
    say("训练", "Train"),
    say(
        "选基座模型和数据集版本，从一套预设开始；训练在后台进行，关掉浏览器也不会停。",
        "Choose a base model and a dataset version, and start from a preset; training goes on when "
        "the browser "
        "closes.",
    ),
)
new_run(session.store())
watch_runs()
