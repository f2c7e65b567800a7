"""What every page needs: the workspace, the store, the scheme, the language, errors.

Streamlit runs callbacks and fragments in fresh threads, in which the language of the
last page run is unknown: `report_errors` and `fragment` set it again. Knows no page.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec

import streamlit as st

from studio.contract import AnswerMode
from studio.errors import StalePress, StudioError
from studio.language import current_language, half, say
from studio.messages import shown
from studio.runs import Run, RunState
from studio.samples.scheme import Scheme, load_scheme
from studio.store import Store, open_store
from studio.system.csv_export import safe_cell
from studio.team import people
from studio.team.people import Person
from studio.workspace import Workspace, current_settings, open_workspace

P = ParamSpec("P")

STATE_NAMES: dict[RunState, tuple[str, str]] = {
    "queued": ("排队中", "queued"),
    "running": ("运行中", "running"),
    "done": ("完成", "done"),
    "failed": ("失败", "failed"),
    "cancelled": ("已取消", "cancelled"),
    "paused": ("已暂停", "paused"),
    "lost": ("中断", "lost"),
}

MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


def speak() -> None:
    """Let `say` in this thread use the language that the session has chosen."""
    current_language.set(st.session_state.get("lang") or current_settings().lang)


def workspace() -> Workspace:
    """The workspace of this studio; its folders exist."""
    return open_workspace()


def store() -> Store:
    """A connection for this page run; SQLite ties it to the thread that opens it."""
    return open_store(workspace().database)


def scheme() -> Scheme:
    """The category scheme in use."""
    return load_scheme()


def annotator() -> str:
    """The name under which this session decides."""
    return " ".join(str(st.session_state.get("annotator") or "").split())[: people.LONGEST_NAME] or "me"


def person() -> Person:
    """Who works in this session, with role and colour."""
    return people.sign_in(store(), annotator())


def person_mark(name: str, colors: Mapping[str, str]) -> str:
    """A name with its colour, for labels and markdown; grey where nobody of that name ever signed in."""
    return f':color[●]{{foreground="{colors.get(name, "#6B7280")}"}} {plain(name)}'


def person_colors(db: Store) -> dict[str, str]:
    """Everybody's colour."""
    return {each.name: each.color for each in people.list_people(db)}


def require_role(*roles: people.Role) -> Person:
    """Whoever works in this session, if their role is one of these.

    Raises:
        NotAllowed: it is not.
    """
    return people.require(store(), annotator(), *roles)


@contextmanager
def report_errors(*, later: bool = False) -> Iterator[None]:
    """Show what the person can mend, with its remedy; any other error is ours.

    Args:
        later: for callbacks, which run before there is a page to write on.
    """
    speak()
    try:
        yield
    except StalePress:
        # Briefly: whoever is so fast reads no sentence about which title it was.
        notify(
            say(
                "按得太快，标题已经换了，这次没有生效。",
                "Too fast: the title had moved on; that press did nothing.",
            )
        )
        if not later:
            show_notices()
    except StudioError as error:
        text = f"{plain(error.problem)}\n\n**{say('怎么办', 'What to do')}** {plain(error.remedy)}"
        if later:
            notify(text)
        else:
            st.error(text, icon=":material/error:")


def notify(text: str) -> None:
    """Keep a message for the run that follows a callback; the same one is not said twice."""
    notices: list[str] = st.session_state.setdefault("notices", [])
    if text not in notices:
        notices.append(text)


def show_notices() -> None:
    """Say what callbacks had to say."""
    for text in st.session_state.pop("notices", []):
        st.toast(text, icon=":material/info:")


def fragment(function: Callable[P, None]) -> Callable[P, None]:
    """`st.fragment` whose reruns speak the session's language and report errors."""
    return st.fragment(_on_its_own(function))


def live_fragment(function: Callable[P, None]) -> Callable[P, None]:
    """A fragment that draws itself again every two seconds."""
    return st.fragment(_on_its_own(function), run_every=2)


