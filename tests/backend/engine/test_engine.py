"""The engine answers as transformers' `generate` does, whatever else is computed at the same time."""

import json
import random

import pytest
import torch

from backend.data.templates import Renderer
from backend.engine.answering import Answerer, marks
from backend.engine.constraints import OneOf
from backend.engine.engine import Engine
from backend.engine.requests import Decoding, Request
from backend.engine.sampling import Marks
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from tests.support.model_shapes import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.tiny_models import save_tiny_model

NO_MARKS = Marks(end=(), close=(1, 2), mark=(2,))


def tiny(folder, architecture="qwen2", **others):
    model = load_model(save_tiny_model(folder, architecture=architecture))
    for name, value in others.items():
        setattr(model.config, name, value)
    return model, load_tokenizer(folder)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def bundled():
    adapter = next((BUNDLED_MODEL.parent / "sample_run" / "checkpoints").iterdir())
    model, tokenizer = load_model(BUNDLED_MODEL, adapter), load_tokenizer(BUNDLED_MODEL)
    rows = json.loads((BUNDLED_DATASET / "train.json").read_text(encoding="utf-8"))
    titles = [row["conversations"][0]["value"] for row in rows]
    answerer = Answerer(model, Renderer(tokenizer))
    prompts = [answerer.renderer.prompt([{"role": "user", "content": title}]) for title in titles]
    return answerer, [list(answerer.request(prompt).prompt) for prompt in prompts]


def some_prompts(count, *, longest=40, shared=0, vocabulary=250, seed=1):
    chance = random.Random(seed)
    beginning = [chance.randrange(5, vocabulary) for _ in range(shared)]
    return [
        beginning + [chance.randrange(5, vocabulary) for _ in range(chance.randint(1, longest))]
        for _ in range(count)
    ]


def greedy(prompts, new, **others):
    decoding = Decoding(max_new_tokens=new, thinks=False, **others)
    return [Request(prompt=prompt, decoding=decoding) for prompt in prompts]


def answered(model, tokenizer, requests, *, slots=8, marks=NO_MARKS, **others):
    found = dict(Engine(model, tokenizer, marks, slots=slots, **others).run(requests))
    return [found[index] for index in range(len(requests))]


def by_generate(model, prompts, new, end=()):
    """What transformers' own generate says, one prompt at a time."""
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new,
            do_sample=False,
            repetition_penalty=1.0,
            eos_token_id=list(end) or -1,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()
        place = next((place for place, token in enumerate(out) if token in end), len(out))
        found.append(out[:place])
    return found


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "gemma"])
def test_tokens_are_those_of_generate(tmp_path, architecture):
    model, tokenizer = tiny(tmp_path, architecture)
    prompts = some_prompts(11)
    answers = answered(model, tokenizer, greedy(prompts, 25), slots=4)
    assert [list(answer.ids) for answer in answers] == by_generate(model, prompts, 25)
    assert {answer.finish for answer in answers} == {"length"}


def test_a_sliding_window_is_kept(tmp_path):
    from transformers import AutoModelForCausalLM, MistralConfig

    torch.manual_seed(3)
    config = MistralConfig(
        vocab_size=260, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=12, max_position_embeddings=256,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    prompts = some_prompts(6, shared=9)
    answers = answered(model, load_tokenizer(save_tiny_model(tmp_path)), greedy(prompts, 20), slots=3)
    assert [list(answer.ids) for answer in answers] == by_generate(model, prompts, 20)


@pytest.mark.slow
def test_the_bundled_model_answers_titles_as_generate_does(bundled):
    answerer, prompts = bundled
    end = marks(answerer.renderer).end
    some = prompts[::6]
    answers = answered(
        answerer.model, answerer.tokenizer, greedy(some, 40), slots=32, marks=Marks(end, (1,), (1,))
    )
    ids = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(prompt) for prompt in some], batch_first=True, padding_side="left"
    )
    width = ids.shape[1]
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in some])
    out = answerer.model.generate(
        ids, attention_mask=mask, max_new_tokens=40, do_sample=False, repetition_penalty=1.0,
        eos_token_id=list(end), pad_token_id=0,
    )[:, width:].tolist()  # fmt: skip
    for answer, row in zip(answers, out, strict=True):
        place = next((place for place, token in enumerate(row) if token in end), len(row))
        assert list(answer.ids) == row[:place]
        assert (answer.finish == "stop") == (place < len(row))


