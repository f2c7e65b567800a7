"""Answers: the scored probabilities are the model's own, and generation ends where it should."""

import pytest
import torch

from backend.data.encoding import tokenize
from backend.data.templates import THOUGHT, Renderer
from backend.engine.answering import Answerer
from backend.engine.requests import Decoding
from backend.engine.rows import REPEAT_WINDOW, RowState, Start
from backend.engine.sampling import Marks, TokenChooser
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.samples.canonical import write_answer
from tests.support.tiny_models import save_tiny_model

CATEGORIES = ("体育", "娱乐", "国际新闻")
TITLES = ["短", "一个长得多的标题，为了让左边的填充有事可做", "中等长度"]


@pytest.fixture(scope="module", params=["deepseek", "chatml"])
def answerer(request, tmp_path_factory):
    folder = save_tiny_model(tmp_path_factory.mktemp("model"), family=request.param)
    return Answerer(load_model(folder), Renderer(load_tokenizer(folder)))


def log_probability(answerer, prompt, category):
    """Of the whole answer given the prompt, the slow and obvious way."""
    prefix = tokenize(answerer.renderer, prompt)
    answer = tokenize(answerer.renderer, answerer.renderer.answer(write_answer("", category), prompt))
    with torch.no_grad():
        logits = answerer.model(torch.tensor([prefix + answer])).logits[0].log_softmax(-1)
    return sum(logits[len(prefix) + i - 1, token].item() for i, token in enumerate(answer))


def test_scores_are_those_of_one_title_at_a_time(answerer):
    prompts = answerer.render_prompts(TITLES, "新闻分类：")
    scored = answerer.score(prompts, CATEGORIES)
    for prompt, row in zip(prompts, scored, strict=True):
        slow = torch.tensor([log_probability(answerer, prompt, c) for c in CATEGORIES]).softmax(-1)
        assert list(row.values()) == pytest.approx(slow.tolist(), abs=1e-4)


def test_written_answers_do_not_depend_on_the_batch(answerer):
    prompts = answerer.render_prompts(TITLES, "新闻分类：")
    together = answerer.generate(prompts, max_new_tokens=12)
    alone = [answerer.generate([prompt], max_new_tokens=12)[0] for prompt in prompts]
    assert [w.text for w in together] == [w.text for w in alone]


def test_an_answer_begins_with_the_thought_and_knows_whether_it_ended(answerer):
    (written,) = answerer.generate(answerer.render_prompts(["题"], "新闻分类："), max_new_tokens=5)
    assert written.text.startswith(THOUGHT)
    assert written.tokens <= 5


def test_a_stop_ends_the_generation(answerer):
    (written,) = answerer.generate(
        answerer.render_prompts(["题"], "新闻分类："), max_new_tokens=50, stop=lambda: True
    )
    assert written.tokens == 0 and not written.finished


def test_a_stream_says_what_writing_says(answerer):
    messages = [{"role": "user", "content": "新闻分类：题"}]
    pieces = []
    request = answerer.request(answerer.renderer.prompt(messages), answerer.decoding(20))
    job = answerer.engine.submit(request, lambda piece: pieces.append(piece.text))
    while job.finish is None:
        answerer.engine.step()
    (written,) = answerer.generate(answerer.render_prompts(["题"], "新闻分类："), max_new_tokens=20)
    assert THOUGHT + "".join(pieces) == written.text


def penalized(said, *, closed, penalty=2.0):
    """Which of ten tokens with a score of 1 are penalized after `said`."""
    state = RowState(1, torch.device("cpu"))
    decoding = Decoding(max_new_tokens=100, repetition_penalty=penalty)
    state.load(0, [Start(token=0, length=1, decoding=decoding, closes_at=90)])
    rows = state.view(1)
    for place, token in enumerate(reversed(said[-REPEAT_WINDOW:])):
        rows.recent[0, -1 - place] = token
    rows.step.fill_(len(said))
    rows.inside.fill_(not closed)
    chooser = TokenChooser(Marks(end=(9,), close=(8,), mark=(8,)), torch.device("cpu"))
    chooser.last_place = 99
    scores = torch.ones(1, 10)
    chooser._penalize(scores, rows)
    return [token for token, score in enumerate(scores[0].tolist()) if score != 1]


def test_a_repeat_is_penalized_inside_the_thought():
    assert penalized([3, 4], closed=False) == [3, 4]
    assert penalized([], closed=False) == []


def test_the_category_behind_the_thought_is_not_penalized():
    assert penalized([1, 2, 3, 4], closed=True) == []


def test_a_word_said_long_ago_may_come_again():
    assert penalized([3, *[4] * REPEAT_WINDOW], closed=False) == [4]
