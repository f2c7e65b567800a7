"""Score predictions: accuracy, F1 and confusion first, ROUGE and BLEU beside them.

Pure functions over predictions; both studio and backend call them. An answer in
which no category can be read counts as wrong and gets a column of its own.
"""

from collections.abc import Sequence
from statistics import fmean

from studio.contract import (
    UNPARSED,
    AnswerMode,
    CategoryScore,
    Confusion,
    EngineUsed,
    Prediction,
    Scores,
)
from studio.samples.canonical import write_answer
from studio.stats import wilson_interval


def score(
    predictions: Sequence[Prediction],
    categories: Sequence[str],
    *,
    answer: AnswerMode,
    seconds: float,
    baselines: dict[str, float] | None = None,
    engine: EngineUsed | None = None,
) -> Scores:
    """Score the predictions of one evaluation.

    Args:
        predictions: one for each evaluated row.
        categories: rows of the confusion matrix, in the scheme's order. Labels
            outside them do not occur: a dataset version holds none.
        answer: how the model answered; only `chain` has text scores.
        seconds: time for answering all rows, model loading not counted.
        baselines: accuracies to print beside, by name.
        engine: what answered.

    Raises:
        ValueError: there is no prediction.
    """
    if not predictions:
        raise ValueError("no prediction to score")
    confusion = confusion_matrix(predictions, categories)
    correct = sum(prediction.predicted == prediction.label for prediction in predictions)
    per_category = category_scores(confusion)
    present = [entry.f1 for entry in per_category.values() if entry.support]
    text = text_scores(predictions) if answer == "chain" else {}
    return Scores(
        answer=answer,
        n=len(predictions),
        accuracy=correct / len(predictions),
        accuracy_interval=wilson_interval(correct, len(predictions)),
        macro_f1=fmean(present),
        per_category=per_category,
        confusion=confusion,
        unparsed=sum(prediction.predicted is None for prediction in predictions),
        forced=sum(prediction.forced for prediction in predictions),
        samples_per_second=len(predictions) / max(seconds, 1e-9),
        baselines=baselines or {},
        engine=engine,
        **text,
    )


def confusion_matrix(predictions: Sequence[Prediction], categories: Sequence[str]) -> Confusion:
    """Count (label, predicted) pairs, with a last column for unparsed answers."""
    columns = (*categories, UNPARSED)
    counts = [[0] * len(columns) for _ in categories]
    row_of = {name: index for index, name in enumerate(categories)}
    for prediction in predictions:
        column = row_of[prediction.predicted] if prediction.predicted is not None else len(categories)
        counts[row_of[prediction.label]][column] += 1
    return Confusion(rows=tuple(categories), columns=columns, counts=tuple(map(tuple, counts)))


def category_scores(confusion: Confusion) -> dict[str, CategoryScore]:
    """Compute precision, recall and F1 of each category; 0 without a prediction or without a row."""
    scores = {}
    for index, name in enumerate(confusion.rows):
        support = sum(confusion.counts[index])
        predicted = sum(row[index] for row in confusion.counts)
        hit = confusion.counts[index][index]
        precision = hit / predicted if predicted else 0.0
        recall = hit / support if support else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hit else 0.0
        scores[name] = CategoryScore(precision=precision, recall=recall, f1=f1, support=support)
    return scores


def text_scores(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Compute ROUGE-1, -2, -L and BLEU-4 of the whole answers, 0 to 100, as LLaMA-Factory does.

    They are here to compare with its numbers. They measure little of the category: a
    wrong answer with a copied chain scores about 95.

    Source: LLaMA-Factory 0.9.5, train/sft/metric.py (jieba words for ROUGE, set
    n-grams; characters and smoothing method 3 for BLEU).
    """
    rows = [text_score(p.text, write_answer(p.label_chain, p.label)) for p in predictions]
    return {key: fmean(row[key] for row in rows) for key in rows[0]}


def text_score(predicted: str, label: str) -> dict[str, float]:
    """Compute ROUGE and BLEU of one answer against its reference, by field name of Scores."""
    import jieba
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    from rouge_chinese import Rouge

    jieba.setLogLevel("WARNING")
    hypothesis, reference = " ".join(jieba.cut(predicted)), " ".join(jieba.cut(label))
    if hypothesis.strip() and reference.strip():
        rouge = Rouge().get_scores(hypothesis, reference)[0]
    else:
        rouge = {key: {"f": 0.0} for key in ("rouge-1", "rouge-2", "rouge-l")}
    bleu = sentence_bleu([list(label)], list(predicted), smoothing_function=SmoothingFunction().method3)
    return {
        **{key.replace("-", "_"): round(float(value["f"]) * 100, 4) for key, value in rouge.items()},
        "bleu_4": round(float(bleu) * 100, 4),
    }
