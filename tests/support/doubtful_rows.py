"""Rows about which a quality scan has findings."""

from studio.annotation import annotations
from studio.corpus.titles import get_title
from tests.support.samples import CHAIN, unlike

A, B, C, D = unlike(4)

ROWS = [
    (A, "体育"), (f"{A}！快讯", "社会"),  # contradictory
    (B, "体育"), (f"{B}！快讯", "体育"),  # a near duplicate
    (C, "体育"), (D, "体育"),
    ("联赛第3轮战罢积分榜", "体育"), ("联赛第4轮战罢积分榜", "社会"),  # two events
]  # fmt: skip


def decide(db, title_id, category):
    seen = get_title(db, title_id).revision
    annotations.annotate(db, title_id, category=category, chain=CHAIN, author="li", seen_revision=seen)
