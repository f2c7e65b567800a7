"""Write the dataset card in Markdown: rows, categories, lengths, near copies, hashes.

Pure, and in both languages at once: the dataset card travels with the data, and the same
version has the same card in every studio.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from studio.datasets.files import DATA_FILES, SPLITS, content_hash, file_hash
from studio.samples.canonical import read_answer, read_question
from studio.samples.similarity import group_near


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    split: str
    title: str
    chain: str
    category: str


def write_card(name: str, files: Mapping[str, bytes], category_names: Sequence[str], prompt: str) -> str:
    """Write the dataset card of a version.

    Args:
        name: heading of the card.
        files: those of the version, by name.
        category_names: in the order of the table.
        prompt: prefix of a title in the question.
    """
    rows = [row for split in SPLITS for row in _read(split, files[f"{split}.json"], prompt)]
    parts = [
        f"# {name}",
        f"sha256 `{content_hash(files)}`",
        _counts(rows, category_names),
        _lengths(rows),
        _near(rows),
        _hashes(files),
    ]
    return "\n\n".join(parts) + "\n"


def _read(split: str, content: bytes, prompt: str) -> list[_Row]:
    rows = []
    for sample in json.loads(content):
        question, answer = (turn["value"] for turn in sample["conversations"])
        parsed = read_answer(answer)
        title = read_question(question, prompt)[0]
        rows.append(_Row(split=split, title=title, chain=parsed.chain or "", category=parsed.label))
    return rows


def _counts(rows: Sequence[_Row], category_names: Sequence[str]) -> str:
    counted = Counter((row.category, row.split) for row in rows)
    lines = [f"| {name} | {counted[name, 'train']} | {counted[name, 'eval']} |" for name in category_names]
    totals = {split: sum(row.split == split for row in rows) for split in SPLITS}
    return "\n".join(
        [
            "## 行数 Rows",
            "",
            "| 类别 category | 训练 train | 评估 eval |",
            "|---|--:|--:|",
            *lines,
            f"| **合计 total** | **{totals['train']}** | **{totals['eval']}** |",
        ]
    )


def _lengths(rows: Sequence[_Row]) -> str:
    chains = [row.chain for row in rows if row.chain]
    lines = [
        _spread("标题 title", [len(row.title) for row in rows]),
        _spread("思维链 think chain", [len(chain) for chain in chains]),
    ]
    return "\n".join(
        [
            "## 长度（字） Lengths (characters)",
            "",
            "| | 最短 shortest | 中位 median | 九成以内 90 % within | 最长 longest |",
            "|---|--:|--:|--:|--:|",
            *lines,
            "",
            f"没有思维链 Rows without a think chain: {len(rows) - len(chains)}",
        ]
    )


def _spread(name: str, lengths: Sequence[int]) -> str:
    if not lengths:
        return f"| {name} | – | – | – | – |"
    ordered = sorted(lengths)
    ninth = ordered[-(-9 * len(ordered) // 10) - 1]
    return f"| {name} | {ordered[0]} | {median(ordered):g} | {ninth} | {ordered[-1]} |"


def _near(rows: Sequence[_Row]) -> str:
    groups = group_near([row.title for row in rows])
    across = sum(len({rows[index].split for index in group}) > 1 for group in groups)
    return "\n".join(
        [
            "## 近似重复 Near-duplicates",
            "",
            f"- 组 groups: {len(groups)}",
            f"- 涉及行数 rows in them: {sum(map(len, groups))}",
            f"- 跨训练和评估 groups in both splits: {across}",
        ]
    )


def _hashes(files: Mapping[str, bytes]) -> str:
    lines = [f"- `{name}` `{file_hash(files[name])}`" for name in DATA_FILES]
    return "\n".join(["## 文件 Files (sha256)", "", *lines])
