"""Read a byte-level BPE tokenizer as GGUF's vocabulary, its pre-tokenizer by its regex.

llama.cpp has the pre-tokenizers built in and finds them by name. A tokenizer that it splits text
differently for would load and answer nonsense, so an unknown regex is refused, never guessed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import TokenType

from studio.errors import ModelUnusable
from studio.language import say
from studio.samples.canonical import CLOSE, OPEN

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PRE_TOKENIZERS = {
    (_WORDS + r"\p{N}" + _REST, False): "qwen2",
    (_WORDS + r"\p{N}{1,3}" + _REST, True): "llama-bpe",
    (_WORDS + r"\p{N}{1,3}" + _REST, False): "dbrx",
    ("gpt2", False): "gpt-2",
}
"""llama.cpp's name, by the regex of tokenizer.json and by whether whole words skip the merges."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What a GGUF file says about its tokenizer.

    Args:
        tokens: one for each row of the embedding, in its order.
        types: of each token: normal, control, user defined, or unused.
        eos: the token that ends a text.
        ends: further tokens that end an answer.
    """

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    pre: str
    add_bos: bool
    bos: int | None
    eos: int
    pad: int | None
    ends: tuple[int, ...]
    chat_template: str | None
    left_out: tuple[str, ...]


def read_vocabulary(folder: Path, rows: int) -> Vocabulary:
    """Read the tokenizer of a model folder; `rows` are those of its embedding.

    Added tokens without a row are left out: the model cannot read or write them.

    Raises:
        ModelUnusable: no byte-level BPE, an unknown pre-tokenizer, or no end token.
    """
    document = _json(folder / "tokenizer.json")
    config = _json(folder / "tokenizer_config.json", optional=True)
    model = document["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise _refused(
            say("它的分词器不是字节级 BPE。", "Its tokenizer is no byte-level BPE."),
        )
    ids: dict[str, int] = model["vocab"]
    tokens, types = _tokens(ids, document["added_tokens"], rows)
    special = {token["content"]: token["id"] for token in document["added_tokens"] if token["id"] < rows}
    names = ids | special
    eos, ends = _ends(folder, config, names, rows)
    return Vocabulary(
        tokens=tuple(tokens),
        types=tuple(types),
        merges=tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]),
        pre=_pre_tokenizer(document),
        add_bos=_adds_bos(document, _content(config.get("bos_token"))),
        bos=names.get(_content(config.get("bos_token")) or ""),
        eos=eos,
        pad=names.get(_content(config.get("pad_token")) or ""),
        ends=ends,
        chat_template=_chat_template(folder, config),
        left_out=tuple(t["content"] for t in document["added_tokens"] if t["id"] >= rows),
    )


def _tokens(ids: dict[str, int], added: list[dict[str, Any]], rows: int) -> tuple[list[str], list[int]]:
    if (highest := max(ids.values(), default=-1)) >= rows:
        raise _refused(
            say(
                f"它的分词器有编号 {highest} 的词元，而词嵌入只有 {rows} 行。",
                f"Its tokenizer has a token {highest}, its embedding only {rows} rows.",
            )
        )
    # Rows without a token, such as Qwen2's padding to a multiple of 128.
    tokens = [f"[PAD{row}]" for row in range(rows)]
    types = [int(TokenType.UNUSED)] * rows
    for token, row in ids.items():
        tokens[row], types[row] = token, int(TokenType.NORMAL)
    for one in added:
        if one["id"] < rows:
            # llama.cpp does not write control tokens out; a chain's tags are part of the answer.
            shown = not one["special"] or one["content"] in (OPEN, CLOSE)
            tokens[one["id"]] = one["content"]
            types[one["id"]] = int(TokenType.USER_DEFINED if shown else TokenType.CONTROL)
    return tokens, types


def _pre_tokenizer(document: dict[str, Any]) -> str:
    normalizer = (document.get("normalizer") or {}).get("type", "NFC")
    if normalizer != "NFC":
        raise _refused(
            say(
                f"llama.cpp 没有它的文字规范化（{normalizer}）。",
                f"llama.cpp has no such text normalizer ({normalizer}).",
            )
        )
    step = document.get("pre_tokenizer") or {}
    steps = step.get("pretokenizers", [step])
    kinds = [one.get("type") for one in steps]
    pattern = ""
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("add_prefix_space"):
        pattern = str(steps[0]["pattern"].get("Regex", ""))
    elif kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        pattern = "gpt2"
    name = PRE_TOKENIZERS.get((pattern, bool(document["model"].get("ignore_merges"))))
    if name is None:
        raise _refused(
            say(
                f"llama.cpp 里没有已知与它相同的预分词：{pattern or kinds}",
                f"No pre-tokenizer of llama.cpp is known to be the same as its own: {pattern or kinds}",
            )
        )
    return name


def _adds_bos(document: dict[str, Any], bos: str | None) -> bool:
    processor = document.get("post_processor") or {}
    steps = processor.get("processors", [processor])
    first = [part.get("SpecialToken", {}).get("id") for step in steps for part in step.get("single", [])[:1]]
    return bos is not None and bos in first


def _ends(
    folder: Path, config: dict[str, Any], names: dict[str, int], rows: int
) -> tuple[int, tuple[int, ...]]:
    """Find the token that ends a text, and the others that end an answer, such as `<|im_end|>`."""
    generation = _json(folder / "generation_config.json", optional=True)
    listed = generation.get("eos_token_id") or _json(folder / "config.json").get("eos_token_id") or []
    ends = [token for token in (listed if isinstance(listed, list) else [listed]) if token < rows]
    own = names.get(_content(config.get("eos_token")) or "")
    eos = own if own is not None else next(iter(ends), None)
    if eos is None:
        raise _refused(
            say("它没有结束标记，会一直写下去。", "It has no end token and would write on for ever.")
        )
    return eos, tuple(token for token in ends if token != eos)


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    return template if isinstance(template, str) else None


def _content(token: Any) -> str | None:
    """Return a special token's text: tokenizer_config.json has it bare or in an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _json(file: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not file.is_file():
        return {}
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _refused(say(f"读不懂 {file.name}。", f"{file.name} cannot be read.")) from error
    if not isinstance(document, dict):
        raise _refused(say(f"读不懂 {file.name}。", f"{file.name} cannot be read."))
    return document


def _refused(problem: str) -> ModelUnusable:
    return ModelUnusable(
        say(f"这个模型不能转成 GGUF。{problem}", f"This model cannot be converted to GGUF. {problem}"),
        remedy=say(
            "请导出 safetensors，用 vLLM 或 SGLang 运行它。",
            "Export safetensors instead, and run them with vLLM or SGLang.",
        ),
    )
