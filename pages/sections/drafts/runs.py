"""What the Teacher drafts page draws: the endpoint, what it will cost, and the runs."""

from typing import Any

import streamlit as st

from pages.shared import shell
from pages.shared.text import PHASE_NAMES
from studio import runs
from studio.contract import DraftSpec
from studio.jobs import queue as jobs
from studio.language import say
from studio.runs import Job
from studio.store import Store
from studio.teacher import drafts
from studio.teacher import runs as teacher_jobs
from studio.teacher.key import KEY_VARIABLE, key_place, remove_key, save_key
from studio.teacher.prompts import estimate
from studio.teacher.runs import MOST_TITLES, Outcome

SHOWN_FAILURES = 50
FIELD_HELP: dict[str, tuple[str, str]] = {
    "temperature": ("温度", "写得多自由；0 最稳，越大越多样。"),
    "max_tokens": ("最长回答", "一次回答最多多少词元，模型自己的思考也算在内。"),
    "concurrency": ("并发", "同时问几条标题。"),
    "attempts": ("尝试次数", "一条标题试几次才算失败。"),
    "timeout_seconds": ("超时（秒）", "一次回答最多等多久。"),
    "prompt_price": ("输入价格 / 百万词元", "每百万输入词元的价格，币种随您；只用来估算。"),
    "completion_price": ("输出价格 / 百万词元", "每百万输出词元的价格，币种随您；只用来估算。"),
}


