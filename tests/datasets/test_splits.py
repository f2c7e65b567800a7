"""Near copies fall on one side; a list fixes what is evaluated; nothing moves without a word."""

import pytest

from studio.datasets import versions
from studio.datasets.eval_list import read_eval_list
from studio.datasets.freeze_process import FreezeRequest, freeze_apart
from studio.errors import FreezeRefused, InputError, RunFailed, StudioError
from tests.support.samples import SCHEME, new_store, sample, take_in, unlike, write_json


@pytest.fixture
def place(tmp_path):
    return new_store(tmp_path / "home")


def freeze(place, name="news", **more):
    return versions.freeze(*place, name, author="li", scheme=SCHEME, **more)


def side_of(place, version):
    return dict(
        place[0]
        .execute(
            "select titles.text, version_rows.split from version_rows join titles on titles.id = title_id"
            " join versions on versions.id = version_id where name = ? and number = ?",
            [version.name, version.number],
        )
        .fetchall()
    )


def test_near_copies_fall_on_one_side_for_every_seed(place, tmp_path):
    originals = unlike(40)
    take_in(place, originals, tmp_path)
    take_in(place, [f"{title}！快讯" for title in originals], tmp_path, "copies.json")
    for seed in range(5):
        version = freeze(place, f"s{seed}", seed=seed)
        sides = side_of(place, version)
        assert all(sides[title] == sides[f"{title}！快讯"] for title in originals)
        assert version.rows == {"train": 64, "eval": 16}


def test_titles_of_one_pattern_are_no_story(place, tmp_path):
    take_in(place, [f"第{number}条新闻标题" for number in range(100)], tmp_path)
    assert freeze(place).rows == {"train": 80, "eval": 20}


def test_a_list_says_what_is_evaluated(place, tmp_path):
    titles = unlike(30)
    take_in(place, titles, tmp_path)
    version = freeze(place, eval_titles=titles[5:9])
    assert {text for text, side in side_of(place, version).items() if side == "eval"} == set(titles[5:9])


def test_a_near_copy_of_a_listed_title_is_evaluated_with_it_and_said(place, tmp_path):
    titles = unlike(30)
    take_in(place, [*titles, f"{titles[3]}！快讯"], tmp_path)
    version = freeze(place, eval_titles=titles[:5])
    assert side_of(place, version)[f"{titles[3]}！快讯"] == "eval"
    assert version.rows["eval"] == 6
    assert "1 条与评估标题几乎相同" in version.notes[-1]


def test_a_listed_title_that_was_trained_on_is_moved_and_said(place, tmp_path):
    titles = unlike(30)
    take_in(place, titles, tmp_path)
    trained = [text for text, side in side_of(place, freeze(place)).items() if side == "train"]
    version = freeze(place, eval_titles=trained[:2])
    assert side_of(place, version)[trained[0]] == "eval"
    assert "2 条以前训练过" in version.notes[-1]


def test_a_listed_title_that_is_not_there_asks(place, tmp_path):
    titles = unlike(30)
    take_in(place, titles, tmp_path)
    with pytest.raises(FreezeRefused, match="确认") as refused:
        freeze(place, eval_titles=[titles[0], "没有这条"])
    assert refused.value.can_accept and "没有这条" in refused.value.reasons[0]
    assert freeze(place, eval_titles=[titles[0], "没有这条"], accept_warnings=True).rows["eval"] == 1


def test_a_new_copy_of_an_evaluated_title_is_not_trained_on(place, tmp_path):
    take_in(place, unlike(30), tmp_path)
    evaluated = next(text for text, side in side_of(place, freeze(place)).items() if side == "eval")
    take_in(place, [f"{evaluated}！快讯"], tmp_path, "late.json")
    assert side_of(place, freeze(place))[f"{evaluated}！快讯"] == "eval"


def test_splitting_anew_asks_before_it_trains_on_what_was_evaluated(place, tmp_path):
    take_in(place, unlike(60), tmp_path)
    first = freeze(place)
    with pytest.raises(FreezeRefused, match="确认") as refused:
        freeze(place, resplit=True, seed=9)
    assert "不可比" in refused.value.reasons[0]
    again = freeze(place, resplit=True, seed=9, accept_warnings=True)
    assert side_of(place, again) != side_of(place, first)
    assert again.rows == first.rows


def test_near_copies_that_disagree_ask(place, tmp_path):
    titles = unlike(30)
    take_in(place, titles, tmp_path, category="体育")
    take_in(place, [f"{titles[0]}！快讯"], tmp_path, "other.json", category="社会")
    with pytest.raises(FreezeRefused) as refused:
        freeze(place)
    assert "体育" in refused.value.reasons[0] and "社会" in refused.value.reasons[0]
    assert versions.list_versions(*place) == []


def test_titles_that_differ_in_a_number_do_not_disagree(place, tmp_path):
    take_in(place, [*unlike(30), "联赛第3轮战罢积分榜", "联赛第4轮战罢积分榜"], tmp_path)
    assert freeze(place).rows["eval"] > 0


def test_errors_stop_a_freeze_whoever_accepts_what(place, tmp_path):
    take_in(place, unlike(30), tmp_path)
    place[0].execute(
        "insert into decisions (title_id, follows, author, action, status, category, chain)"
        " select id, revision, 'li', 'annotate', 'decided', category, 'a</think>b' from current_titles where id = 1"
    )
    place[0].commit()
    with pytest.raises(FreezeRefused, match="1 个错误") as refused:
        freeze(place, accept_warnings=True)
    assert not refused.value.can_accept and "think_repeated" in refused.value.reasons[0]


@pytest.mark.parametrize("name", ["list.txt", "list.json"])
def test_a_list_is_any_file_of_titles(tmp_path, name):
    path = tmp_path / name
    if name == "list.txt":
        path.write_text("一条标题\n\n另一条标题\n一条标题\n", encoding="utf-8")
    else:
        write_json(path, [sample("一条标题"), sample("另一条标题")])
    assert read_eval_list(path, SCHEME) == ("一条标题", "另一条标题")


def test_a_list_without_a_title_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_eval_list(write_json(tmp_path / "list.json", [{"conversations": []}]), SCHEME)


def test_a_process_of_its_own_freezes_the_same(place, tmp_path):
    take_in(place, unlike(60), tmp_path)
    request = FreezeRequest(name="apart", author="li", eval_titles=tuple(unlike(3)))
    version, notes = freeze_apart(place[1], request)
    assert version.sha256 == freeze(place, eval_titles=unlike(3)).sha256
    assert notes and version.author == "li"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"eval_titles": ("没有这条",), "eval_share": 0.2}, FreezeRefused, "确认"),
        ({"name": "../up"}, StudioError, "名称"),
    ],
)
def test_a_process_of_its_own_says_what_is_wrong(place, tmp_path, changes, error, words):
    take_in(place, unlike(20), tmp_path)
    with pytest.raises(error, match=words):
        freeze_apart(place[1], FreezeRequest(**{"name": "news", "author": "li", **changes}))
    assert versions.list_versions(*place) == []


def test_a_process_that_dies_is_said(place, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RunFailed, match="没有完成"):
        freeze_apart(place[1], FreezeRequest(name="news", author="li"))
