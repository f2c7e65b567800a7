"""Collect the sentences of workers as a version wrote them: `python make_earlier_sentences.py CHECKOUT`.

CHECKOUT is commit 6e53561, the last whose results carried sentences alone. Prints the
pairs of data/earlier_sentences.json: every `say(zh, en)` of the modules whose errors can end
up in a result, each place where a value stood as a number in braces. One, told on stderr,
was written by hand.
"""

import ast
import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "backend/**/*.py", "studio/contract/*.py", "studio/hubfiles.py", "studio/modelcheck.py", "studio/weights.py",
    "studio/disk.py", "studio/teacher_key.py", "studio/categories.py", "studio/raycluster.py", "studio/runs/*.py",
    "studio/serving.py", "studio/client.py", "studio/store.py",
)  # fmt: skip
Parts = tuple[str | ast.expr, ...]


def main() -> None:
    """Print the pairs as JSON, one a line."""
    checkout = Path(sys.argv[1])
    pairs: dict[str, str] = {}
    for pattern in MODULES:
        for path in sorted(checkout.glob(pattern)):
            for zh, en in in_file(path):
                pairs.setdefault(zh, en)
    lines = (json.dumps(pair, ensure_ascii=False) for pair in pairs.items())
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


def in_file(path: Path) -> Iterator[tuple[str, str]]:
    """The pairs of one module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and len(node.args) == 2:
            for zh, en in zip(variants(node.args[0]), variants(node.args[1]), strict=False):
                pair = templates(zh, en)
                if pair is None:
                    sys.stderr.write(f"{path.name}: {ast.unparse(node)}\n")
                elif re.search(r"[\u4e00-\u9fff]", pair[0]):
                    yield pair


def variants(node: ast.expr) -> list[Parts]:
    """A text as its literal parts and the values between them; one for each way an `if` may go."""
    if isinstance(node, ast.Constant):
        return [(str(node.value),)]
    if isinstance(node, ast.JoinedStr):
        found = [variants(part) for part in node.values]
        return [tuple(itertools.chain(*each)) for each in itertools.product(*found)]
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.IfExp):
        return variants(node.value)
    if isinstance(node, ast.IfExp):
        return [*variants(node.body), *variants(node.orelse)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [(*left, *right) for left in variants(node.left) for right in variants(node.right)]
    return [(node,)]


def templates(zh: Parts, en: Parts) -> tuple[str, str] | None:
    """Both halves with the same numbers for the same values; None where they do not correspond."""
    names = {key: number for number, key in enumerate(dict.fromkeys(keys(zh)))}
    if set(names) != set(keys(en)):
        if len(names) != len(set(keys(en))):
            return None
        names |= dict(zip(dict.fromkeys(keys(en)), range(len(names)), strict=True))
    return written(zh, names), written(en, names)


def keys(parts: Parts) -> list[str]:
    return [key(part) for part in parts if not isinstance(part, str)]


def key(value: ast.expr) -> str:
    """What a value is known by in both halves: its source, whatever joins a list."""
    return re.sub(r"^['\"](?:、|, )['\"]\.join", "join", ast.unparse(value))


def written(parts: Parts, names: dict[str, int]) -> str:
    return "".join(
        part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else f"{{{names[key(part)]}}}"
        for part in parts
    )


if __name__ == "__main__":
    main()
