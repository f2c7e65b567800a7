"""Token for token: what we train on is what LLaMA-Factory trains on, but where a difference is meant."""

import difflib
import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from backend.data.encoding import encode_all, encode_conversation
from backend.data.rows import read_conversations
from backend.data.templates import Renderer
from studio.contract import TemplateName
from studio.samples.canonical import write_answer
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.conformance_cases import CHAIN, HUMAN, SHAREGPT, turns

TEMPLATES: tuple[TemplateName, ...] = ("default", "chatml", "qwen", "qwen3", "deepseek3", "deepseekr1")
CHAINED, EMPTY = ("gpt", write_answer(CHAIN, "体育")), ("gpt", write_answer("", "体育"))
SYSTEM = ("system", "你是新闻编辑。\n只答类别。")
SAMPLES = {
    "a chain": turns(HUMAN, CHAINED),
    "a chain under a system text": turns(SYSTEM, HUMAN, CHAINED),
    "a chain of several lines": turns(HUMAN, ("gpt", write_answer("一。\n\n二。\n三。", "体育"))),
    "an empty chain": turns(HUMAN, EMPTY),
    "two questions and answers": turns(HUMAN, CHAINED, ("human", "再想想"), CHAINED),
    "a chain in one line": turns(HUMAN, ("gpt", f"<think>{CHAIN}</think>体育")),
    "no think block": turns(HUMAN, ("gpt", "体育")),
}
LEARNED_EMPTY = "LLaMA-Factory puts an empty think block before the answer. We learn the row as it is; what `freeze` writes always has its block."
INTENDED = {(template, "no think block"): LEARNED_EMPTY for template in ("qwen3", "deepseekr1")}
"""Where ours is meant to differ, and why."""


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> dict[str, Path]:
    """Folders of tokenizers by template: the bundled one, with ChatML's tokens where a template needs them."""
    chatml = tmp_path_factory.mktemp("chatml")
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.save_pretrained(chatml)
    is_chatml = {"chatml", "qwen", "qwen3"}
    return {template: chatml if template in is_chatml else BUNDLED_MODEL for template in TEMPLATES}


def ours(folder: Path, dataset: str, tokenizer: PreTrainedTokenizerBase, template: TemplateName):
    """Token ids and labels as `backend.train` makes them from a folder."""
    renderer = Renderer(tokenizer, template)
    samples = [encode_conversation(renderer, messages) for messages in read_conversations(folder, dataset)]
    return [(sample["input_ids"].tolist(), sample["labels"].tolist()) for sample in samples]


def theirs(llamafactory, folder: Path, dataset: str, tokenizer: Path, template: str):
    answer = llamafactory.ask("load", folder=folder, dataset=dataset, tokenizer=tokenizer, template=template)
    return list(zip(answer["input_ids"], answer["labels"], strict=True))