def test_an_answer_is_the_same_alone_in_any_order_and_with_other_neighbours(bundled):
    answerer, prompts = bundled
    requests = [
        Request(prompt=prompt, decoding=answerer.decoding(60, temperature=heat, seed=5))
        for heat in (0.0, 0.8)
        for prompt in prompts[:12]
    ]
    own = marks(answerer.renderer)
    together = answered(answerer.model, answerer.tokenizer, requests, slots=9, marks=own)
    order = list(range(len(requests)))
    random.Random(0).shuffle(order)
    shuffled = answered(answerer.model, answerer.tokenizer, [requests[i] for i in order], slots=24, marks=own)
    same = [shuffled[order.index(i)].ids == answer.ids for i, answer in enumerate(together)]
    # A draw may fall between two sums that differ by rounding; the likeliest token is not that near another.
    assert all(same[:12]) and sum(same[12:]) >= 10
    for index in (0, 5, 11):
        (alone,) = answered(answerer.model, answerer.tokenizer, [requests[index]], slots=1, marks=own)
        assert alone == together[index]


def test_a_beginning_that_requests_share_is_computed_once(qwen):
    model, tokenizer = qwen
    prompts = some_prompts(7, shared=30)
    engine = Engine(model, tokenizer, NO_MARKS, slots=4)
    widths = []
    prefill = engine.decoder.prefill
    engine.decoder.prefill = lambda first, rows, start: (
        widths.append((start, sum(map(len, rows)))),
        prefill(first, rows, start),
    )
    answers = dict(engine.run(greedy(prompts, 6)))
    assert [list(answers[i].ids) for i in range(7)] == by_generate(model, prompts, 6)
    assert sum(tokens for _, tokens in widths) == 30 + sum(len(prompt) - 31 for prompt in prompts)


def test_samples_of_one_prompt_differ_by_their_seed_alone(qwen):
    model, tokenizer = qwen
    (prompt,) = some_prompts(1)
    requests = [
        Request(prompt=prompt, decoding=Decoding(max_new_tokens=12, thinks=False, temperature=1.5, seed=seed))
        for seed in (1, 2, 3, 1)
    ]
    first, second, third, again = answered(model, tokenizer, requests)
    assert first.ids == again.ids
    assert len({first.ids, second.ids, third.ids}) == 3


def test_samples_follow_the_distribution(qwen):
    model, tokenizer = qwen
    prompt = some_prompts(1, seed=4)[0]
    with torch.no_grad():
        p = model(torch.tensor([prompt])).logits[0, -1].div(0.5).softmax(-1)

    def drawn(**others):
        decodings = [
            Decoding(max_new_tokens=1, thinks=False, temperature=0.5, seed=seed, **others)
            for seed in range(1500)
        ]
        requests = [Request(prompt=prompt, decoding=decoding) for decoding in decodings]
        return torch.tensor([answer.ids[0] for answer in answered(model, tokenizer, requests, slots=500)])

    counts = torch.bincount(drawn(), minlength=len(p)) / 1500
    assert (counts - p).abs().max() < 0.03
    best = p.sort(descending=True)
    assert set(drawn(top_k=5).tolist()) <= set(best.indices[:5].tolist())
    nucleus = int((best.values.cumsum(0) < 0.3).sum()) + 1
    assert set(drawn(top_p=0.3).tolist()) == set(best.indices[:nucleus].tolist())


