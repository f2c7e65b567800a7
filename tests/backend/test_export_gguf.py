"""A GGUF file of ours answers in a real llama.cpp as the model does in transformers."""

import json
import shutil
from pathlib import Path

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config

from backend.data.encoding import tokenize
from backend.data.rows import dataset_scheme
from backend.data.templates import THOUGHT, Renderer
from backend.export.gguf import write_gguf
from backend.export.gguf_vocab import PRE_TOKENIZERS
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.errors import InputError, ModelUnusable
from studio.samples.canonical import write_question
from studio.workspace import BUNDLED_DATASET
from tests.support.llama_cpp import llama_server, needs_llama_cpp
from tests.support.merged_model import save_merged

TITLES = [row["conversations"][0]["value"] for row in json.loads((BUNDLED_DATASET / "eval.json").read_text())]
HOSTILE = [
    "A股2026年第3季度：-5.5℃、C#与*ST，涨12%！！",
    "I'll  can't WE'VE\n\n  tabs\tand\r\nlines   ",
    "ｆｕｌｌ－ｗｉｄｔｈ　空格 é é 한국어 हिन्दी 😀👨‍👩‍👧 <think>\n</think>",
    " 前导空格，1234567890 12,345.67",
]  # fmt: skip
REGEX = {name: pattern for (pattern, _), name in PRE_TOKENIZERS.items() if pattern != "gpt2"}


def trained_tokenizer(pre):
    """A byte-level BPE of 700 tokens with the pre-tokenizer that llama.cpp calls `pre`."""
    core = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    core.normalizer = normalizers.NFC() if pre == "qwen2" else None
    core.pre_tokenizer = (
        pre_tokenizers.ByteLevel(add_prefix_space=False)
        if pre == "gpt-2"
        else pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(REGEX[pre]), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator([*TITLES, *HOSTILE], trainer)
    core.add_special_tokens(["<|endoftext|>", "<|im_end|>", "<|im_start|>"])
    core.add_tokens(["<think>", "</think>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|endoftext|>", eos_token="<|endoftext|>", pad_token="<|im_start|>"
    )


def tiny_model(folder, architecture, pre, **changes):
    """A random model with rows in its embedding that no token has."""
    tokenizer = trained_tokenizer(pre)
    torch.manual_seed(1)
    config = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig}[architecture](
        **{
            "vocab_size": len(tokenizer) + 7,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.3,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.eos_token_id,
            **changes,
        }
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder, max_shard_size="200KB")
    tokenizer.save_pretrained(folder)
    return folder


def greedy(model, rows, count, end):
    """What transformers writes after each row of tokens, in float32."""
    longest = max(map(len, rows))
    with torch.inference_mode():
        output = model.generate(
            torch.tensor([[0] * (longest - len(ids)) + ids for ids in rows]),
            attention_mask=torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in rows]),
            do_sample=False,
            repetition_penalty=1.0,
            max_new_tokens=count,
            eos_token_id=end,
            pad_token_id=2,
        )
    return output[:, longest:].tolist()


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    """The bundled model with its recorded adapter merged."""
    return save_merged(tmp_path_factory.mktemp("merged"))


@needs_llama_cpp
def test_the_bundled_model_writes_the_same_20_answers_in_llama_cpp(merged, tmp_path):
    write_gguf(merged, tmp_path / "tuned.gguf", "f16")
    tokenizer = load_tokenizer(merged)
    renderer = Renderer(tokenizer)
    prompt = dataset_scheme(BUNDLED_DATASET).prompt
    titles = [title.removeprefix(prompt) for title in TITLES[:20]]
    texts = [
        renderer.prompt([{"role": "user", "content": write_question(prompt, t)}]) + THOUGHT for t in titles
    ]
    rows = [tokenize(renderer, text) for text in texts]
    model = load_model(merged, dtype=torch.float32).eval()
    expected = [tokenizer.decode(ids, skip_special_tokens=True) for ids in greedy(model, rows, 40, 1)]
    with llama_server(tmp_path / "tuned.gguf") as server:
        assert [server.tokenize(text) for text in texts] == rows
        body = {"max_tokens": 40, "temperature": 0, "repeat_penalty": 1.0}
        answers = [server.post("/v1/completions", {"prompt": ids, **body})["choices"][0] for ids in rows]
    assert [answer["text"] for answer in answers] == expected
    assert {answer["finish_reason"] for answer in answers} == {"stop", "length"}


