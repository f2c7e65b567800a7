"""Make the bundled base model with the project's own pre-training stage.

    python data/base_model/make.py prepare TEXT_FOLDER RUN1     (CPU, about 1 minute)
    python -m backend.train RUN1                                      (one GPU, about 2 minutes)
    python data/base_model/make.py finish RUN1 PLAIN
    python data/base_model/make.py converse TEXT_FOLDER PLAIN RUN2
    python -m backend.train RUN2                                      (one GPU, under a minute)
    python data/base_model/make.py finish RUN2 data/base_model

TEXT_FOLDER holds titles.txt.gz, prose.txt.gz and statutes.txt.gz. Both stages are
`stage: pt` of the training worker. `prepare` writes a tokenizer, a random model, the
text in training order and spec.json: half of the passes have titles of one topic next
to each other (after Shi et al. 2023, "In-context pretraining"), half are shuffled.
`converse` writes a second, short text that shows the model its special tokens and line
breaks, which plain text does not hold: a title as question, words of it quoted in the
think block, and a title on a like subject as answer. No label is in either text.
docs/experiments.md has the comparisons.
"""

import argparse
import gzip
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import jieba
import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    set_seed,
)

from backend.data.templates import TEMPLATES
from studio.contract import HeldOut, TrainSpec, event
from studio.samples.canonical import write_answer

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
HELD_OUT_TITLES = 3000


