"""Sign a candidate and release it."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, report_errors
from pages.shared.text import plain
from studio.gate import sentences
from studio.gate.gates import Gate
from studio.gate.releasing import release
from studio.language import say
from studio.releases.models import GateResult
from studio.releases.records import list_releases
from studio.runs import Run
from studio.store import Store


def sign_section(db: Store, candidate: Run, gate: Gate | None, result: GateResult | None) -> None:
    """Draw the form that signs the candidate; where the gate is not passed it asks why nevertheless."""
    known = list_releases(db)
    current = next((each.release for each in known if each.in_force), None)
    st.subheader(say("签发", "Sign"), anchor=False)
    if current is not None and current.run == candidate.id:
        st.caption(
            say(
                "这个运行就是正在用的 {name}。",
                "This run is {name}, which is in force.",
                name=plain(current.name),
            )
        )
        return
    passed = result is not None and result.outcome == "passed"
    with st.form("release-form", border=False):
        left, right = st.columns(2)
        name = left.text_input(
            say("发布的名字", "Name of the release"),
            key="release-name",
            placeholder=f"release-{len(known) + 1}",
            max_chars=80,
        )
        signed_by = right.text_input(
            say("签发人", "Signed by"), value=session.annotator(), key="release-signed", max_chars=40
        )
        despite = ""
        if gate is None:
            st.caption(
                say(
                    "没有门槛：发布会记为“没有门槛”。",
                    "There is no gate: the release will say so.",
                )
            )
        elif not passed:
            st.caption(plain(sentences.outcome(result) if result else _unjudged()))
            despite = st.text_input(
                say("仍要发布的原因", "Why release it nevertheless"),
                key="release-despite",
                max_chars=500,
                help=say("记入台账，跟着发布走。", "It goes into the ledger, and with the release."),
            )
        if st.form_submit_button(
            say("签名并发布", "Sign and release"),
            key="release-now",
            type="primary" if passed or gate is None else "secondary",
            icon=":material/rocket_launch:",
        ):
            with report_errors():
                made = release(
                    db,
                    session.workspace(),
                    candidate.id,
                    signed_by=signed_by,
                    author=session.annotator(),
                    name=name or None,
                    gate=gate.number if gate else None,
                    despite=despite,
                )
                notify(
                    say("已发布 {name}。", "Released as {name}.", name=plain(made.release.name)),
                )
                st.rerun()


def _unjudged() -> str:
    return say("还没有检查过；发布时会先检查。", "It was not checked yet; releasing checks it first.")