def new_run(db: Store) -> None:
    """The endpoint, the number of titles, the estimate, and the button that starts."""
    earlier = teacher_jobs.draft_runs(shell.workspace())
    last = earlier[0].spec if earlier else None
    values = _endpoint(last if isinstance(last, DraftSpec) else None)
    _key()
    count = drafts.count_without_chain(db)
    st.caption(
        say(
            f"已标注、还没有思维链也没有待审草稿的标题：{count} 条。",
            f"Labelled titles with neither a think chain nor a waiting draft: {count}.",
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
    most = min(count, MOST_TITLES)
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
        with shell.report_errors():
            workspace, scheme = shell.workspace(), shell.scheme()
            spec = teacher_jobs.draft_spec(workspace, **values)
            titles = drafts.titles_without_chain(db, limit=limit)
            teacher_jobs.start(db, workspace, spec, titles, scheme)
            st.rerun()


def _endpoint(last: DraftSpec | None) -> dict[str, Any]:
    """Address, model and settings, beginning with those of the last run."""
    with st.container(horizontal=True):
        base_url = st.text_input(
            say("端点地址", "Endpoint"),
            value=last.base_url if last else "",
            key="teacher-url",
            placeholder="https://api.example.com/v1",
        )
        model = st.text_input(
            say("模型", "Model"), value=last.model if last else "", key="teacher-model", width=260
        )
    if teacher_jobs.travels_in_the_clear(base_url):
        st.warning(
            say(
                "这个地址不加密：密钥和标题会以明文经过网络。请用 https://，或只用本机的地址。",
                "This address is not encrypted: the key and the titles cross the network in the clear. "
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
            say("有提醒的草稿退回重写一次", "Send a draft with remarks back once"),
            value=last.revise if last else True,
            key="teacher-revise",
        )
    return values


def _number(name: str, last: DraftSpec | None) -> float | int | None:
    field = DraftSpec.model_fields[name]
    value = getattr(last, name) if last else field.default
    english = name.replace("_", " ").capitalize()
    asked: float | int | None = st.number_input(
        say(FIELD_HELP[name][0], english),
        value=value,
        min_value=type(field.default)(0),
        key=f"teacher-{name}",
        help=say(FIELD_HELP[name][1], field.description or ""),
    )
    return asked


def _key() -> None:
    """Where the key comes from, and a box for a new one; what is kept is never shown."""
    place = key_place(shell.workspace().teacher_key)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            say("密钥", "Key"),
            type="password",
            key="teacher-key",
            autocomplete="off",
            placeholder={
                "file": say("已保存，不再显示", "kept, not shown again"),
                "environment": say(f"取自环境变量 {KEY_VARIABLE}", f"from {KEY_VARIABLE}"),
            }.get(place or "", say("本机的服务一般不需要", "a local server rarely needs one")),
            help=say(
                "只存在工作区的 teacher.key 里，只有您的系统账号能读；不进数据库、日志和运行记录。",
                "Kept only in teacher.key of the workspace, readable by your account alone; never in the database, a log or a run.",
            ),
            width=360,
        )
        st.button(say("保存密钥", "Save the key"), key="teacher-key-save", on_click=_save_key)
        if place == "file":
            st.button(say("删除密钥", "Remove the key"), key="teacher-key-remove", on_click=_remove_key)


def _save_key() -> None:
    """Callback: the key leaves the session at once."""
    key = str(st.session_state.pop("teacher-key", "") or "")
    with shell.report_errors(later=True):
        save_key(shell.workspace().teacher_key, key)
        shell.notify(say("密钥已保存。", "The key is kept."))


def _remove_key() -> None:
    shell.speak()
    remove_key(shell.workspace().teacher_key)
    shell.notify(say("密钥已删除。", "The key is removed."))


def _estimate(db: Store, limit: int, values: dict[str, Any]) -> None:
    titles = drafts.titles_without_chain(db, limit=limit)
    known = [title for title in titles if title.category in shell.scheme().names]
    expected = estimate(
        known,
        shell.scheme(),
        prompt_price=values["prompt_price"] or 0,
        completion_price=values["completion_price"] or 0,
    )
    with st.container(horizontal=True):
        st.metric(say("标题", "Titles"), f"{len(known):,}")
        st.metric(say("输入词元（估）", "Prompt tokens (est.)"), f"{expected.prompt_tokens:,}")
        st.metric(say("输出词元（估）", "Completion tokens (est.)"), f"{expected.completion_tokens:,}")
        st.metric(say("费用（估）", "Cost (est.)"), _price(expected.price))
    st.caption(
        say(
            "按字数估算，偏高；重写、重试和会先思考的模型另计。价格在“设置与价格”里填。",
            "From the number of characters, on the high side; rewrites, retries and thinking come on top. "
            "Prices are under Settings and prices.",
        )
    )


def _price(price: float) -> str:
    return f"{price:,.4f}" if 0 < price < 1 else f"{price:,.2f}"


def latest_run(db: Store) -> None:
    """The newest run in detail, live while it goes on, and the ones before."""
    found = teacher_jobs.draft_runs(shell.workspace())
    if not found:
        return
    st.subheader(say("起草任务", "Runs"), anchor=False)
    by_id = {job.id: job for job in found}
    if st.session_state.get("choose-draft-run") not in by_id or not found[0].is_over:
        st.session_state["choose-draft-run"] = found[0].id
    chosen = st.selectbox(
        say("查看", "Watch"),
        list(by_id),
        format_func=lambda run_id: f"{by_id[run_id].created_at:%m-%d %H:%M:%S} · {run_id}",
        key="choose-draft-run",
        label_visibility="collapsed",
    )
    if by_id[chosen].is_over:
        _panel(db, by_id[chosen])
    else:
        _live_panel(chosen)


@shell.live_fragment
def _live_panel(run_id: str) -> None:
    """A run that goes on; when it is over the page is drawn once more, without the clock."""
    job = runs.get_job(shell.workspace(), run_id)
    if job.is_over:
        st.rerun()
    jobs.ensure_job_process(shell.workspace())
    db = shell.store()
    drafts.take_in(db, shell.workspace())
    _panel(db, job)


def _panel(db: Store, job: Job) -> None:
    outcome = teacher_jobs.outcome(job)
    if job.failure:
        problem, remedy = job.failure
        st.error(
            f"{shell.plain(problem)}\n\n**{say('怎么办', 'What to do')}** {shell.plain(remedy)}",
            icon=":material/error:",
        )
    if not job.is_over:
        _progress(job)
    _numbers(db, job, outcome)
    with st.container(horizontal=True):
        if job.is_over and job.state != "done":
            st.button(
                say("继续", "Resume"),
                key=f"draft-resume-{job.id}",
                icon=":material/resume:",
                help=say(
                    "只问还没有草稿的标题，失败的也再试；端点和设置与这次相同。",
                    "Asks only for titles without a draft, failed ones again; with the run's endpoint and settings.",
                ),
                on_click=_resume,
                args=(job,),
            )
        if drafts.count_pending(db):
            st.button(
                say("去审阅草稿", "Review the drafts"),
                key=f"draft-review-{job.id}",
                icon=":material/rate_review:",
                on_click=_choose_review,
            )
    if st.session_state.pop("go-to-review", False):
        st.switch_page(shell.page_path("label"))
    _failures(outcome)
    with st.expander(say("日志", "Log"), key=f"draft-log-{job.id}"):
        st.code(runs.read_log(job) or say("还没有内容", "nothing yet"), language=None)


def _progress(job: Job) -> None:
    now = runs.progress(job)
    left = "" if now.eta_seconds is None else f"　·　{say('还需', 'left')} {shell.duration(now.eta_seconds)}"
    name = shell.state_name(job.state) if job.state == "queued" else say(*PHASE_NAMES[now.phase])
    st.progress(now.fraction, text=f"{name} {now.done} / {now.total}{left}")
    st.button(
        say("取消", "Cancel"),
        key=f"draft-cancel-{job.id}",
        icon=":material/stop:",
        on_click=runs.cancel,
        args=(shell.workspace(), job.id),
        disabled=runs.is_cancel_wanted(job),
    )


def _numbers(db: Store, job: Job, outcome: Outcome) -> None:
    said = drafts.draft_outcomes(db, job.id)
    with st.container(horizontal=True):
        st.metric(say("状态", "State"), shell.state_name(job.state))
        st.metric(say("草稿", "Drafts"), f"{outcome.drafted} / {outcome.titles}")
        st.metric(say("有提醒", "With remarks"), outcome.with_remarks)
        st.metric(say("失败", "Failed"), len(outcome.failed))
        st.metric(
            say("接受 / 改后接受 / 拒绝", "Accepted / edited / rejected"),
            f"{said.accepted} / {said.edited} / {said.rejected}",
        )
        if outcome.cost.prompt_tokens or not outcome.drafted:
            st.metric(
                say("实际词元", "Real tokens"),
                f"{outcome.cost.prompt_tokens:,} + {outcome.cost.completion_tokens:,}",
            )
            st.metric(say("实际费用", "Real cost"), _price(outcome.cost.price))
        else:
            st.metric(say("实际词元", "Real tokens"), say("端点未报告", "not told"))


def _failures(outcome: Outcome) -> None:
    if not outcome.failed:
        return
    with st.expander(
        say(f"{len(outcome.failed)} 条没有草稿", f"{len(outcome.failed)} without a draft"),
        key="draft-failures",
    ):
        shell.table(
            [
                {say("标题", "Title"): line.title, say("原因", "Why"): line.problem}
                for line in outcome.failed[:SHOWN_FAILURES]
            ],
            hide_index=True,
        )


def _resume(job: Job) -> None:
    """Callback: go on with what is missing, with the endpoint of the run and the key as it is now."""
    with shell.report_errors(later=True):
        workspace = shell.workspace()
        assert isinstance(job.spec, DraftSpec), job.spec.kind
        settings = job.spec.model_dump(exclude={"format_version", "kind", "key_file", "key_env"})
        spec = teacher_jobs.draft_spec(workspace, **settings)
        teacher_jobs.resume(shell.store(), workspace, job, spec, shell.scheme())


def _choose_review() -> None:
    """Callback: the Label page opens in think-chain mode with the drafts first."""
    st.session_state["choose-label-mode"] = "chain"
    st.session_state["choose-review-drafts"] = True
    st.session_state["go-to-review"] = True
