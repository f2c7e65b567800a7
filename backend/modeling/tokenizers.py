"""Load a tokenizer without its model: what counts and shows tokens needs no weights.

No code that a model folder brings is run, unless an admin allows it for that folder.
"""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from backend.modeling.trust import is_allowed
from studio.errors import ModelUnusable
from studio.language import say


def load_tokenizer(folder: Path, base: Path | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model or adapter folder, and give it a padding token.

    An adapter that was trained elsewhere may have no tokenizer; its base's is used then.

    Raises:
        ModelUnusable: the folder has none that transformers can read.
    """
    if base and not (folder / "tokenizer_config.json").is_file():
        folder = base
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=is_allowed(folder)
        )
    except (OSError, ValueError, KeyError) as error:
        raise unusable(folder, error) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def unusable(folder: Path, error: Exception) -> ModelUnusable:
    """Make the error for a model folder that transformers cannot read."""
    return ModelUnusable(
        say(f"无法载入模型 {folder}：{error}", f"Cannot load the model {folder}: {error}"),
        remedy=say(
            "请用 news-studio models check 查看缺了什么。",
            "See what is missing with news-studio models check.",
        ),
    )