@needs_llama_cpp
@pytest.mark.parametrize(
    ("architecture", "pre", "changes"),
    [
        ("qwen2", "qwen2", {"tie_word_embeddings": True}),
        ("qwen3", "qwen2", {"head_dim": 32}),
        ("llama", "gpt-2", {"attention_bias": True}),
        ("llama", "dbrx", {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}}),
        (
            "llama",
            "llama-bpe",
            {
                "rope_parameters": {
                    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
                }
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)  # fmt: skip
def test_every_architecture_and_pre_tokenizer_is_the_same_there(tmp_path, architecture, pre, changes):
    folder = tiny_model(tmp_path / "model", architecture, pre, **changes)
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert write_gguf(folder, tmp_path / "exact.gguf", "f32").vocabulary.pre == pre
    tokenizer = load_tokenizer(folder)
    texts = [*HOSTILE, *TITLES[:30]]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    model = load_model(folder, dtype=torch.float32).eval()
    expected = greedy(model, rows[:6], 12, [])
    with llama_server(tmp_path / "exact.gguf", context=2048) as server:
        assert [server.tokenize(text) for text in texts] == rows
        body = {"n_predict": 12, "temperature": 0, "return_tokens": True, "ignore_eos": True}
        found = [server.post("/completion", {"prompt": ids, **body})["tokens"] for ids in rows[:6]]
    assert found == expected


@needs_llama_cpp
@pytest.mark.parametrize("kind", ["bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "q4_k_m"])
def test_a_smaller_type_is_smaller_and_still_names_the_likely_token(merged, tmp_path, kind):
    write_gguf(merged, tmp_path / "small.gguf", kind)
    assert (tmp_path / "small.gguf").stat().st_size < {
        "bf16": 23e6,
        "q8_0": 12.5e6,
        "q5_1": 11.5e6,
        "q5_0": 11e6,
        "q4_1": 10e6,
        "q4_0": 9e6,
        "q4_k_m": 10e6,
    }[kind]
    tokenizer = load_tokenizer(merged)
    renderer = Renderer(tokenizer)
    ids = tokenize(renderer, renderer.prompt([{"role": "user", "content": TITLES[0]}]))
    with llama_server(tmp_path / "small.gguf", context=1024) as server:
        answer = server.post("/v1/completions", {"prompt": ids, "max_tokens": 1, "temperature": 0})
    assert answer["choices"][0]["text"] == "<think>"


@needs_llama_cpp
@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("q6_k", {"Q6_K": 29}),
        ("q5_k_m", {"Q5_K": 24, "Q6_K": 5}),
        ("q4_k_m", {"Q4_K": 24, "Q6_K": 5}),
        ("q4_k_s", {"Q4_K": 24, "Q5_K": 4, "Q6_K": 1}),
        ("q3_k_m", {"Q3_K": 16, "Q4_K": 10, "Q5_K": 2, "Q6_K": 1}),
    ],
)
def test_k_quants_load_on_a_width_of_256_and_keep_the_logits(tmp_path, wide, kind, types):
    folder, prompt, expected = wide
    written = write_gguf(folder, tmp_path / "k.gguf", kind)
    assert not written.fallbacks and {name: n for name, n in written.types.items() if name != "F32"} == types
    with llama_server(tmp_path / "k.gguf", context=512) as server:
        body = {"prompt": prompt, "n_predict": 1, "n_probs": len(expected), "temperature": 0}
        told = server.post("/completion", body)["completion_probabilities"][0]["top_logprobs"]
    found = torch.zeros(len(expected))
    for one in told:
        found[one["id"]] = one["logprob"]
    error = (found - found.mean() - expected).square().mean() / expected.square().mean()
    assert error < {"q6_k": 0.01, "q5_k_m": 0.04, "q4_k_m": 0.12, "q4_k_s": 0.12, "q3_k_m": 0.3}[kind]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A random model whose rows are multiples of 256, a prompt, and the centred logits after it."""
    folder = tiny_model(
        tmp_path_factory.mktemp("wide"), "qwen2", "qwen2",
        hidden_size=256, intermediate_size=512, num_hidden_layers=4, tie_word_embeddings=True,
        initializer_range=0.05,
    )  # fmt: skip
    prompt = [5, 9, 17, 33, 65]
    with torch.inference_mode():
        logits = load_model(folder, dtype=torch.float32).eval()(torch.tensor([prompt])).logits[0, -1]
    return folder, prompt, logits - logits.mean()


def test_a_width_that_no_k_quant_divides_falls_back_and_is_counted(merged, tmp_path):
    written = write_gguf(merged, tmp_path / "small.gguf", "q4_k_m")
    assert written.fallbacks == 43 and written.types == {"Q5_0": 38, "Q8_0": 5, "F32": 31}


def test_an_embedding_row_without_token_and_a_token_without_row_are_both_minded(merged, tmp_path):
    folder = tiny_model(tmp_path / "model", "qwen2", "qwen2")
    padded = write_gguf(folder, tmp_path / "padded.gguf").vocabulary
    assert padded.tokens[-1].startswith("[PAD") and padded.types[-1] == gguf.TokenType.UNUSED
    assert write_gguf(merged, tmp_path / "whole.gguf").vocabulary.left_out == ()
    more = load_tokenizer(merged)
    more.add_tokens(["<|beyond|>"])
    beyond = shutil.copytree(merged, tmp_path / "beyond")
    more.save_pretrained(beyond)
    assert write_gguf(beyond, tmp_path / "tuned.gguf").vocabulary.left_out == ("<|beyond|>",)


def test_the_end_of_an_answer_and_the_template_are_in_the_file(tmp_path):
    folder = tiny_model(tmp_path / "model", "qwen2", "qwen2")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
    generation = json.loads((folder / "generation_config.json").read_text())
    ends = [load_tokenizer(folder).convert_tokens_to_ids(t) for t in ("<|im_end|>", "<|endoftext|>")]
    (folder / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": ends}))
    write_gguf(folder, tmp_path / "m.gguf", sampling={"penalty_repeat": 1.2, "penalty_last_n": 24})
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert fields["tokenizer.ggml.eos_token_id"].contents() == ends[1]
    assert fields["tokenizer.ggml.eot_token_id"].contents() == ends[0]
    assert fields["tokenizer.chat_template"].contents() == "{{ messages[0].content }}"
    assert fields["general.sampling.penalty_last_n"].contents() == 24


def edited(folder, file, change):
    document = json.loads((folder / file).read_text())
    change(document)
    (folder / file).write_text(json.dumps(document))


def no_end(folder: Path) -> None:
    for file in ("config.json", "generation_config.json"):
        edited(folder, file, lambda config: config.update(eos_token_id=None))
    edited(folder, "tokenizer_config.json", lambda config: config.update(eos_token=None))


def no_head(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        kept = {name: value for name, value in load_file(file).items() if name != "lm_head.weight"}
        save_file(kept, file, {"format": "pt"})


SABOTAGED = {
    "another regex": (
        lambda folder: edited(
            folder,
            "tokenizer.json",
            lambda d: d["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex=r"\p{L}+"),
        ),
        r"\p{L}+",
    ),
    "another normalizer": (
        lambda folder: edited(folder, "tokenizer.json", lambda d: d.update(normalizer={"type": "Lowercase"})),
        "Lowercase",
    ),
    "whole words skip the merges": (
        lambda folder: edited(folder, "tokenizer.json", lambda d: d["model"].update(ignore_merges=True)),
        "预分词",
    ),
    "sentencepiece": (
        lambda folder: edited(folder, "tokenizer.json", lambda d: d["model"].update(byte_fallback=True)),
        "BPE",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
    "no end token": (no_end, "结束标记"),
    "no head": (no_head, "output.weight"),
    "another architecture": (
        lambda folder: edited(folder, "config.json", lambda d: d.update(architectures=["GemmaForCausalLM"])),
        "Gemma",
    ),
    "another rotary embedding": (
        lambda folder: edited(
            folder,
            "config.json",
            lambda d: d.update(rope_parameters={"rope_type": "longrope", "factor": 2.0}),
        ),
        "longrope",
    ),
    "a tensor without place": (
        lambda folder: save_file({"model.layers.0.lora": torch.zeros(2, 2)}, folder / "extra.safetensors"),
        "lora",
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("sound"), "qwen2", "qwen2")


@pytest.mark.parametrize("fault", SABOTAGED)
def test_what_would_answer_nonsense_is_refused_and_leaves_no_file(sound, tmp_path, fault):
    folder = shutil.copytree(sound, tmp_path / "model")
    sabotage, named = SABOTAGED[fault]
    sabotage(folder)
    with pytest.raises(ModelUnusable) as refused:
        write_gguf(folder, tmp_path / "out.gguf")
    assert named in refused.value.problem and refused.value.remedy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_weight_beyond_16_bits_is_refused_for_f16_alone(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / "model")
    for file in folder.glob("*.safetensors"):
        weights = load_file(file)
        if "model.norm.weight" not in weights:
            weights[next(name for name, value in weights.items() if value.dim() == 2)][0, 0] = 70000.0
        save_file(weights, file, {"format": "pt"})
    with pytest.raises(InputError, match="16"):
        write_gguf(folder, tmp_path / "out.gguf", "f16")
    write_gguf(folder, tmp_path / "out.gguf", "bf16")
