"""A sealed set is drawn once, from whole stories that no version used, and no version ever holds its titles."""

import json
import sqlite3

import pytest

from studio.datasets import versions
from studio.datasets.freeze_process import FreezeRequest, freeze_apart
from studio.datasets.sealed_sets import find_sealed_set, list_sealed_sets, open_content
from studio.errors import InputError, StudioError, UnreadableFile
from tests.support.samples import SCHEME, import_titles, new_store, unlike


@pytest.fixture
def opened(tmp_path):
    return new_store(tmp_path / "home")


def freeze(opened, name="news", **more):
    return versions.freeze(*opened, name, author="li", scheme=SCHEME, **more)


def sealed_texts(opened, ref="news"):
    db, _ = opened
    rows = json.loads(open_content(db, find_sealed_set(db, ref))["eval.json"])
    return {row["conversations"][0]["value"].removeprefix("新闻分类：") for row in rows}


def frozen_texts(version):
    rows = [row for split in ("train", "eval") for row in json.loads(version.files[f"{split}.json"])]
    return {row["conversations"][0]["value"].removeprefix("新闻分类：") for row in rows}


def test_stories_are_never_split_between_train_eval_and_sealed(opened, tmp_path):
    originals = unlike(60)
    import_titles(opened, originals, tmp_path)
    import_titles(opened, [f"{title}！快讯" for title in originals], tmp_path, "copies.json")
    for seed in range(3):
        version = freeze(opened, f"s{seed}", seed=seed, sealed_share=0.1, resplit=True)
        sealed = sealed_texts(opened, f"s{seed}")
        assert version.sealed is not None and version.sealed.rows == len(sealed) > 0
        for title in originals:
            assert (title in sealed) == (f"{title}！快讯" in sealed)
        assert not sealed & frozen_texts(version)
    every = [sealed_texts(opened, f"s{seed}") for seed in range(3)]
    assert not every[0] & every[1] and not every[1] & every[2]
    assert not set().union(*every) & frozen_texts(version)


def test_what_is_sealed_stays_out_of_later_versions_with_its_new_copies(opened, tmp_path):
    import_titles(opened, unlike(60), tmp_path)
    first = freeze(opened, sealed_share=0.2)
    sealed = sealed_texts(opened)
    assert len(sealed) == 12 and len(frozen_texts(first)) == 48
    assert any("封存" in note for note in first.notes)
    copy = f"{min(sealed)}！快讯"
    import_titles(opened, [copy], tmp_path, "copy.json")
    for name, more in (("news", {}), ("news", {"resplit": True, "accept_warnings": True}), ("other", {})):
        later = freeze(opened, name, **more)
        assert not (sealed | {copy}) & frozen_texts(later)
        assert any("13 条标题没有收进来" in note for note in later.notes)
    described = json.loads((later.folder / "version.json").read_text())
    assert described["held_back"] == 13 and described["sealed"] is None
    shown = (first.folder / "version.json").read_text() + later.files["eval.json"].decode()
    assert not any(title in shown for title in sealed)


def test_a_title_that_a_version_used_is_not_fresh_enough_to_be_sealed(opened, tmp_path):
    import_titles(opened, unlike(60), tmp_path)
    freeze(opened)
    with pytest.raises(InputError, match="没有可以封存"):
        freeze(opened, sealed_share=0.1)
    with pytest.raises(InputError, match="没有可以封存"):
        freeze(opened, "other", sealed_share=0.1)
    assert list_sealed_sets(opened[0]) == [] and len(versions.list_versions(*opened)) == 1
    import_titles(opened, unlike(80)[60:], tmp_path, "new.json")
    assert freeze(opened, sealed_share=0.1).sealed.rows == 8
    assert sealed_texts(opened) <= set(unlike(80)[60:])


def test_a_further_set_is_numbered_and_leaves_the_first_sealed(opened, tmp_path):
    import_titles(opened, unlike(60), tmp_path)
    freeze(opened, sealed_share=0.1)
    import_titles(opened, unlike(90)[60:], tmp_path, "new.json")
    second = freeze(opened, sealed_share=0.1)
    assert [each.ref for each in list_sealed_sets(opened[0])] == ["news#2", "news#1"]
    assert not (sealed_texts(opened, "news#1") | sealed_texts(opened, "news#2")) & frozen_texts(second)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_an_unusable_share_is_refused(opened, tmp_path, share):
    import_titles(opened, unlike(20), tmp_path)
    with pytest.raises(InputError, match="封存比例"):
        freeze(opened, sealed_share=share)


def test_a_refused_freeze_seals_nothing(opened, tmp_path):
    import_titles(opened, unlike(30), tmp_path)
    with pytest.raises(StudioError):
        freeze(opened, sealed_share=0.9, eval_titles=["没有这条标题"])
    assert list_sealed_sets(opened[0]) == []


def test_sealed_sets_cannot_be_changed_and_damage_is_said(opened, tmp_path):
    import_titles(opened, unlike(30), tmp_path)
    freeze_apart(opened[1], FreezeRequest(name="news", author="li", sealed_share=0.2))
    db = opened[0]
    for statement in ("update sealed_sets set rows = 1", "delete from sealed_titles"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.execute("drop trigger sealed_sets_no_update")
    db.execute("update sealed_sets set content = x'00'")
    with pytest.raises(UnreadableFile, match="已损坏"):
        sealed_texts(opened)
    with pytest.raises(InputError, match="没有封存"):
        find_sealed_set(db, "nothing")
