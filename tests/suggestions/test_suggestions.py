"""The model beside the annotators: its suggestions, its active order, and its acceptance rate."""

import numpy as np
import pytest

from studio.annotation import annotations
from studio.annotation.annotations import Suggested
from studio.annotation.leases import offer
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import find_title, get_title
from studio.ingest.importer import import_path, import_text
from studio.serving.servers import servers, stop_server
from studio.suggestions import _process, records
from studio.suggestions.classifier import Mix, Suggester, can_learn, most_teaching
from studio.suggestions.records import Suggestion, acceptance, suggestion_for, write_suggestions
from studio.team import people
from studio.team.settings import LabelSettings
from studio.workspace import BUNDLED_DATASET
from tests.support.samples import SCHEME, new_store
from tests.support.tiny_runs import wait_until

NEW = "央行宣布下调存款准备金率，股市高开\n女排逆转夺冠，主教练赛后落泪\n多所高校公布研究生招生计划"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """Import the bundled rows; (title, category) of those that are decided."""
    db, _ = new_store(tmp_path_factory.mktemp("bundled"))
    import_path(db, BUNDLED_DATASET, SCHEME)
    return db.execute("select text, category from current_titles where status = 'decided'").fetchall()


@pytest.fixture(scope="module")
def model(bundled):
    return Suggester([text for text, _ in bundled[:300]], [category for _, category in bundled[:300]])


@pytest.fixture
def db(tmp_path):
    store, _ = new_store(tmp_path)
    import_path(store, BUNDLED_DATASET, SCHEME)
    import_text(store, NEW, SCHEME)
    people.sign_in(store, "li")
    return store


@pytest.fixture
def workspace(db, tmp_path):
    return new_store(tmp_path)[1]


def round_of(db, workspace, **settings):
    settings = LabelSettings(gold_share=0, **settings)
    change_settings(db, settings, author="li")
    return _process.one_round(db, workspace, settings, np.random.default_rng(0))


def in_front(db, count):
    rows = db.execute(
        "select text from states join titles on titles.id = title_id"
        " where status = 'waiting' order by rank, place limit ?",
        [count],
    )
    return [text for (text,) in rows]


def test_its_probabilities_are_calibrated(bundled, model):
    found = model.probabilities(model.features([text for text, _ in bundled[300:]]))
    right = [
        model.names[row.argmax()] == category for row, (_, category) in zip(found, bundled[300:], strict=True)
    ]
    assert np.allclose(found.sum(axis=1), 1)
    assert np.mean(right) > 0.6
    # The plain model says 0.22 here.
    assert abs(found.max(axis=1).mean() - np.mean(right)) < 0.2


def test_two_categories_are_enough_and_one_is_not():
    assert can_learn(["经济"] * 10 + ["体育"] * 10)
    assert not can_learn(["经济"] * 20) and not can_learn(["经济", "体育"])
    two = Suggester(["股市", "球赛"] * 10, ["经济", "体育"] * 10)
    assert two.probabilities(two.features(["股市大涨"])).shape == (1, 2)


def test_any_prefix_of_the_order_has_the_shares_of_the_mix(bundled, model):
    pool = [text for text, _ in bundled[300:]]
    best = np.sort(model.probabilities(model.features(pool)), axis=1)
    doubted = np.argsort(best[:, -1] - best[:, -2]).tolist()
    draw = np.random.default_rng(1)
    order = most_teaching(model, pool, mix=Mix(uncertain=0.7, diverse=0.2), count=40, draw=draw)
    assert len(set(order)) == 40
    for count in (10, 20, 40):
        assert len(set(order[:count]) & set(doubted[:count])) >= 0.6 * count
    only = most_teaching(model, pool, mix=Mix(uncertain=1, diverse=0), count=30, draw=draw)
    assert only == doubted[:30]


def test_what_is_least_like_the_labelled_titles_comes_and_not_twice(bundled):
    copies = [text for text, _ in bundled[:40]]
    odd = ["ΑΒΓ ΔΕΖ ΗΘΙ", "ΑΒΓ ΔΕΖ ΗΘΚ", "ЖЩЮ ЯЭ"]
    model = Suggester(copies, [category for _, category in bundled[:40]], beside=odd)
    order = most_teaching(
        model, copies + odd, mix=Mix(uncertain=0, diverse=1), count=2, draw=np.random.default_rng(2)
    )
    assert set(order) < {40, 41, 42} and 42 in order


def test_a_pool_smaller_than_the_count_comes_whole(model):
    for mix in (
        Mix(uncertain=0.7, diverse=0.2),
        Mix(uncertain=0, diverse=0),
        Mix(uncertain=0.5, diverse=0.5),
    ):
        order = most_teaching(model, NEW.splitlines(), mix=mix, count=300, draw=np.random.default_rng(3))
        assert sorted(order) == [0, 1, 2]


def test_waiting_titles_get_a_suggestion_and_shared_ones_none(db, workspace):
    assert round_of(db, workspace).suggested == 3
    found = suggestion_for(db, find_title(db, NEW.splitlines()[1]).id)
    assert found.category == "体育" and found.source == "tfidf"
    assert found.probability > found.runner_up_probability >= 0
    assert round_of(db, workspace, overlap_share=1).suggested == 0
    assert suggestion_for(db, find_title(db, NEW.splitlines()[1]).id) is None


