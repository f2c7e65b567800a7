"""Open a page in a test, and read its text."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"

PAGES = [
    "home",
    "label",
    "drafts",
    "review",
    "titles",
    "check",
    "datasets",
    "pairs",
    "quality",
    "models",
    "train",
    "runs",
    "evaluate",
    "compare",
    "release",
    "export",
    "guides",
    "team",
    "try_it",
]


def open_page(name, lang="zh", **query):
    """Open the app on one page, drawn once."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    for key, value in {"lang": lang, "annotator": "ann", **query}.items():
        app.query_params[key] = value
    app.run()
    return app if name == "home" else app.switch_page(f"../pages/{name}.py").run()


def words(app, *, kinds=("title", "caption", "subheader", "info", "success", "warning")):
    """Collect the text on the page and its sidebar; options that name data are left out."""
    texts = [element.value for kind in kinds for element in app.get(kind)]
    texts += [
        element.label
        for kind in ("button", "selectbox", "text_input", "text_area", "number_input", "expander", "tab")
        for element in app.get(kind)
    ]
    return "\n".join(text for text in texts if text and "Language" not in text)
