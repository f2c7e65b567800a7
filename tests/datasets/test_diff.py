"""Two versions diffed: rows added, removed, changed and moved, and the difference in one sentence."""

import json

import pytest
from typer.testing import CliRunner

from studio.annotation import annotations
from studio.cli.main import app
from studio.corpus.titles import get_title
from studio.datasets import versions
from studio.datasets.diff import diff_versions
from tests.support.samples import CHAIN, SCHEME, import_titles, new_store, unlike


@pytest.fixture
def opened(tmp_path):
    return new_store(tmp_path / "home")


def freeze(opened, **more):
    return versions.freeze(*opened, "news", author="li", scheme=SCHEME, **more)


def decide(db, title_id, category, chain=None):
    seen = get_title(db, title_id).revision
    annotations.annotate(db, title_id, category=category, chain=chain, author="li", seen_revision=seen)


@pytest.fixture
def pair(opened, tmp_path):
    """Versions that differ in one row of every kind: 1 removed, 2 relabelled, 3 chain, one moved, one new."""
    db = opened[0]
    import_titles(opened, unlike(40), tmp_path, category="体育")
    first = freeze(opened, eval_titles=unlike(40)[10:20])
    annotations.skip(db, 1, reason="重复", author="li", seen_revision=get_title(db, 1).revision)
    decide(db, 2, "社会")
    decide(db, 3, "体育", CHAIN + "就是这样。")
    import_titles(opened, ["全新的一条标题"], tmp_path, "new.json", category="健康")
    return first, freeze(opened, eval_titles=unlike(40)[10:21])


def test_every_kind_of_change_is_counted_once(opened, pair):
    found = diff_versions(opened[0], *pair)
    changes = {row.text: row.changes for row in found.rows}
    assert changes == {
        unlike(40)[0]: ("removed",),
        unlike(40)[1]: ("relabelled",),
        unlike(40)[2]: ("chain",),
        unlike(40)[20]: ("moved",),
        "全新的一条标题": ("added",),
    }
    assert found.unchanged == 36


def test_the_sentence_counts_every_change(opened, pair):
    assert diff_versions(opened[0], *pair).sentence == (
        "从 news@1 到 news@2：新增 1 行，移除 1 行，改类别 1 行，改思维链 1 行，"
        "换划分 1 行（1 行到评估集，0 行到训练集）；36 行没有变。"
    )


def test_changes_are_counted_where_the_title_is_now(opened, pair):
    assert diff_versions(opened[0], *pair).per_category == {
        "体育": {"removed": 1, "chain": 1, "moved": 1},
        "社会": {"relabelled": 1},
        "健康": {"added": 1},
    }


def test_backwards_what_was_added_is_removed(opened, pair):
    found = diff_versions(opened[0], *reversed(pair))
    assert (found.count("added"), found.count("removed"), found.count("moved")) == (1, 1, 1)


def test_the_same_version_differs_in_nothing(opened, pair):
    found = diff_versions(opened[0], pair[0], pair[0])
    assert found.rows == () and "40 行完全相同" in found.sentence


def test_the_command_prints_the_sentence_and_json(opened, pair):
    arguments = ["dataset", "diff", "news@1", "news@2", "--home", str(opened[1].home)]
    assert "改类别 1 行" in CliRunner().invoke(app, arguments).stdout
    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert document["counts"] == {"added": 1, "removed": 1, "relabelled": 1, "chain": 1, "moved": 1}
    assert next(row for row in document["rows"] if row["changes"] == ["relabelled"])["category"] == [
        "体育",
        "社会",
    ]


def test_an_unknown_version_is_two(opened, pair):
    done = CliRunner().invoke(app, ["dataset", "diff", "news@1", "news@9", "--home", str(opened[1].home)])
    assert done.exit_code == 2 and "news@1" in done.stderr
