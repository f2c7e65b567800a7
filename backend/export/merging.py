"""Merge an adapter into its base, and save the whole so that it answers elsewhere as it was trained.

What a model needs to answer elsewhere lies beside its weights: the trained chat template, which opens
the thought; every token that ends an answer; a tokenizer without tokens that the model does not have.
"""

import json
import logging
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from backend.data.templates import THOUGHT, Renderer
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
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


def save_merged(model: PreTrainedModel, renderer: Renderer, target: Path, *, max_shard_gb: float) -> None:
    """Save a merged model with all that it needs to answer elsewhere; see the module."""
    vocabulary = renderer.tokenizer.get_vocab()
    ends = [vocabulary[token] for token in renderer.end_tokens if token in vocabulary]
    model.generation_config.eos_token_id = ends
    model.save_pretrained(target, max_shard_size=f"{round(max_shard_gb * 1000)}MB")
    renderer.tokenizer.save_pretrained(target)
    (target / "chat_template.jinja").write_text(opened_template(renderer), encoding="utf-8")
    embedding: Any = model.get_input_embeddings()
    _drop_tokens_without_row(target, int(embedding.weight.shape[0]))


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