def write_set(folder: Path, rows: list) -> None:
    (folder / "train.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps({"train": {"file_name": "train.json", **SHAREGPT}}))


def difference(tokenizer: PreTrainedTokenizerBase, ours, theirs) -> str:
    """A token a line, learned ones marked, ours and theirs against each other."""
    shown = []
    for ids, labels in (ours, theirs):
        tokens = tokenizer.convert_ids_to_tokens(ids)
        shown.append(
            [
                f"{tokenizer.decode([i])!r} {t} {'learned' if label != -100 else ''}"
                for i, t, label in zip(ids, tokens, labels, strict=True)
            ]
        )
    return "\n".join(line for line in difflib.ndiff(shown[1], shown[0]) if line[0] in "+-")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_sample_has_the_same_tokens_and_the_same_mask(template, tokenizers, llamafactory, tmp_path):
    write_set(tmp_path, list(SAMPLES.values()))
    tokenizer = AutoTokenizer.from_pretrained(tokenizers[template])
    pairs = zip(
        ours(tmp_path, "train", tokenizer, template),
        theirs(llamafactory, tmp_path, "train", tokenizers[template], template),
        strict=True,
    )
    different = {
        name: difference(tokenizer, *pair)
        for name, pair in zip(SAMPLES, pairs, strict=True)
        if pair[0] != pair[1]
    }
    assert set(different) == {name for bound, name in INTENDED if bound == template}, "\n\n".join(
        f"{name}\n{diff}" for name, diff in different.items()
    )


def test_the_document_lists_what_is_meant_to_differ(documented):
    table = [
        (name, *("differs" if (template, name) in INTENDED else "same" for template in TEMPLATES))
        for name in SAMPLES
    ]
    documented.require("training text", ("sample", *TEMPLATES), table)


def test_a_tag_that_is_no_token_is_cut_where_scoring_starts(llamafactory, tmp_path):
    """The one difference in tokens that is meant: the text is the same, the cut behind `</think>` is ours."""
    tokenizer = forget_tags(tmp_path / "plain")
    write_set(tmp_path, [SAMPLES["a chain"]])
    (found,) = ours(tmp_path, "train", tokenizer, "default")
    (wanted,) = theirs(llamafactory, tmp_path, "train", tmp_path / "plain", "default")
    assert tokenizer.decode(found[0]) == tokenizer.decode(wanted[0])
    changes = {tuple(line.split(" ")[:2]) for line in difference(tokenizer, found, wanted).splitlines()}
    assert changes == {("-", repr(">\n\n")), ("+", repr(">")), ("+", repr("\n\n"))}


def test_a_long_row_is_left_out_here_and_loses_its_category_there(llamafactory, tmp_path):
    write_set(tmp_path, [SAMPLES["a chain"], turns(HUMAN, EMPTY)])
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    renderer = Renderer(tokenizer, "deepseekr1")
    encoded = encode_all(renderer, read_conversations(tmp_path, "train"), cutoff_len=64)
    loaded = llamafactory.ask(
        "load",
        folder=tmp_path,
        dataset="train",
        tokenizer=BUNDLED_MODEL,
        template="deepseekr1",
        cutoff_len=64,
    )
    assert (encoded.left_out, len(encoded.samples)) == ([0], 1)
    cut, whole = loaded["input_ids"]
    assert len(cut) == 64 and "体育" not in tokenizer.decode(cut).rpartition("。")[2]
    assert whole == encoded.samples[0]["input_ids"].tolist()


def test_a_template_without_its_tokens_gets_new_ones_there(llamafactory, tmp_path):
    write_set(tmp_path, [SAMPLES["a chain"]])
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED_MODEL)
    (found,) = ours(tmp_path, "train", tokenizer, "qwen")
    (wanted,) = theirs(llamafactory, tmp_path, "train", BUNDLED_MODEL, "qwen")
    assert max(wanted[0]) >= len(tokenizer) > max(found[0])


def forget_tags(folder: Path) -> PreTrainedTokenizerBase:
    """The bundled tokenizer, made to read the tags as Qwen2.5's does: no tokens, and `>` takes line breaks along."""
    AutoTokenizer.from_pretrained(BUNDLED_MODEL).save_pretrained(folder)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    free = [token["id"] for token in content["added_tokens"] if "think" in token["content"]]
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] not in free]
    vocab = {text: i for text, i in content["model"]["vocab"].items() if i not in free}
    content["model"]["vocab"] = vocab | dict(zip((">Ċ", ">ĊĊ"), free, strict=True))
    content["model"]["merges"] += [[">", "Ċ"], [">", "ĊĊ"]]
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_bundled_set_has_the_same_tokens(template, tokenizers, llamafactory):
    tokenizer = AutoTokenizer.from_pretrained(tokenizers[template])
    found = ours(BUNDLED_DATASET, "train", tokenizer, template)
    assert found == theirs(llamafactory, BUNDLED_DATASET, "train", tokenizers[template], template)