def main() -> None:
    """Parse the command line and run the step it names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(required=True)
    prepare_step = steps.add_parser("prepare")
    prepare_step.add_argument("texts", type=Path)
    prepare_step.add_argument("run", type=Path)
    prepare_step.add_argument("--vocabulary", type=int, default=12000)
    prepare_step.add_argument("--hidden", type=int, default=320)
    prepare_step.add_argument("--layers", type=int, default=6)
    prepare_step.add_argument("--heads", type=int, default=5)
    prepare_step.add_argument(
        "--topical-passes", type=int, default=3, help="Passes with like titles side by side."
    )
    prepare_step.add_argument("--random-passes", type=int, default=3, help="Passes over shuffled titles.")
    prepare_step.add_argument("--prose-share", type=float, default=1.0)
    prepare_step.add_argument("--statutes-share", type=float, default=0.05)
    prepare_step.add_argument("--steps", type=int, default=900)
    prepare_step.add_argument("--weight-decay", type=float, default=0.5)
    prepare_step.add_argument("--learning-rate", type=float, default=2e-3)
    prepare_step.add_argument("--seed", type=int, default=20261124)
    prepare_step.set_defaults(do=prepare)
    converse_step = steps.add_parser("converse")
    converse_step.add_argument("texts", type=Path)
    converse_step.add_argument("model", type=Path)
    converse_step.add_argument("run", type=Path)
    converse_step.add_argument("--steps", type=int, default=250)
    converse_step.add_argument("--learning-rate", type=float, default=1e-3)
    converse_step.add_argument("--seed", type=int, default=20261124)
    converse_step.set_defaults(do=converse)
    finish_step = steps.add_parser("finish")
    finish_step.add_argument("run", type=Path)
    finish_step.add_argument("model", type=Path)
    finish_step.set_defaults(do=finish)
    options = parser.parse_args()
    options.do(options)


def prepare(options: argparse.Namespace) -> None:
    """Write the tokenizer, a randomly initialized model, the text in training order and the spec."""
    draw = random.Random(options.seed)
    held_out, titles = split_titles(options, draw)
    prose = share(read_lines(options.texts / "prose.txt.gz"), options.prose_share, draw)
    statutes = share(read_lines(options.texts / "statutes.txt.gz"), options.statutes_share, draw)

    start, text = options.run / "start", options.run / "text"
    text.mkdir(parents=True, exist_ok=True)
    # Blank lines as well: answers hold them, and an empty think chain must be a token of its own.
    tokenizer = train_tokenizer(
        [*titles, *titles, *prose[::2], *statutes[::4], *["\n\n"] * 5000], options.vocabulary
    )
    tokenizer.save_pretrained(start)
    save_random_model(start, tokenizer, options)

    passes = [shuffled(titles, draw) for _ in range(options.random_passes)]
    passes += topical_orders(titles, options.topical_passes, options.seed)
    lines = [line for order in passes for line in order]
    # Prose in blocks of 40 lines: it keeps its own context and is spread over the training.
    blocks = [prose[i : i + 40] for i in range(0, len(prose), 40)]
    blocks += [statutes[i : i + 40] for i in range(0, len(statutes), 40)]
    draw.shuffle(blocks)
    lines += [line for block in blocks for line in block]
    (text / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (text / "eval.txt").write_text("\n".join(held_out) + "\n", encoding="utf-8")
    write_info(text, train="train.txt")
    write_spec(options, start, weight_decay=options.weight_decay, eval_steps=100)


def write_spec(options: argparse.Namespace, model: Path, *, weight_decay: float, eval_steps: int) -> None:
    """Write spec.json of a pre-training run that starts from `model`, a checkpoint at each evaluation."""
    spec = TrainSpec(
        stage="pt",
        finetuning_type="full",
        model_name_or_path=model.resolve(),
        dataset_dir=(options.run / "text").resolve(),
        cutoff_len=1024,
        learning_rate=options.learning_rate,
        max_steps=options.steps,
        per_device_train_batch_size=64,
        warmup_ratio=0.05,
        weight_decay=weight_decay,
        eval_steps=eval_steps,
        save_steps=eval_steps,
        logging_steps=20,
        evaluate_after=(),
        seed=options.seed,
    )
    (options.run / "spec.json").write_text(spec.model_dump_json(indent=2), encoding="utf-8")


def converse(options: argparse.Namespace) -> None:
    """Write conversations, prose with its line breaks and titles, and a spec that starts from `model`."""
    draw = random.Random(options.seed)
    held_out, titles = split_titles(options, draw)
    prose = read_lines(options.texts / "prose.txt.gz")
    documents = [
        conversation(title, like, draw) for _ in range(2) for title, like in like_pairs(titles, draw)
    ]
    documents += [
        draw.choice(["\n", "\n\n"]).join(prose[start : start + 8]) for start in range(0, len(prose), 8)
    ]
    documents += ["\n".join(draw.sample(titles, 20)) for _ in range(2000)]
    draw.shuffle(documents)
    text = options.run / "text"
    text.mkdir(parents=True, exist_ok=True)
    with gzip.open(text / "train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": document}, ensure_ascii=False) + "\n" for document in documents)
    (text / "eval.txt").write_text("\n".join(held_out) + "\n", encoding="utf-8")
    write_info(text, train="train.jsonl.gz")
    write_spec(options, options.model, weight_decay=0.5, eval_steps=50)


def conversation(title: str, like: str, draw: random.Random) -> str:
    """Render a sample: a title as question, words of it quoted as chain (or none), a like title as answer."""
    question = draw.choice(["新闻标题：", "看这条新闻：", "新闻：", "找一条相近的新闻："]) + title
    words = [word for word in jieba.cut(title) if len(word) > 1 and word.strip()]
    chosen = [
        word for word in words if word in draw.sample(words, min(len(words), draw.choice([1, 2, 2, 3])))
    ]
    quoted = draw.choice(["", "和", "、", "，还有"]).join(f"“{word}”" for word in chosen)
    thought = draw.choice(
        [
            f"标题里有{quoted}，",
            f"{quoted}是关键，",
            f"先看{quoted}，",
            f"说的是{quoted}。",
            f"由{quoted}可以想到，",
        ]
    )
    chain = thought + draw.choice(["相近的有", "让人想到", "同一个话题还有", "类似的是"]) + like + "。"
    if not chosen or draw.random() < 0.4:
        chain = ""
    answer = write_answer(chain, like)
    return TEMPLATES["deepseekr1"].prompt([{"role": "user", "content": question}], bos=BOS, eos=EOS) + answer


def like_pairs(titles: list[str], draw: random.Random) -> Iterator[tuple[str, str]]:
    """Pair each title with one of its three nearest neighbours within its cluster."""
    topics = title_topics(titles, draw.randrange(2**31))
    cluster_of = cluster(topics, 400, draw.randrange(2**31))
    for number in range(400):
        members = np.flatnonzero(cluster_of == number)
        if len(members) < 2:
            continue
        likeness = topics[members] @ topics[members].T
        np.fill_diagonal(likeness, -1)
        nearest = np.argsort(-likeness, axis=1)[:, : min(3, len(members) - 1)]
        for row, member in enumerate(members):
            yield titles[member], titles[members[draw.choice(nearest[row].tolist())]]


def finish(options: argparse.Namespace) -> None:
    """Store the checkpoint with the lowest held-out loss in bfloat16, with its tokenizer and template."""
    import torch

    lines = (options.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = [e for e in map(event.validate_json, lines) if isinstance(e, HeldOut)]
    best = min(held_out, key=lambda point: point.loss)
    print(f"step {best.step}, held-out loss {best.loss:.3f} nats per token")
    checkpoint = options.run / "checkpoints" / f"step_{best.step:06d}"
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.bfloat16, use_safetensors=True)
    model.config.use_cache = True  # training switched it off
    model.generation_config.use_cache = True
    # A model this small repeats itself for ever under greedy decoding.
    model.generation_config.repetition_penalty = 1.2
    options.model.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(options.model)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (checkpoint / name).is_file():
            shutil.copy(checkpoint / name, options.model / name)


def train_tokenizer(lines: list[str], size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with single digits and DeepSeek-R1's special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\r\n]+"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2,
        special_tokens=[BOS, EOS, PAD, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    # As in DeepSeek-R1: the think tags are single tokens, but not special ones, so decoding keeps them.
    tokenizer.add_tokens(["<think>", "</think>"])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        # Loading as Qwen2's would else add a token of its own, for which the model has no row.
        unk_token=PAD,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATES["deepseekr1"].to_jinja()
    return wrapped


def save_random_model(folder: Path, tokenizer: PreTrainedTokenizerFast, options: argparse.Namespace) -> None:
    """Save a randomly initialized model of Qwen2 architecture."""
    set_seed(options.seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        intermediate_size=int(options.hidden * 8 / 3) // 64 * 64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForCausalLM(config)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    model.save_pretrained(folder)


def topical_orders(titles: list[str], passes: int, seed: int) -> Iterator[list[str]]:
    """Yield an order of the titles for each pass, like titles side by side; each pass has other clusters."""
    if not passes:
        return
    topics = title_topics(titles, seed)
    for number in range(passes):
        draw = np.random.default_rng(seed + number)
        count = (400, 800, 1600)[number % 3]
        position = draw.permutation(count)
        cluster_of = cluster(topics, count, seed + number)
        yield [titles[i] for i in np.lexsort((draw.random(len(titles)), position[cluster_of]))]


def title_topics(titles: list[str], seed: int) -> np.ndarray:
    """Embed each title as a unit vector of 128 latent topics (SVD of TF-IDF over characters and bigrams)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=3, max_df=0.05, sublinear_tf=True)
    topics: np.ndarray = normalize(
        TruncatedSVD(128, random_state=seed).fit_transform(grams.fit_transform(titles))
    )
    return topics


