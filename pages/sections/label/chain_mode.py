"""Label with a think chain: one title, its category, and the argument for it, linted while it is typed.

The text is in one form, which Ctrl+Enter submits with what was typed last. It is also
autosaved into the store, for its author alone, so that it is there again after a change of
page, a reload or a restart. Anyone who chose to review drafts finds the teacher's in the box;
it is a draft until they save or reject it.
"""

from datetime import UTC, datetime

import streamlit as st

from pages.sections.label import actions, hints, put_aside, side_panel, title_card
from pages.sections.label.hints import Hint
from pages.shared import keyboard, session, title_clock
from pages.shared.feedback import fragment, notify, reporting
from pages.shared.guidelines import pair_rules
from pages.shared.text import SEVERITY_ICONS, category_mark, plain
from studio.annotation import autosave
from studio.annotation.annotations import Suggested
from studio.annotation.chain_index import WrittenChains
from studio.annotation.leases import Offer, find_lease
from studio.corpus.titles import Title, next_without_chain
from studio.language import say
from studio.samples.chain_lint import lint_chain
from studio.samples.chain_scaffolds import next_form, scaffold
from studio.store import Store
from studio.teacher import drafts
from studio.teacher.drafts import Draft

REVIEW = "choose-review-drafts"


@fragment
def chain_mode() -> None:
    """Draw the draft to review, the title that waits, or the next decided one that still lacks its chain."""
    db = session.store()
    drafts.take_in(db, session.workspace())
    _review_switch(db)
    offered = _offered(db)
    title = offered.title if offered else None
    hint = hints.hint_for(db, offered) if offered else hints.NO_HINT
    work, side = st.columns([3, 1.15], gap="medium")
    with work:
        if title is None:
            title_card.empty_queue(db)
        else:
            title_clock.start("label", title)
            title_card.title_card(db, title, height=128)
            hints.show(hint)
            _write_chain(db, title, drafts.pending_draft(db, title.id) if _reviews() else None, hint)
        side_panel.pace_line(db)
    with side:
        side_panel.side_panel(db)


def _review_switch(db: Store) -> None:
    """Draw the switch to review drafts while some are pending, and as long as it is on."""
    waiting = drafts.count_pending(db)
    if not waiting and not _reviews():
        return
    count = f"{drafts.MANY}+" if waiting == drafts.MANY else str(waiting)
    st.toggle(
        say(f"审阅教师草稿（{count} 份待审）", f"Review teacher drafts ({count} pending)"),
        key=REVIEW,
        persist_state="session",
    )


def _reviews() -> bool:
    return bool(st.session_state.get(REVIEW))


def _offered(db: Store) -> Offer | None:
    chosen = _next_draft(db) if _reviews() else None
    chosen = chosen or actions.current_offer(db)
    if chosen is None and (decided := next_without_chain(db)) is not None:
        return Offer(title=decided, is_blind=False)
    return chosen


def _next_draft(db: Store) -> Offer | None:
    """Return the title that the person opened themselves, else that of the next draft, leased to them."""
    held = find_lease(db, session.annotator())
    if held is not None and held.title_id is not None and held.is_reopened:
        by_review = held.title_id == st.session_state.get("reviewed_title")
        if not by_review or drafts.pending_draft(db, held.title_id):
            return actions.current_offer(db)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    title = drafts.next_pending(db, author=session.annotator(), now=now)
    if title is None:
        return None
    actions.open_title(title.id)
    st.session_state["reviewed_title"] = title.id
    return Offer(title=title, is_blind=False)


def _version(title: Title, draft: Draft | None) -> str:
    """Return the key of the widgets of one text: another revision or draft is another text."""
    return f"{title.id}-{title.revision}{f'-d{draft.id}' if draft else ''}"


def _typed() -> dict[str, str]:
    """Return what is in each box, as far as this session knows."""
    typed: dict[str, str] = st.session_state.setdefault("typed_chains", {})
    return typed


