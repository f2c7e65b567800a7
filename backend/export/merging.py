"""Merge an adapter into its base, and save the whole so that it answers elsewhere as it was trained.

What a model needs to answer elsewhere lies beside its weights: the trained chat template, which opens
the thought; every token that ends an answer; its decoding settings; a tokenizer without tokens that the
model does not have.
"""

import json
import logging
import shutil
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
)

from backend.data.templates import THOUGHT, Renderer
from backend.export.weights import MergedWeights, write_safetensors
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from backend.modeling.trust import is_allowed
from studio.contract import TemplateName

log = logging.getLogger(__name__)

_OPENS_THOUGHT = '{%- if add_generation_prompt %}{{- "<think>\\n" }}{%- endif %}'
_ASKED = [{"role": "user", "content": "?"}]


def load_merged(
    model: Path, adapter: Path | None, template: TemplateName, dtype: torch.dtype
) -> tuple[PreTrainedModel, Renderer]:
    """Load a model with its adapter merged, and its renderer.

    Raises:
        ModelUnusable: a folder that cannot be loaded, or an adapter of another base.
    """
    tokenizer = load_tokenizer(adapter or model, model)
    return load_model(model, adapter, dtype=dtype), Renderer(tokenizer, template)


def generation_config(model: Path) -> GenerationConfig:
    """Read the decoding settings of a model; where it has none, those that its config implies."""
    if (model / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(model, local_files_only=True)
    return GenerationConfig.from_model_config(_config(model))


def trained_generation(model: Path, renderer: Renderer) -> GenerationConfig:
    """Return a model's decoding settings with the end tokens of the trained template."""
    generation = generation_config(model)
    vocabulary = renderer.tokenizer.get_vocab()
    # In the renderer's order: the first is what llama.cpp takes for the end of a text.
    generation.eos_token_id = [vocabulary[token] for token in renderer.end_tokens if token in vocabulary]
    return generation


def save_merged(
    weights: MergedWeights, model: Path, renderer: Renderer, target: Path, dtype: torch.dtype, *,
    max_shard_gb: float,
) -> None:  # fmt: skip
    """Save merged weights of a model with all that they need to answer elsewhere; see the module."""
    target.mkdir(parents=True, exist_ok=True)
    save_settings(weights, model, renderer, target, dtype)
    write_safetensors(weights, target, dtype, max_shard_gb=max_shard_gb)


def save_settings(
    weights: MergedWeights, model: Path, renderer: Renderer, target: Path, dtype: torch.dtype
) -> None:
    """Save config, decoding settings, tokenizer and the trained template: all but the weights."""
    config = _config(model)
    config.dtype = dtype
    config.save_pretrained(target)
    if is_allowed(model):
        for code in model.glob("*.py"):
            shutil.copy(code, target)
    trained_generation(model, renderer).save_pretrained(target)
    renderer.tokenizer.save_pretrained(target)
    template = opened_template(renderer)
    (target / "chat_template.jinja").write_text(template, encoding="utf-8")
    _drop_tokens_without_row(target, _embedding_rows(weights, config))
    # Here too: what reads no chat_template.jinja looks for it in the tokenizer's config.
    file = target / "tokenizer_config.json"
    settings = {**json.loads(file.read_bytes()), "chat_template": template}
    file.write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def quantize_saved(folder: Path, target: Path, kind: Literal["int8", "nf4"], *, max_shard_gb: float) -> None:
    """Quantize a saved model to 8 or 4 bit with bitsandbytes, into files that transformers loads again."""
    options = (
        BitsAndBytesConfig(load_in_8bit=True)
        if kind == "int8"
        else BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    )
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=options,
        dtype=torch.bfloat16,
        device_map={"": "cpu"},
        local_files_only=True,
    )
    model.save_pretrained(target, max_shard_size=f"{round(max_shard_gb * 1000)}MB")
    for file in folder.iterdir():
        if not (target / file.name).exists() and ".safetensors" not in file.name:
            shutil.copy(file, target)


def opened_template(renderer: Renderer) -> str:
    """Return the trained chat template; before an answer it opens the thought, as training and serving do.

    Without that a model that has also learned empty chains takes one.
    """
    template = renderer.chat_template or ""
    rendered = cast(
        str,
        renderer.tokenizer.apply_chat_template(
            _ASKED, chat_template=template, tokenize=False, add_generation_prompt=True
        ),
    )
    return template if rendered.endswith(THOUGHT) else template + _OPENS_THOUGHT


def _config(model: Path) -> Any:
    return AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=is_allowed(model))


def _embedding_rows(weights: MergedWeights, config: Any) -> int:
    named = (name for name in weights.names if name.endswith(("embed_tokens.weight", "wte.weight")))
    embedding = next(named, None)
    return weights.shape(embedding)[0] if embedding else int(config.get_text_config().vocab_size)


def _drop_tokens_without_row(folder: Path, rows: int) -> None:
    """Remove added tokens that the embedding has no row for: a text that holds one would end in an error."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return
    document: dict[str, Any] = json.loads(file.read_bytes())
    kept = [token for token in document["added_tokens"] if token["id"] < rows]
    dropped = {token["content"] for token in document["added_tokens"]} - {token["content"] for token in kept}
    if not dropped:
        return
    log.warning("not exported, the model has no row for them: %s", " ".join(sorted(dropped)))
    document["added_tokens"] = kept
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(settings.read_bytes())
    decoder = config.get("added_tokens_decoder", {})
    config |= {"added_tokens_decoder": {key: value for key, value in decoder.items() if int(key) < rows}}
    if not config["added_tokens_decoder"]:
        del config["added_tokens_decoder"]
    for name in [key for key in config if key.endswith("_token") and _content(config[key]) in dropped]:
        # transformers' fast tokenizers add the token again where it is named and not known.
        config[name] = config.get("pad_token") if name == "unk_token" else None
    settings.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _content(token: Any) -> Any:
    return token.get("content") if isinstance(token, dict) else token
