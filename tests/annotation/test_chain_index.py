"""A chain that repeats another, or the sentences of many others, is remarked on; others are not."""

import pytest

from studio.annotation.annotations import annotate, undo
from studio.annotation.chain_index import WrittenChains
from studio.corpus.titles import decided_titles
from studio.ingest.importer import import_path, import_text
from studio.samples.chain_lint import lint_chain
from studio.samples.chain_scaffolds import FORMS, next_form, scaffold
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import CHAIN, SCHEME, new_store
from tests.support.titles import next_waiting

TITLE = "女篮主场逆转晋级，末节连追十五分"


@pytest.fixture
def db(tmp_path):
    return new_store(tmp_path / "home")[0]


@pytest.fixture
def written():
    return WrittenChains()


def decide(db, chain, category="体育"):
    (title,) = next_waiting(db)
    return annotate(db, title.id, category=category, chain=chain, author="a", seen_revision=title.revision)


def codes(written, db, chain, title_id=0, category="体育"):
    return [finding.code for finding in written.findings(db, title_id, chain, category, SCHEME)]


def test_a_chain_that_was_written_for_another_title_is_too_close(db, written):
    import_text(db, "甲队赢球\n乙队输球", SCHEME)
    first = decide(db, CHAIN)
    (finding,) = written.findings(db, 0, CHAIN.replace("最后一球", "终场哨声"), "体育", SCHEME)
    assert finding.code == "chain_repeats"
    assert f"第 {first.id} 条" in finding.message
    assert codes(written, db, CHAIN, title_id=first.id) == []
    assert codes(written, db, CHAIN, category="经济") == []


def test_what_is_decided_later_is_known_and_what_is_undone_is_not(db, written):
    import_text(db, "甲队赢球", SCHEME)
    assert codes(written, db, CHAIN) == []
    decide(db, CHAIN)
    assert codes(written, db, CHAIN) == ["chain_repeats"]
    undo(db, author="a")
    assert codes(written, db, CHAIN) == []


def test_sentences_of_many_other_chains_are_a_form(db, written):
    words = ["终场哨声响起", "点球大战落幕", "金牌榜更新", "主帅宣布下课"]
    import_text(db, "\n".join(f"{word}第{n}场" for n, word in enumerate(words)), SCHEME)
    form = "看到“{}”就知道讲的是赛场，主角是运动员而不是生意，读者关心的是比分，所以归体育。"
    for word in words[:3]:
        decide(db, form.format(f"{word}的前前后后、里里外外和许许多多别的说法以及{word[::-1]}"))
    assert "chain_skeleton" in codes(written, db, form.format(words[3]))


def test_the_bundled_chains_are_left_in_peace(db, written):
    import_path(db, BUNDLED_DATASET, SCHEME)
    titles = decided_titles(db)
    assert len(titles) == 400
    assert not [t.id for t in titles if codes(written, db, t.chain, t.id, t.category)]


@pytest.mark.parametrize("form", range(len(FORMS)))
def test_a_scaffold_quotes_the_title_and_leaves_blanks_and_nothing_else_is_wrong(form):
    text = scaffold(TITLE, "体育", SCHEME, form=form)
    left = {finding.code for finding in lint_chain(TITLE, text, "体育", SCHEME)}
    assert "chain_blank" in left
    assert left <= {"chain_blank", "chain_short"}
    assert text.rstrip("。").endswith("体育")


def test_scaffolds_rotate_over_titles_and_presses():
    assert len(FORMS) >= 3
    assert {next_form(title_id, after=None) for title_id in range(len(FORMS))} == set(range(len(FORMS)))
    assert {next_form(1, after=last) for last in range(len(FORMS))} == set(range(len(FORMS)))


def test_a_title_without_words_still_has_a_scaffold():
    assert "体育" in scaffold("？！", "体育", SCHEME, form=0)


@pytest.mark.parametrize("tag", ["<think>", "</think>", "< THINK >", "<think"])
def test_a_typed_tag_is_an_error(tag):
    (finding,) = [f for f in lint_chain(TITLE, f"{CHAIN}{tag}", "体育", SCHEME) if f.severity == "error"]
    assert finding.code == "chain_tag"
