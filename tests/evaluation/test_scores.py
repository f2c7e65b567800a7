"""Scores: the arithmetic, and the numbers that LLaMA-Factory would print."""

import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from studio.contract import UNPARSED, Prediction
from studio.evaluation.baselines import baseline_accuracies
from studio.evaluation.scores import score, text_score
from studio.samples.canonical import write_answer
from tests.support.samples import SCHEME


def prediction(label, predicted, *, text=""):
    return Prediction(
        row=0,
        title="标题",
        label=label,
        label_chain="链",
        answer="chain",
        predicted=predicted,
        chain=None,
        text=text,
    )


LABELS = ["体育", "体育", "体育", "娱乐", "娱乐", "国际", "政治", "国际"]
GUESSES = ["体育", "娱乐", None, "娱乐", "娱乐", "政治", "政治", "国际"]
PREDICTIONS = [prediction(label, guess) for label, guess in zip(LABELS, GUESSES, strict=True)]


def scored():
    return score(PREDICTIONS, SCHEME.names, answer="direct", seconds=2.0)


def test_an_unparsed_answer_is_wrong_and_has_its_own_column():
    scores = scored()
    assert scores.accuracy == 5 / 8
    assert scores.unparsed == 1
    assert scores.confusion.columns[-1] == UNPARSED
    row = scores.confusion.counts[SCHEME.names.index("体育")]
    assert row[-1] == 1 and sum(row) == 3


def test_rates_agree_with_scikit_learn():
    guesses = [guess or UNPARSED for guess in GUESSES]
    present = sorted(set(LABELS))
    precision, recall, f1, support = precision_recall_fscore_support(
        LABELS, guesses, labels=present, zero_division=0
    )
    ours = scored()
    for index, name in enumerate(present):
        entry = ours.per_category[name]
        expected = (precision[index], recall[index], f1[index], support[index])
        assert (entry.precision, entry.recall, entry.f1, entry.support) == pytest.approx(expected)
    macro = f1_score(LABELS, guesses, labels=present, average="macro", zero_division=0)
    assert ours.macro_f1 == pytest.approx(macro)


def test_every_row_is_counted_once():
    confusion = scored().confusion
    assert sum(map(sum, confusion.counts)) == len(PREDICTIONS)
    assert confusion.rows == SCHEME.names


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="no prediction"):
        score([], SCHEME.names, answer="direct", seconds=1)


ARGUED = "标题提到足球比赛，属于体育。"


@pytest.mark.parametrize(
    ("predicted", "label", "expected"),
    [
        ("体育", "体育", (100, 0, 100, 59.4604)),
        ("财经", "体育", (0, 0, 0, 0)),
        ("体育", "体育新闻", (0, 0, 0, 21.8742)),
        ("", "体育", (0, 0, 0, 0)),
        ("今天天气很好", "今天天气不错", (40, 0, 40, 50.8133)),
        (write_answer(ARGUED, "财经"), write_answer(ARGUED, "体育"), (96, 93.3333, 94.1176, 94.023)),
        (" 体育\n", "体育", (100, 0, 100, 31.9472)),
        ("hello world", "hello world", (100, 100, 100, 100)),
    ],
)
def test_rouge_and_bleu_are_those_of_llama_factory(predicted, label, expected):
    found = text_score(predicted, label)
    assert (found["rouge_1"], found["rouge_2"], found["rouge_l"], found["bleu_4"]) == pytest.approx(expected)


def test_baselines_learn_from_the_training_rows_only():
    train = [("球队主场绝杀", "体育"), ("球员加盟球队", "体育"), ("新片上映票房", "娱乐")]
    found = baseline_accuracies(train, [("球队客场获胜", "体育"), ("新片票房破亿", "娱乐")])
    assert found == {"majority": 0.5, "tfidf": 1.0}


def test_without_rows_there_is_no_baseline():
    assert baseline_accuracies([], [("标题", "体育")]) == {}
    assert baseline_accuracies([("标题", "体育")], [("标题", "体育")]) == {"majority": 1.0}
