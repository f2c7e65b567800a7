"""Train: choose model, data and settings, start, and watch."""

from pages.sections.train import new_run
from pages.sections.train import runs as train_view
from pages.shared import shell
from studio.language import say

shell.header(
    say("训练", "Train"),
    say(
        "选基座模型和数据集版本，用一套预设开始；训练在后台进行，关掉浏览器也不会停。",
        "Choose a base model and a dataset version, start from a preset; training goes on when the browser closes.",
    ),
)
db = shell.store()
new_run.new_run(db)
train_view.watch_runs()
