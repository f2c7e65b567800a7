"""Draw the teacher's endpoint, its key and settings, what a run will cost, and the button that starts it."""

from typing import Any

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, report_errors, reporting
from pages.shared.text import TOKEN_NOTE
from studio.contract import DraftSpec
from studio.language import say
from studio.store import Store
from studio.teacher import drafts, runs
from studio.teacher.endpoints import travels_in_the_clear
from studio.teacher.key import KEY_VARIABLE, key_place, other_endpoints
from studio.teacher.keys import remove_key, save_key
from studio.teacher.prompts import estimate

FIELD_HELP: dict[str, tuple[str, str]] = {
    "temperature": ("温度", "采样的随机程度；0 最稳定，越大越多样。"),
    "max_tokens": ("最长回答", "一次回答最多多少个词元，模型自己的思考也算在内。" + TOKEN_NOTE[0]),
    "concurrency": ("并发数", "同时请求多少条标题。"),
    "attempts": ("尝试次数", "一条标题试几次才算失败。"),
    "timeout_seconds": ("超时（秒）", "一次回答最多等多久。"),
    "prompt_price": ("输入价格 / 百万词元", "每百万输入词元的价格，币种不限；只用来估算。" + TOKEN_NOTE[0]),
    "completion_price": ("输出价格 / 百万词元", "每百万输出词元的价格，币种不限；只用来估算。"),
}


def new_run(db: Store) -> None:
    """Draw the endpoint, the number of titles, the estimate, and the button that starts."""
    earlier = runs.draft_runs(session.workspace())
    last = earlier[0].spec if earlier else None
    values = _endpoint(last if isinstance(last, DraftSpec) else None)
    _key(str(values["base_url"]))
    count = drafts.count_without_chain(db)
    st.caption(
        say(
            f"已标注、还没有思维链也没有待审草稿的标题：{count} 条。",
            f"Labelled titles with neither a think chain nor a pending draft: {count}.",
        )
    )
    if not count:
        st.info(
            say(
                "没有要起草的标题。先在标注页标注一些。",
                "There is nothing to draft. Label some titles first.",
            ),
            icon=":material/task_alt:",
        )
        return
    most = min(count, runs.MOST_TITLES)
    limit = int(
        st.number_input(
            say("起草多少条", "How many titles"),
            min_value=1,
            max_value=most,
            value=min(most, 200),
            key="draft-limit",
            width=220,
        )
    )
    _estimate(db, limit, values)
    if st.button(
        say("开始起草", "Start drafting"), key="draft-start", type="primary", icon=":material/play_arrow:"
    ):
        with report_errors():
            spec = runs.draft_spec(session.workspace(), **values)
            titles = drafts.titles_without_chain(db, limit=limit)
            runs.start(db, session.workspace(), spec, titles, session.scheme())
            st.rerun()


def _endpoint(last: DraftSpec | None) -> dict[str, Any]:
    """Ask for address, model and settings, beginning with those of the last run."""
    with st.container(horizontal=True):
        base_url = st.text_input(
            say("接口地址", "Endpoint"),
            value=last.base_url if last else "",
            key="teacher-url",
            placeholder="https://api.example.com/v1",
        )
        model = st.text_input(
            say("模型", "Model"), value=last.model if last else "", key="teacher-model", width=260
        )
    if travels_in_the_clear(base_url):
        st.warning(
            say(
                "这个地址没有加密：密钥和标题会以明文传输。请用 https://，或只用本机的地址。",
                "This address is not encrypted: the key and the titles are sent in plain text. "
                "Use https://, or an address of this machine.",
            ),
            icon=":material/lock_open:",
        )
    values: dict[str, Any] = {"base_url": base_url, "model": model}
    with st.expander(say("设置与价格", "Settings and prices"), key="teacher-settings"):
        with st.grid(4, min_column_width=150):
            for name in FIELD_HELP:
                values[name] = _number(name, last)
        values["revise"] = st.checkbox(
            say("有提示的草稿退回重写一次", "Send a draft with remarks back once"),
            value=last.revise if last else True,
            key="teacher-revise",
        )
    return values


