"""Think-chain mode: one title, its category, and the argument for it, checked while it is written.

The text lives in one form, which Ctrl+Enter submits with what was typed last. What stands
in the box is also mirrored into a draft, so that it is there again after a change of page
or language.
"""

import streamlit as st

from pages.shared import keys, label_queue, label_view, put_aside, shell
from pages.shared.guidelines import pair_rules
from pages.shared.problem_names import SEVERITY_ICONS
from studio.chainlint import lint_chain
from studio.language import say
from studio.store import Store
from studio.titles import Title, next_without_chain


@shell.fragment
def chain_mode() -> None:
    """The title that waits, or the next decided one that still lacks its chain."""
    db = shell.store()
    title = _title(db)
    work, side = st.columns([3, 1.15], gap="medium")
    with work:
        if title is None:
            label_view.empty_queue(db)
        else:
            label_queue.remember_shown(title)
            label_view.title_card(title, height=128)
            _write_chain(title)
        label_view.pace_line(db)
    with side:
        label_view.side_panel(db)


def _title(db: Store) -> Title | None:
    return label_queue.current_title(db) or next_without_chain(db)


def _drafts() -> dict[int, str]:
    drafts: dict[int, str] = st.session_state.setdefault("chain_drafts", {})
    return drafts


def _write_chain(title: Title) -> None:
    version = f"{title.id}-{title.revision}"
    st.session_state.setdefault(f"choose-category-{version}", title.category or title.proposal)
    category = st.pills(
        say("类别", "Category"),
        shell.scheme().names,
        key=f"choose-category-{version}",
        format_func=shell.category_mark,
        wrap=True,
    )
    with st.form(f"chain-form-{version}", border=False, enter_to_submit=False):
        st.text_area(
            say(
                "思维链：为什么是这一类（60 到 250 字）",
                "Think chain: why this category (60 to 250 characters)",
            ),
            value=_drafts().get(title.id, title.chain or ""),
            key=f"chain-{version}",
            height=150,
            placeholder=say(
                "引用标题里起决定作用的词，必要时和另一类比较，最后落在类别上。",
                "Quote the words that decide, weigh a rival category where there is one, end in the category.",
            ),
        )
        with st.container(horizontal=True):
            st.form_submit_button(
                say("保存并下一条", "Save and next"),
                key=f"save-{version}",
                type="primary",
                shortcut="Ctrl+Enter",
                on_click=_save,
                args=(title.id, title.revision),
            )
    _live_check(title, category)
    with st.container(horizontal=True):
        put_aside.put_aside(title, with_keys=False)
        label_view.undo_button(with_key=False)


@shell.fragment
def _live_check(title: Title, category: str | None) -> None:
    """Findings on what stands in the box; redrawn alone while the person types."""
    typed = keys.typed_text(f"chain-{title.id}-{title.revision}")
    if typed is not None:
        _drafts()[title.id] = typed
    chain = _drafts().get(title.id, title.chain or "").strip()
    if not chain or category is None:
        st.caption(say("选好类别，边写边检查。", "Pick the category; the chain is checked while you write."))
        return
    scheme = shell.scheme()
    findings = lint_chain(title.text, chain, category, scheme)
    count = say(f"{len(chain)} 字", f"{len(chain)} characters")
    if not findings:
        st.markdown(
            f":green[:material/check_circle: {say('没有发现问题', 'Nothing to object')}]　:gray[{count}]"
        )
    for finding in findings:
        st.markdown(f"{SEVERITY_ICONS[finding.severity]} {shell.plain(finding.message)}")
    pair_rules(scheme, category, {name for name in scheme.names if name in chain})


def _save(title_id: int, revision: int) -> None:
    """Callback: the form hands over what was typed last; nothing typed is ever dropped."""
    shell.speak()
    version = f"{title_id}-{revision}"
    chain = str(st.session_state.get(f"chain-{version}") or "").strip()
    category = st.session_state.get(f"choose-category-{version}")
    _drafts()[title_id] = chain
    if category is None:
        shell.notify(say("请先选类别，文字还在。", "Pick the category first; your text is kept."))
    elif not chain:
        shell.notify(say("思维链还是空的。", "The think chain is still empty."))
    elif label_queue.save_decision(title_id, revision, category, chain):
        _drafts().pop(title_id, None)