def test_too_few_labels_to_train_on_are_no_error(tmp_path):
    db, workspace = new_store(tmp_path)
    import_text(db, NEW, SCHEME)
    state = round_of(db, workspace, order="active")
    assert (state.labelled, state.suggested, state.placed) == (0, 0, 0)


def test_active_order_asks_once_for_a_near_duplicate_group_and_not_for_a_labelled_one(db, workspace):
    known = db.execute("select text from current_titles where status = 'decided' limit 1").fetchone()[0]
    import_text(db, f"{known}！快讯\n台风登陆东南沿海，多地停课停工\n台风登陆东南沿海，多地停课停运", SCHEME)
    state = round_of(db, workspace, order="active")
    assert state.placed == 4  # the three new ones, and one of the two about the storm
    front = in_front(db, 4)
    assert sum("台风" in text for text in front) == 1
    assert not any("快讯" in text for text in front)


def test_what_one_of_two_has_answered_stays_in_front(db, workspace):
    people.sign_in(db, "wang")
    settings = LabelSettings(gold_share=0, order="active", overlap_share=1)
    change_settings(db, settings, author="li")
    first = offer(db, author="li", settings=settings).title
    round_of(db, workspace, order="active", overlap_share=1)
    first = offer(db, author="li", settings=settings).title
    annotations.annotate(db, first.id, category="经济", author="li", seen_revision=first.revision)
    _process.one_round(db, workspace, settings, np.random.default_rng(4))
    assert in_front(db, 1) == [first.text]
    assert offer(db, author="wang", settings=settings).title.id == first.id
    assert offer(db, author="li", settings=settings).title.id != first.id


def test_an_order_that_was_set_meanwhile_is_left_alone(db, workspace):
    settings = LabelSettings(order="active")
    model = _process.train(db)
    assert _process.prioritize(db, model, _process.find_pool(db), settings, np.random.default_rng(5)) == 0
    assert in_front(db, 3) == NEW.splitlines()


def test_the_process_retrains_while_people_label_and_ends_when_it_is_not_wanted(db, workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_SUGGESTER", "1")
    first, _, third = (find_title(db, text) for text in NEW.splitlines())
    records.wake(db, workspace)
    wait_until(lambda: suggestion_for(db, first.id) is not None, seconds=60)
    assert records.suggester_process(workspace).is_alive()
    before = records.standing(workspace)
    annotations.annotate(db, first.id, category="经济", author="li", seen_revision=first.revision)
    wait_until(lambda: records.standing(workspace).labelled > before.labelled, seconds=60)
    assert suggestion_for(db, first.id) is None and suggestion_for(db, third.id) is not None
    change_settings(db, LabelSettings(suggestions=False), author="li")
    wait_until(lambda: not records.suggester_process(workspace).is_alive(), seconds=60)


def test_nothing_is_started_where_nothing_is_wanted(db, workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_SUGGESTER", "1")
    change_settings(db, LabelSettings(suggestions=False), author="li")
    records.wake(db, workspace)
    assert not records.suggester_process(workspace).lock.exists()


@pytest.mark.slow
def test_a_tuned_run_predicts_the_probabilities(db, workspace):
    try:
        state = round_of(db, workspace, suggestion_model="sample_run")
        assert (state.source, state.problem, state.suggested) == ("sample_run", "", 3)
        found = suggestion_for(db, find_title(db, NEW.splitlines()[1]).id)
        assert found.source == "sample_run" and 0.1 < found.probability <= 1
        # It does not change while people label, so nobody is asked twice.
        assert round_of(db, workspace, suggestion_model="sample_run").suggested == 0
        assert suggestion_for(db, find_title(db, NEW.splitlines()[1]).id) == found
    finally:
        for server in servers(workspace):
            stop_server(server)


def test_a_run_that_is_gone_leaves_the_small_model_and_its_reason(db, workspace):
    state = round_of(db, workspace, suggestion_model="20200101-000000")
    assert state.source == "tfidf" and state.suggested == 3 and "20200101" in state.problem


def test_acceptance_counts_current_answers(db):
    titles = [find_title(db, text) for text in NEW.splitlines()]
    for title, category in zip(titles, ("经济", "社会", "教育"), strict=True):
        annotations.annotate(
            db,
            title.id,
            category=category,
            author="li",
            seen_revision=title.revision,
            suggested=Suggested(category="经济" if category == "社会" else category, source="tfidf"),
        )
    (found,) = acceptance(db)
    assert (found.source, found.shown, found.accepted, round(found.rate, 2)) == ("tfidf", 3, 2, 0.67)
    annotations.undo(db, author="li")
    (found,) = acceptance(db)
    assert (found.shown, found.accepted) == (2, 1)
    title = get_title(db, titles[2].id)
    annotations.annotate(db, title.id, category="教育", author="li", seen_revision=title.revision)
    assert acceptance(db)[0].shown == 2 and acceptance(db, since_day="9999") == []


def test_suggestions_are_replaced_as_a_whole(db):
    ids = [find_title(db, text).id for text in NEW.splitlines()]
    made = Suggestion(
        category="经济", probability=0.6, runner_up="科技", runner_up_probability=0.3, source="tfidf"
    )
    write_suggestions(db, [(ids[0], made), (ids[1], made)])
    write_suggestions(db, [(ids[2], made)], keep=[ids[0]])
    assert [suggestion_for(db, each) for each in ids] == [made, None, made]
