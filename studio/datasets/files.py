"""Serialize the files of a dataset version: what LLaMA-Factory and the workers load.

Pure: the same titles and the same scheme give the same bytes. This module knows no
store and no folder.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.corpus.titles import Title
from studio.formats.sharegpt import canonical_blocks, conversation, json_bytes
from studio.samples.canonical import write_answer, write_question
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split

SPLITS: tuple[Split, ...] = ("train", "eval")
DATA_FILES = ("train.json", "eval.json", "dataset_info.json", "categories.toml")
"""The files whose bytes make a version's sha256; version.json describes them."""


def data_files(splits: Mapping[Split, Sequence[Title]], scheme: Scheme) -> dict[str, bytes]:
    """Serialize every file of DATA_FILES, by name; all titles must be decided."""
    samples = {f"{split}.json": [sample_of(title, scheme) for title in splits[split]] for split in SPLITS}
    files = {name: json_bytes(rows) for name, rows in samples.items()}
    files["dataset_info.json"] = json_bytes(
        {split: {"file_name": f"{split}.json", **canonical_blocks()} for split in SPLITS}
    )
    files["categories.toml"] = write_scheme(scheme).encode()
    return files


def sample_of(title: Title, scheme: Scheme) -> dict[str, Any]:
    """Build the conversation of a decided title."""
    assert title.category is not None, title
    question = write_question(scheme.prompt, title.text)
    return {"conversations": conversation(question, write_answer(title.chain or "", title.category))}


def write_scheme(scheme: Scheme) -> str:
    """Serialize a scheme as a categories.toml that reads back equal."""
    lines = [f"prompt = {_quoted(scheme.prompt)}"]
    for category in scheme.categories:
        lines += ["", "[[category]]"]
        lines += [
            f"{field} = {_quoted(getattr(category, field))}"
            for field in ("name", "english", "key", "color", "definition")
        ]
        examples = [
            f"    {{ title = {_quoted(example.title)}, why = {_quoted(example.why)} }},"
            for example in category.borderline
        ]
        lines += ["borderline = [", *examples, "]"]
    for pair, text in scheme.rules.items():
        names = ", ".join(_quoted(name) for name in sorted(pair, key=scheme.names.index))
        lines += ["", "[[rule]]", f"pair = [{names}]", f"text = {_quoted(text)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def file_hash(content: bytes) -> str:
    """Hash a file: SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def content_hash(contents: Mapping[str, bytes]) -> str:
    """Hash the data files together, names included, as `sha256sum` would list them."""
    return file_hash("".join(f"{file_hash(contents[name])}  {name}\n" for name in DATA_FILES).encode())
