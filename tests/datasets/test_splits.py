"""Near copies fall on one side; a list fixes what is evaluated; whatever moves is reported."""

import pytest

from studio.datasets import versions
from studio.datasets.eval_list import read_eval_list
from studio.datasets.freeze_process import FreezeRequest, freeze_apart
from studio.errors import FreezeRefused, InputError, RunFailed, StudioError
from tests.support.samples import SCHEME, import_titles, new_store, sample, unlike, write_json


@pytest.fixture
def opened(tmp_path):
    return new_store(tmp_path / "home")


def freeze(opened, name="news", **more):
    return versions.freeze(*opened, name, author="li", scheme=SCHEME, **more)


def side_of(opened, version):
    return dict(
        opened[0]
        .execute(
            "select titles.text, version_rows.split from version_rows join titles on titles.id = title_id"
            " join versions on versions.id = version_id where name = ? and number = ?",
            [version.name, version.number],
        )
        .fetchall()
    )


def test_near_copies_fall_on_one_side_for_every_seed(opened, tmp_path):
    originals = unlike(40)
    import_titles(opened, originals, tmp_path)
    import_titles(opened, [f"{title}！快讯" for title in originals], tmp_path, "copies.json")
    for seed in range(5):
        version = freeze(opened, f"s{seed}", seed=seed)
        sides = side_of(opened, version)
        assert all(sides[title] == sides[f"{title}！快讯"] for title in originals)
        assert version.rows == {"train": 64, "eval": 16}


def test_titles_of_one_pattern_are_no_near_duplicates(opened, tmp_path):
    import_titles(opened, [f"第{number}条新闻标题" for number in range(100)], tmp_path)
    assert freeze(opened).rows == {"train": 80, "eval": 20}


def test_a_list_says_what_is_evaluated(opened, tmp_path):
    titles = unlike(30)
    import_titles(opened, titles, tmp_path)
    version = freeze(opened, eval_titles=titles[5:9])
    assert {text for text, side in side_of(opened, version).items() if side == "eval"} == set(titles[5:9])


def test_a_near_copy_of_a_listed_title_is_evaluated_with_it_and_noted(opened, tmp_path):
    titles = unlike(30)
    import_titles(opened, [*titles, f"{titles[3]}！快讯"], tmp_path)
    version = freeze(opened, eval_titles=titles[:5])
    assert side_of(opened, version)[f"{titles[3]}！快讯"] == "eval"
    assert version.rows["eval"] == 6
    assert "1 条与评估标题几乎相同" in version.notes[-1]


def test_a_listed_title_that_was_trained_on_is_moved_and_noted(opened, tmp_path):
    titles = unlike(30)
    import_titles(opened, titles, tmp_path)
    trained = [text for text, side in side_of(opened, freeze(opened)).items() if side == "train"]
    version = freeze(opened, eval_titles=trained[:2])
    assert side_of(opened, version)[trained[0]] == "eval"
    assert "2 条以前训练过" in version.notes[-1]


def test_a_listed_title_that_is_not_there_asks(opened, tmp_path):
    titles = unlike(30)
    import_titles(opened, titles, tmp_path)
    with pytest.raises(FreezeRefused, match="确认") as refused:
        freeze(opened, eval_titles=[titles[0], "没有这条"])
    assert refused.value.can_accept and "没有这条" in refused.value.reasons[0]
    assert freeze(opened, eval_titles=[titles[0], "没有这条"], accept_warnings=True).rows["eval"] == 1


def test_a_new_copy_of_an_evaluated_title_is_not_trained_on(opened, tmp_path):
    import_titles(opened, unlike(30), tmp_path)
    evaluated = next(text for text, side in side_of(opened, freeze(opened)).items() if side == "eval")
    import_titles(opened, [f"{evaluated}！快讯"], tmp_path, "late.json")
    assert side_of(opened, freeze(opened))[f"{evaluated}！快讯"] == "eval"


def test_splitting_anew_asks_before_it_trains_on_what_was_evaluated(opened, tmp_path):
    import_titles(opened, unlike(60), tmp_path)
    first = freeze(opened)
    with pytest.raises(FreezeRefused, match="确认") as refused:
        freeze(opened, resplit=True, seed=9)
    assert "不可比" in refused.value.reasons[0]
    again = freeze(opened, resplit=True, seed=9, accept_warnings=True)
    assert side_of(opened, again) != side_of(opened, first)
    assert again.rows == first.rows


def test_near_copies_that_disagree_ask(opened, tmp_path):
    titles = unlike(30)
    import_titles(opened, titles, tmp_path, category="体育")
    import_titles(opened, [f"{titles[0]}！快讯"], tmp_path, "other.json", category="社会")
    with pytest.raises(FreezeRefused) as refused:
        freeze(opened)
    assert "体育" in refused.value.reasons[0] and "社会" in refused.value.reasons[0]
    assert versions.list_versions(*opened) == []


def test_titles_that_differ_in_a_number_do_not_disagree(opened, tmp_path):
    import_titles(opened, [*unlike(30), "联赛第3轮战罢积分榜", "联赛第4轮战罢积分榜"], tmp_path)
    assert freeze(opened).rows["eval"] > 0


def test_errors_stop_a_freeze_even_with_accepted_warnings(opened, tmp_path):
    import_titles(opened, unlike(30), tmp_path)
    opened[0].execute(
        "insert into decisions (title_id, follows, author, action, status, category, chain)"
        " select id, revision, 'li', 'annotate', 'decided', category, 'a</think>b'"
        " from current_titles where id = 1"
    )
    opened[0].commit()
    with pytest.raises(FreezeRefused, match="1 个错误") as refused:
        freeze(opened, accept_warnings=True)
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


def test_a_subprocess_freezes_the_same(opened, tmp_path):
    import_titles(opened, unlike(60), tmp_path)
    request = FreezeRequest(name="apart", author="li", eval_titles=tuple(unlike(3)))
    version, notes = freeze_apart(opened[1], request)
    assert version.sha256 == freeze(opened, eval_titles=unlike(3)).sha256
    assert notes and version.author == "li"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"eval_titles": ("没有这条",), "eval_share": 0.2}, FreezeRefused, "确认"),
        ({"name": "../up"}, StudioError, "名称"),
    ],
)
def test_a_subprocess_reports_what_is_wrong(opened, tmp_path, changes, error, words):
    import_titles(opened, unlike(20), tmp_path)
    with pytest.raises(error, match=words):
        freeze_apart(opened[1], FreezeRequest(**{"name": "news", "author": "li", **changes}))
    assert versions.list_versions(*opened) == []


def test_a_subprocess_that_dies_is_reported(opened, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RunFailed, match="没有完成"):
        freeze_apart(opened[1], FreezeRequest(name="news", author="li"))