def cluster(topics: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Assign each topic vector to one of `count` clusters (k-means)."""
    from sklearn.cluster import MiniBatchKMeans

    clusters = MiniBatchKMeans(count, batch_size=4096, n_init=1, max_iter=30, random_state=seed)
    members: np.ndarray = clusters.fit_predict(topics)
    return members


def split_titles(options: argparse.Namespace, draw: random.Random) -> tuple[list[str], list[str]]:
    """Split titles into held-out and training ones; the same split in every step for a seed."""
    titles = sorted(set(read_lines(options.texts / "titles.txt.gz")))
    draw.shuffle(titles)
    return titles[:HELD_OUT_TITLES], titles[HELD_OUT_TITLES:]


def shuffled(lines: list[str], draw: random.Random) -> list[str]:
    """Return a shuffled copy."""
    return draw.sample(lines, len(lines))


def share(lines: list[str], part: float, draw: random.Random) -> list[str]:
    """Sample a contiguous share (`part`, 0 to 1) of the lines, from a random offset."""
    count = int(len(lines) * part)
    start = draw.randrange(len(lines) - count + 1)
    return lines[start : start + count]


def read_lines(file: Path) -> list[str]:
    """Read the stripped, non-empty lines of a gzip text file."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [line.strip() for line in lines if line.strip()]


def write_info(folder: Path, *, train: str) -> None:
    """Write dataset_info.json for the training file and eval.txt."""
    files = {"train": train, "eval": "eval.txt"}
    info = {name: {"file_name": file, "columns": {"prompt": "text"}} for name, file in files.items()}
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
