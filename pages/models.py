"""Models: what can be trained on this machine, what is wrong with the rest, and how to get more."""

from pages.sections.models.downloads import new_download, open_downloads
from pages.sections.models.settings import model_settings
from pages.sections.models.shelf import model_shelf
from pages.shared import session
from pages.shared.elements import header
from pages.shared.feedback import report_errors
from studio.language import say

header(
    say("模型", "Models"),
    say(
        "工作区、ModelScope 与 Hugging Face 缓存、您自己的文件夹里有哪些基座模型；缺什么，怎么补。",
        "The base models in the workspace, in both hubs' caches and in your own folders: "
        "what they lack, and how to fix it.",
    ),
)
with report_errors():
    person = session.person()
    new_download()
    open_downloads()
    model_shelf(is_admin=person.role == "admin" and person.is_active)
    model_settings()