def test_recorded_log_probabilities_are_those_of_one_forward(qwen):
    model, tokenizer = qwen
    prompts = some_prompts(5)
    for prompt, answer in zip(
        prompts, answered(model, tokenizer, greedy(prompts, 8, top_logprobs=3)), strict=True
    ):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + list(answer.ids)])).logits[0, len(prompt) - 1 : -1]
        log_p = logits.log_softmax(-1)
        for place, recorded in enumerate(answer.logprobs):
            assert recorded.logprob == pytest.approx(float(log_p[place, recorded.token]), abs=1e-4)
            assert [token for token, _ in recorded.top] == log_p[place].topk(3).indices.tolist()


def test_a_stop_text_ends_the_answer_before_it(bundled):
    answerer, prompts = bundled
    own = marks(answerer.renderer)
    (free,) = answered(
        answerer.model,
        answerer.tokenizer,
        [Request(prompt=prompts[0], decoding=answerer.decoding(60))],
        marks=own,
    )
    stop = free.text[12:15]
    decoding = answerer.decoding(60, stop=(stop, "不在里面"))
    (cut,) = answered(
        answerer.model, answerer.tokenizer, [Request(prompt=prompts[0], decoding=decoding)], marks=own
    )
    assert cut.text == free.text[: free.text.index(stop)] and cut.finish == "stop"


def test_a_cancelled_request_frees_its_row_within_a_step(qwen):
    model, tokenizer = qwen
    engine = Engine(model, tokenizer, NO_MARKS, slots=1)
    pieces = []
    long = engine.submit(greedy([[9, 8]], 500)[0], pieces.append)
    short = engine.submit(greedy([[7, 6]], 2)[0])
    engine.step()
    assert engine.live == [long]
    long.cancelled = True
    ended = engine.step()
    assert long in ended and long.finish == "cancelled" and engine.live == [short]
    assert pieces[-1].finish == "cancelled"
    while engine.has_work:
        engine.step()
    assert short.finish == "length"


def test_whoever_stops_iterating_leaves_nothing_behind(qwen):
    model, tokenizer = qwen
    engine = Engine(model, tokenizer, NO_MARKS, slots=3)
    for _ in engine.run(greedy(some_prompts(9), 5)):
        break
    assert not engine.has_work


def test_the_answer_is_one_of_the_choices(bundled):
    answerer, prompts = bundled
    tokenizer = answerer.tokenizer
    names = ("\n\n体育", "\n\n体育产业", "\n\n国际")
    choices = [tokenizer(name, add_special_tokens=False)["input_ids"] for name in names]
    requests = [
        Request(prompt=prompt, decoding=answerer.decoding(40), constraints=(OneOf(choices),))
        for prompt in prompts[:8]
    ]
    for answer in answered(answerer.model, tokenizer, requests, marks=marks(answerer.renderer)):
        assert answer.finish == "stop"
        assert "</think>" + answer.text.rpartition("</think>")[2] in {"</think>" + name for name in names}


def test_transformers_continuous_batching_agrees(qwen):
    model, tokenizer = qwen
    from transformers import ContinuousBatchingConfig, GenerationConfig

    prompts = some_prompts(6, shared=4)
    config = GenerationConfig(max_new_tokens=7, do_sample=False, eos_token_id=-1, pad_token_id=0)
    before = model.config._attn_implementation
    small = ContinuousBatchingConfig(block_size=16, num_blocks=64, max_batch_tokens=256)
    theirs = model.generate_batch(prompts, generation_config=config, continuous_batching_config=small)
    model.set_attn_implementation(before)
    tokens = sorted(theirs.values(), key=lambda one: int(one.request_id.rpartition("_")[2]))
    ours = answered(model, tokenizer, greedy(prompts, 7))
    assert [list(answer.ids) for answer in ours] == [one.generated_tokens for one in tokens]
