"""The bundled samples are what their README claims, and the base model is what its model card claims."""

import json
import re
from collections import Counter
from itertools import combinations

import pytest
from rapidfuzz import fuzz
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.samples.canonical import read_answer, read_question
from studio.validation.check import check_path
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, BUNDLED_UNDECIDED
from tests.support.samples import SCHEME


def read(split):
    for row in json.loads((BUNDLED_DATASET / f"{split}.json").read_text(encoding="utf-8")):
        human, gpt = (turn["value"] for turn in row["conversations"])
        yield read_question(human, SCHEME.prompt)[0], read_answer(gpt)


ROWS = {split: list(read(split)) for split in ("train", "eval")}
ALL = [*ROWS["train"], *ROWS["eval"]]
NAMES = re.compile("|".join(SCHEME.names))
QUOTED = re.compile("“[^”]*”")


@pytest.mark.parametrize(("split", "per_category"), [("train", 30), ("eval", 10)])
def test_every_category_has_its_share(split, per_category):
    assert Counter(answer.label for _, answer in ROWS[split]) == dict.fromkeys(SCHEME.names, per_category)


def test_our_own_check_finds_no_problem():
    report = check_path(BUNDLED_DATASET, SCHEME)
    assert (report.rows, report.valid, list(report.problems)) == (400, 400, [])


def test_titles_and_chains_have_the_promised_length():
    assert all(8 <= len(title) <= 40 for title, _ in ALL)
    assert all(60 <= len(answer.chain) <= 250 for _, answer in ALL)
    assert all(answer.form == "canonical" for _, answer in ALL)


def test_each_chain_quotes_the_title():
    for title, answer in ALL:
        quotes = [quote[1:-1] for quote in QUOTED.findall(answer.chain)]
        assert quotes and all(quote in title for quote in quotes), title


def test_each_chain_names_its_category_first_and_last():
    for title, answer in ALL:
        named = NAMES.findall(QUOTED.sub("", answer.chain))
        assert named[0] == answer.label and answer.chain.endswith(answer.label + "。"), title


def test_about_a_fifth_of_the_chains_weigh_a_rival():
    rivals = sum(len(set(NAMES.findall(QUOTED.sub("", answer.chain)))) > 1 for _, answer in ALL)
    assert rivals / len(ALL) > 0.2


def test_no_sentence_skeleton_is_shared_by_more_than_a_tenth():
    skeletons = Counter()
    for _, answer in ALL:
        bare = NAMES.sub("◇", QUOTED.sub("□", answer.chain))
        skeletons.update({sentence for sentence in re.split("[。；！？]", bare) if sentence})
    sentence, count = skeletons.most_common(1)[0]
    assert count <= len(ALL) / 10, sentence


def test_no_chain_drifts_into_english():
    assert not [title for title, a in ALL if re.search(r"[A-Za-z]{4,}", QUOTED.sub("", a.chain))]


def test_no_title_is_near_another():
    bare = [re.sub(r"[\W_]", "", title) for title, _ in ALL]
    near = [(a, b) for a, b in combinations(bare, 2) if fuzz.ratio(a, b) >= 85]
    assert near == []


def test_the_base_model_is_small_real_and_loads_as_any_other():
    size = sum(file.stat().st_size for file in BUNDLED_MODEL.iterdir())
    assert size <= 25_000_000
    model = AutoModelForCausalLM.from_pretrained(BUNDLED_MODEL)
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    assert model.config.architectures == ["Qwen2ForCausalLM"]
    assert 9e6 < model.num_parameters() < 12e6
    for token in ("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"):
        assert len(tokenizer(token, add_special_tokens=False)["input_ids"]) == 1
    messages = [{"role": "user", "content": "新闻分类：标题"}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert prompt == f"{tokenizer.bos_token}<｜User｜>新闻分类：标题<｜Assistant｜>"


def test_the_titles_to_label_have_an_answer_of_ours_each_in_a_file_of_its_own():
    titles = (BUNDLED_UNDECIDED / "titles.txt").read_text(encoding="utf-8").splitlines()
    answers = json.loads((BUNDLED_UNDECIDED / "answers.json").read_text(encoding="utf-8"))
    assert [answer["title"] for answer in answers] == titles
    assert Counter(answer["category"] for answer in answers) == dict.fromkeys(SCHEME.names, 5)
    assert all(8 <= len(title) <= 40 for title in titles)
    assert all(answer["category"] in answer["why"] or "归" in answer["why"] for answer in answers)
    bare = [re.sub(r"[\W_]", "", title) for title in [*(title for title, _ in ALL), *titles]]
    assert [(a, b) for a, b in combinations(bare, 2) if fuzz.ratio(a, b) >= 85] == []
