"""Wrong predictions requeue their titles, and no evaluated title slips into training."""

import pytest

from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.evaluation.feedback import send_predictions_back
from studio.ingest.importer import import_text
from studio.messages import shown
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.titles import next_waiting


@pytest.fixture
def db(tmp_path):
    return open_store(tmp_path / "studio.db")


def prediction(**values):
    known = {"row": 3, "title": "小学运动会，开幕！", "label": "教育", "label_chain": "写“小学”，是教育。"}
    return Prediction(**{**known, "answer": "chain", "predicted": "体育", "chain": "", "text": "", **values})


def send(db, *predictions):
    return send_predictions_back(db, predictions, run_name="run", author="ann", scheme=load_scheme())


def test_an_unknown_title_is_imported_and_waits(db):
    assert send(db, prediction()) == 1
    [title] = next_waiting(db)
    assert (title.proposal, title.chain, title.split) == ("教育", "写“小学”，是教育。", "eval")
    assert shown(title.note) == "run 答为“体育”，数据集是“教育”。"


def test_a_title_is_found_whatever_its_punctuation(db):
    send(db, prediction())
    send(db, prediction(title="小学运动会 开幕"))
    assert len(next_waiting(db, limit=5)) == 1


def test_a_title_that_waits_already_stays_as_it_is(db):
    import_text(db, "小学运动会，开幕！", load_scheme())
    before = find_title(db, "小学运动会，开幕！")
    assert send(db, prediction()) == 1
    assert find_title(db, "小学运动会，开幕！") == before


def test_an_unparsed_answer_is_noted_as_such(db):
    send(db, prediction(predicted=None))
    assert "无法解析" in shown(next_waiting(db)[0].note)
