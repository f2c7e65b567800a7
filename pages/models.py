"""Models: what can be trained on this machine, what is wrong with the rest, and how to get more."""

from pages.sections.models import downloads as downloads_view
from pages.sections.models import shelf as models_view
from pages.shared import shell
from studio.language import say

shell.header(
    say("模型", "Models"),
    say(
        "工作区、ModelScope 与 Hugging Face 缓存、您自己的文件夹里有哪些基座模型；缺什么，怎么补。",
        "The base models in the workspace, in both hubs' caches and in your own folders; what they lack and what to do.",
    ),
)
with shell.report_errors():
    person = shell.person()
    downloads_view.new_download()
    downloads_view.open_downloads()
    models_view.shelf(is_admin=person.role == "admin" and person.is_active)
    models_view.settings()
