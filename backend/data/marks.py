"""Keep a tokenizer's marks, such as `<|im_end|>`, apart from the same characters in what people wrote."""

from transformers import PreTrainedTokenizerBase

CUT = "\ufdd0"
"""Put into a mark that people wrote, so that no part of it is the mark: a noncharacter, in no text."""


class Marks:
    """The added tokens of a tokenizer, such as `<|im_end|>`, which are plain text where people wrote them.

    A title that holds one would else end the turn, open a thought, or name a row that the model does
    not have. `cut` is undone by `tokenize_text`, which tokenizes the parts on their own.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        added = {str(token) for token in tokenizer.get_added_vocab()} | set(tokenizer.all_special_tokens)
        self.all = sorted((mark for mark in added if len(mark) > 1 and mark.strip()), key=len, reverse=True)

    def cut(self, text: str, *, but: tuple[str, ...] = ()) -> str:
        """Cut every mark in a text after its first character, except those of `but`."""
        text = text.replace(CUT, "")
        for mark in self.all:
            if mark not in but and mark in text:
                text = text.replace(mark, f"{mark[0]}{CUT}{mark[1:]}")
        return text


def tokenize_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenize a rendered text, which has its special tokens already; cut marks are plain text."""
    if CUT not in text:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids
    parts = tokenizer([part for part in text.split(CUT) if part], add_special_tokens=False)["input_ids"]
    return [token for part in parts for token in part]