def _number(name: str, last: DraftSpec | None) -> float | int | None:
    field = DraftSpec.model_fields[name]
    # By the field's type, as a price of 0 is written as a whole number and read back as 0.0.
    kind = int if field.annotation is int else float
    value = getattr(last, name) if last else field.default
    english = name.replace("_", " ").capitalize()
    asked: float | int | None = st.number_input(
        say(FIELD_HELP[name][0], english),
        value=None if value is None else kind(value),
        min_value=kind(0),
        key=f"teacher-{name}",
        help=say(FIELD_HELP[name][1], field.description or ""),
    )
    return asked


def _key(base_url: str) -> None:
    """Draw where this address's key comes from, and a box for a new one; what is kept is never shown."""
    file = session.workspace().teacher_key
    place = key_place(file, base_url)
    missing = (
        say("别的地址有密钥，这个没有", "other addresses have one, not this")
        if other_endpoints(file, base_url)
        else say("本机的服务一般不需要", "a local server rarely needs one")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            say("密钥", "Key"),
            type="password",
            key="teacher-key",
            autocomplete="off",
            placeholder={
                "file": say("已保存，不再显示", "saved, not shown again"),
                "environment": say(f"取自环境变量 {KEY_VARIABLE}", f"from {KEY_VARIABLE}"),
            }.get(place or "", missing),
            help=say(
                "属于上面的地址，只发给它；换了地址要另填。只存在工作区的 teacher.key 里，"
                "只有您的系统账号能读；不进数据库、日志和运行记录。",
                "It belongs to the address above and is sent to no other. Stored only in teacher.key of the "
                "workspace, readable by your account alone; never in the database, a log or a run.",
            ),
            width=360,
        )
        st.button(say("保存密钥", "Save key"), key="teacher-key-save", on_click=_save_key, args=(base_url,))
        if place == "file":
            remove = say("删除密钥", "Delete key")
            st.button(remove, key="teacher-key-remove", on_click=_remove_key, args=(base_url,))


@reporting
def _save_key(base_url: str) -> None:
    """Save the typed key; it leaves the session at once, whatever happens."""
    key = str(st.session_state.pop("teacher-key", "") or "")
    save_key(session.workspace(), key, base_url)
    notify(say("密钥已保存，只发给这个地址。", "The key is saved, for this address alone."))


@reporting
def _remove_key(base_url: str) -> None:
    """Delete the key of this address."""
    remove_key(session.workspace(), base_url)
    notify(say("密钥已删除。", "The key is deleted."))


def _estimate(db: Store, limit: int, values: dict[str, Any]) -> None:
    titles = drafts.titles_without_chain(db, limit=limit)
    known = [title for title in titles if title.category in session.scheme().names]
    expected = estimate(
        known,
        session.scheme(),
        prompt_price=values["prompt_price"] or 0,
        completion_price=values["completion_price"] or 0,
    )
    with st.container(horizontal=True):
        st.metric(say("标题", "Titles"), f"{len(known):,}")
        st.metric(
            say("输入词元（估）", "Prompt tokens (est.)"),
            f"{expected.prompt_tokens:,}",
            help=say(*TOKEN_NOTE),
        )
        st.metric(say("输出词元（估）", "Completion tokens (est.)"), f"{expected.completion_tokens:,}")
        st.metric(say("费用（估）", "Cost (est.)"), price_text(expected.price))
    st.caption(
        say(
            "按字数估算，偏高；重写、重试和会先思考的模型另计。价格在“设置与价格”里填。",
            "Estimated from the number of characters, on the high side; rewrites, retries and thinking come "
            "on top. Prices are under Settings and prices.",
        )
    )


def price_text(price: float) -> str:
    """Format a price in whatever currency it is, with more decimals where it is small."""
    return f"{price:,.4f}" if 0 < price < 1 else f"{price:,.2f}"