def _on_its_own(function: Callable[P, None]) -> Callable[P, None]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with report_errors():
            show_notices()
            function(*args, **kwargs)

    return run


def page_path(name: str) -> Path:
    """Where a page lives, for links to it."""
    return Path(__file__).resolve().parent.parent / f"{name}.py"


def header(title: str, lead: str) -> None:
    """The top of a page: its name and what it is for, in one line."""
    show_notices()
    st.title(title, anchor=False)
    st.caption(lead)


def plain(text: str) -> str:
    """Text that Streamlit's markdown shows exactly as it is, on one line; a sentence in the reader's language."""
    return MARKDOWN.sub(r"\\\1", " ".join(str(half(text)).split()))


def plain_stored(text: str | None) -> str:
    """Escape a note, reason or source that is stored: as it was typed, or a code made into a sentence."""
    return plain(shown(text) or "")


def table(rows: Iterable[Mapping[str, Any]], **options: Any) -> None:
    """A table to read. Its own menu saves it as CSV, so a text that looks like a formula is shown as text there, too."""
    st.dataframe([{name: _table_cell(value) for name, value in row.items()} for row in rows], **options)


def _table_cell(value: object) -> object:
    return safe_cell(value) if isinstance(value, str) else value


def downloads(name: str, as_csv: bytes, as_json: bytes) -> None:
    """The same numbers as two files, named after what they are and the day."""
    with st.container(horizontal=True):
        for label, mime, content in (("CSV", "text/csv", as_csv), ("JSON", "application/json", as_json)):
            st.download_button(
                label,
                content,
                file_name=f"{name}_{date.today():%Y%m%d}.{label.lower()}",
                mime=mime,
                key=f"{name}-{label.lower()}",
                icon=":material/download:",
                on_click="ignore",
            )


def category_name(name: str) -> str:
    """A category in the language of the page; what is stored stays the scheme's name."""
    category = scheme().category(name)
    return say(category.name, category.english)


def category_mark(name: str) -> str:
    """A category with its colour, for labels and markdown."""
    color = scheme().category(name).color
    return f':color[■]{{foreground="{color}"}} {category_name(name)}'


def state_name(state: RunState) -> str:
    """A run's state in words."""
    return say(*STATE_NAMES[state])


def answer_name(answer: AnswerMode) -> str:
    """A way of answering in words."""
    return say("思维链", "think chain") if answer == "chain" else say("直接打分", "direct")


def baseline_name(name: str) -> str:
    """A baseline in words."""
    return {"majority": say("总猜最多的类", "majority class"), "tfidf": "TF-IDF"}.get(name, name)


def run_name(run: Run) -> str:
    """How a run is called in lists: its label or id, and whether it only was recorded."""
    name = run.label or run.id
    return f"{name}{say('（随附的记录）', ' (recorded)')}" if run.recorded else name


def run_option(run: Run) -> str:
    """A run as an option of a select box: unlike any other run's, and the same in every state.

    Streamlit finds a choice again by this text.
    """
    return f"{run_name(run)} · {run.created_at:%m-%d %H:%M:%S}" if run.label else run_name(run)


def link(page: str, label: str) -> None:
    """A link to another page, for what comes next."""
    st.page_link(page_path(page), label=label, icon=":material/arrow_forward:")


def open_on_label_page(title_id: int, *, mode: Literal["quick", "chain"] = "quick") -> None:
    """Leave for the Label page with that title on screen."""
    st.session_state["choose-label-mode"] = mode
    st.switch_page(page_path("label"), query_params={"title": str(title_id)})


def local_time(moment: str) -> str:
    """An ISO moment in UTC as the clock on the wall shows it."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return say(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
    return (
        say(f"{minutes} 分 {rest} 秒", f"{minutes} min {rest} s")
        if minutes
        else say(f"{rest} 秒", f"{rest} s")
    )