def _begin(db: Store, title: Title, draft: Draft | None, hint: Hint, version: str) -> None:
    """Fill the box and the category for a title that comes on screen."""
    if f"chain-{version}" in st.session_state and f"choose-category-{version}" in st.session_state:
        return
    kept = autosave.kept(db, author=session.annotator(), title_id=title.id)
    text = kept.text if kept else (draft.chain if draft else title.chain or "")
    suggested = hint.suggested.category if hint.suggested else None
    category = (kept.category if kept else None) or title.category or suggested or hint.former
    if category not in session.scheme().names:
        category = None
    st.session_state.setdefault(f"choose-category-{version}", category)
    st.session_state.setdefault(f"chain-{version}", text)
    _typed()[version] = text


def _write_chain(db: Store, title: Title, draft: Draft | None, hint: Hint) -> None:
    version = _version(title, draft)
    _begin(db, title, draft, hint, version)
    if draft:
        _draft_line(draft)
    category = st.pills(
        say("类别", "Category"),
        session.scheme().names,
        key=f"choose-category-{version}",
        format_func=_numbered,
        wrap=True,
    )
    with st.form(f"chain-form-{version}", border=False, enter_to_submit=False):
        st.text_area(
            say(
                "思维链：为什么是这一类（60 到 250 字）",
                "Think chain: why this category (60 to 250 characters)",
            ),
            key=f"chain-{version}",
            height=150,
            placeholder=say(
                "引用标题里起决定作用的词，必要时和另一类比较，最后得出类别。",
                "Quote the deciding words, compare with a rival category where there is one, "
                "conclude with the category.",
            ),
        )
        st.form_submit_button(
            say("接受并下一条", "Accept and next") if draft else say("保存并下一条", "Save and next"),
            key=f"save-{version}",
            type="primary",
            shortcut="Ctrl+Enter",
            on_click=_save,
            args=(title.id, title.revision, version, draft, hint.suggested),
        )
    _live_check(title, category, version)
    _actions(title, draft, version)


def _numbered(name: str) -> str:
    """Name a category behind the digit that chooses it."""
    return f":gray[{session.scheme().category(name).key}] {category_mark(name)}"


def _draft_line(draft: Draft) -> None:
    """Mark the text in the box as a model's draft until somebody accepts it."""
    marks = [
        f":violet-badge[:material/smart_toy: {say('草稿', 'Draft')} · {plain(draft.model)}]",
        f":small[:gray[{say('接受或修改后才生效', 'counts once accepted or edited')}]]",
    ]
    if draft.remarks:
        marks.insert(
            1, f":orange-badge[{say(f'{len(draft.remarks)} 处提示', f'{len(draft.remarks)} remarks')}]"
        )
    st.markdown("　".join(marks))


def _actions(title: Title, draft: Draft | None, version: str) -> None:
    if put_aside.is_asking(title):
        put_aside.reason_box(title)
        return
    keyboard.focus_on(f"chain-{version}", place="chain")
    keyboard.choose_by_digit(f"choose-category-{version}", [each.key for each in session.scheme().categories])
    with st.container(horizontal=True):
        st.button(
            say("搭框架", "Scaffold"),
            key=f"scaffold-{version}",
            icon=":material/format_list_bulleted:",
            shortcut="Alt+G",
            help=say(
                "插入用本标题的词搭好的句式，每按一次换一种。",
                "Inserts sentences built from this title's words; each press gives others.",
            ),
            on_click=_scaffold,
            args=(title, version),
        )
        if draft:
            st.button(
                say("拒绝草稿", "Reject draft"),
                key=f"reject-{version}",
                icon=":material/thumb_down:",
                shortcut="Alt+X",
                on_click=_reject,
                args=(draft, version),
            )
        put_aside.put_aside(title, modifier="Alt+")
        title_card.undo_button(modifier="Alt+")


