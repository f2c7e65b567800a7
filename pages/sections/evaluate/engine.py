"""Draw what answered in an evaluation."""

import streamlit as st

from pages.shared.text import plain
from studio.contract import Scores
from studio.language import say


def engine_used(scores: Scores) -> None:
    """Draw what answered, as far as it is recorded."""
    engine = scores.engine
    if engine is None:
        return
    name = say("本机", "this studio") if engine.name == "studio" else engine.name
    known = (name, engine.version, engine.model, engine.dtype, engine.device)
    batch_zh, batch_en = (f"同时 {engine.batch} 条", f"{engine.batch} at once") if engine.batch else ("", "")
    parts = " · ".join(plain(part) for part in (*known, say(batch_zh, batch_en)) if part)
    st.caption(say(f"引擎：{parts}", f"Engine: {parts}"))
    if engine.repeated:
        other, count = engine.repeated
        st.caption(
            say(
                f"换一种批次重新生成了 {count} 条回答，有 {other} 条文字不同：显卡上行数不同，舍入就不同。",
                f"{count} answers were written again in another batch, {other} came out in other words: "
                "a GPU rounds differently for another number of rows.",
            )
        )