@fragment
def _live_check(title: Title, category: str | None, version: str) -> None:
    """Lint what is in the box; redrawn alone while the person types."""
    db = session.store()
    _mirror(db, title, category, version)
    chain = _typed().get(version, "").strip()
    if not chain or category is None:
        st.caption(say("选好类别，边写边检查。", "Choose the category; the chain is checked while you type."))
        return
    scheme = session.scheme()
    findings = lint_chain(title.text, chain, category, scheme)
    findings += _written(str(session.workspace().database.resolve())).findings(
        db, title.id, chain, category, scheme
    )
    count = say(f"{len(chain)} 字", f"{len(chain)} characters")
    if not findings:
        st.markdown(
            f":green[:material/check_circle: {say('没有发现问题', 'No problems found')}]　:gray[{count}]"
        )
    for finding in findings:
        st.markdown(f"{SEVERITY_ICONS[finding.severity]} {plain(finding.message)}")
    pair_rules(scheme, category, {name for name in scheme.names if name in chain})


def _mirror(db: Store, title: Title, category: str | None, version: str) -> None:
    """Autosave what was typed since the last check; the same text is not saved twice."""
    typed = keyboard.typed_text(f"chain-{version}")
    seen: dict[str, str] = st.session_state.setdefault("mirrored_chains", {})
    if typed is None or seen.get(version) == typed:
        return
    seen[version] = _typed()[version] = typed
    _keep(db, title.id, title.revision, category, typed)


def _keep(db: Store, title_id: int, revision: int, category: str | None, text: str) -> None:
    autosave.keep(
        db,
        author=session.annotator(),
        title_id=title_id,
        seen_revision=revision,
        category=category,
        text=text,
    )


@st.cache_resource(max_entries=4)
def _written(database: str) -> WrittenChains:
    """Cache one index for each database, shared by all sessions."""
    return WrittenChains()


@reporting
def _scaffold(title: Title, version: str) -> None:
    """Put the next scaffold into the box; what the person wrote stays before it."""
    category = st.session_state.get(f"choose-category-{version}")
    if category is None:
        notify(say("请先选类别。", "Choose the category first."))
        return
    last: dict[str, tuple[int, str]] = st.session_state.setdefault("scaffolds", {})
    form, offered = last.get(version, (None, ""))
    form = next_form(title.id, after=form)
    text = scaffold(title.text, category, session.scheme(), form=form)
    own = _typed().get(version, "").strip().removesuffix(offered).strip()
    last[version] = (form, text)
    both = f"{own}\n{text}" if own else text
    st.session_state[f"chain-{version}"] = _typed()[version] = both
    _keep(session.store(), title.id, title.revision, category, both)


@reporting
def _reject(draft: Draft, version: str) -> None:
    """Reject the draft; the title stays among those without a chain."""
    db = session.store()
    drafts.reject(db, draft.id, author=session.annotator())
    autosave.forget(db, author=session.annotator(), title_id=draft.title_id)
    _typed().pop(version, None)


@reporting
def _save(
    title_id: int, revision: int, version: str, draft: Draft | None, suggested: Suggested | None
) -> None:
    """Save what the form hands over, which is what was typed last; nothing typed is ever dropped."""
    chain = str(st.session_state.get(f"chain-{version}") or "").strip()
    category = st.session_state.get(f"choose-category-{version}")
    _typed()[version] = chain
    db = session.store()
    if chain:
        _keep(db, title_id, revision, category, chain)
    if category is None:
        notify(say("请先选类别，文字还在。", "Choose the category first; your text is kept."))
    elif not chain:
        notify(say("思维链还是空的。", "The think chain is still empty."))
    elif refusal := _refusal(chain, category):
        notify(refusal)
    else:
        actions.save_decision(title_id, revision, category, chain, suggested, draft=draft)
        autosave.forget(db, author=session.annotator(), title_id=title_id)
        _typed().pop(version, None)


def _refusal(chain: str, category: str) -> str | None:
    """Return what would break the row when it is frozen: a think tag in the text."""
    found = (finding for finding in lint_chain("", chain, category, session.scheme()))
    return next((finding.message for finding in found if finding.severity == "error"), None)
