"""Detect the encoding of a file and decode it.

UTF-8 is tried first, strictly. What is left are the encodings of Chinese Windows and
of spreadsheet programs, and damaged UTF-8, which must not be mistaken for one of them.
Our own rule, since charset-normalizer 3.5 takes a short GBK text (联通, 体育, 1 in 25
of our single titles) for Big5 or UTF-16.
"""

import codecs
import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from studio.errors import UnreadableFile
from studio.language import say

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 BOM"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_NAMES = {"gb18030": "GB18030", "big5": "Big5", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_COMMON = {"gb18030": range(0xB0, 0xD8), "big5": range(0xA4, 0xC7)}
"""Lead bytes of the common characters of each; wrongly decoded text falls outside."""
_SAMPLE = 4000
"""Characters that are sampled to choose between two encodings."""
_THREE_BYTE_CHARACTER = re.compile(rb"[\xe1-\xef][\x80-\xbf]{2}")


MIXED = "mixed"
"""Stands for a codec where the lines of a file are in two encodings, or a few of them are damaged."""
_MIXED_LABEL = "UTF-8 + GB18030"
_DAMAGED_LINES = 0.05
"""Share of lines that may be damaged in a file that is read all the same: they keep their place, marked."""
_CHUNK = 1 << 20
"""Bytes that are decoded at once; a file is never in memory as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """The codec of a file, and its name for people; "UTF-8" is the plain case."""

    codec: str
    label: str


def find_encoding(file: BinaryIO, name: str) -> Encoding:
    """Detect the encoding in which all of a text file decodes; `name` is for messages.

    Raises:
        UnreadableFile: empty, damaged, or in no known encoding throughout.
    """
    found = _find_encoding(file, name)
    if found.codec != MIXED and not any(text.strip() for text in _decoded(file, found.codec)):
        raise UnreadableFile(
            say(f"{name} 是空文件。", f"{name} is empty."),
            remedy=say(
                "请检查导出是否完成，换一个有内容的文件。", "Check the export, and give a file with content."
            ),
            code="empty_file",
        )
    return found


def decode(data: bytes, name: str) -> str:
    """Decode a small file after detecting its encoding.

    Raises:
        UnreadableFile: as `find_encoding`.
    """
    codec = find_encoding(io.BytesIO(data), name).codec
    if codec == MIXED:
        return "".join(decode_line(line)[0] for line in io.BytesIO(data))
    return data.decode(codec)


def _decoded(file: BinaryIO, codec: str) -> Iterator[str]:
    """Decode a file from its start, a chunk at a time.

    Raises:
        UnicodeDecodeError: its offset counts from the start of a chunk.
    """
    file.seek(0)
    decoder = codecs.getincrementaldecoder(codec)()
    while data := file.read(_CHUNK):
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _find_encoding(file: BinaryIO, name: str) -> Encoding:
    file.seek(0)
    head = file.read(4)
    for mark, codec, label in _MARKS:
        if head.startswith(mark):
            if (damage := _damage(file, codec)) is not None:
                raise _damaged(name, label, damage)
            return Encoding(codec=codec, label=label)
    damage = _damage(file, "utf-8")
    if damage is not None:
        if _is_nearly_utf8(file, damage.offset):
            if _is_mixed(file):
                return Encoding(codec=MIXED, label=_MIXED_LABEL)
            raise _damaged(name, "UTF-8", damage)
    # UTF-16 of plain ASCII is valid UTF-8 full of zeros.
    elif not any("\0" in text for text in _decoded(file, "utf-8")):
        return Encoding(codec="utf-8", label="UTF-8")
    return _find_other(file, name)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Damage:
    """The first bytes that do not decode: their offset in bytes, and their line and column."""

    offset: int
    line: int
    column: int


def _damage(file: BinaryIO, codec: str) -> _Damage | None:
    """Locate the first bytes that do not decode; None if all of the file does."""
    line, column, end = 1, 1, 0
    try:
        for text in _decoded(file, codec):
            end = file.tell()
            line += text.count("\n")
            column = len(text) - text.rfind("\n") if "\n" in text else column + len(text)
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(codec, "replace")
        line += before.count("\n")
        column = len(before) - before.rfind("\n") if "\n" in before else column + len(before)
        return _Damage(offset=end + error.start, line=line, column=column)
    return None


def _find_other(file: BinaryIO, name: str) -> Encoding:
    likelihoods = {}
    for codec in _NAMES:
        sample = ""
        with contextlib.suppress(UnicodeDecodeError):
            for text in _decoded(file, codec):
                sample = (sample + text)[:_SAMPLE] if len(sample) < _SAMPLE else sample
                if "\0" in text:
                    break
            else:
                likelihoods[codec] = _likelihood(sample, codec)
    codec = max(likelihoods, key=lambda codec: likelihoods[codec], default="")
    if likelihoods.get(codec, 0) <= _LIKELY:
        if _is_mixed(file):
            return Encoding(codec=MIXED, label=_MIXED_LABEL)
        if (damage := _damage(file, "gb18030")) is not None and _is_nearly_gb18030(file):
            raise _damaged(name, "GB18030", damage)
        raise UnreadableFile(
            say(f"{name} 的编码无法识别。", f"The encoding of {name} is not recognised."),
            remedy=say("请把文件另存为 UTF-8 编码。", "Save the file as UTF-8."),
            code="encoding",
        )
    return Encoding(codec=codec, label=_NAMES[codec])


_LIKELY = 0.4
"""Share of common characters below which an encoding is not believed."""


def _is_mixed(file: BinaryIO) -> bool:
    """Return whether nearly every line is UTF-8 or GB18030 by itself."""
    file.seek(0)
    lines = damaged = 0
    while line := file.readline(_CHUNK):
        if b"\0" in line:
            return False
        lines += bool(line.strip())
        damaged += decode_line(line)[1]
    return lines > 0 and damaged <= lines * _DAMAGED_LINES


def decode_line(line: bytes) -> tuple[str, bool]:
    """Decode one line by itself, as UTF-8 or GB18030; returns it, and whether characters of it are lost."""
    with contextlib.suppress(UnicodeDecodeError):
        return line.decode("utf-8").replace("\ufeff", ""), False
    with contextlib.suppress(UnicodeDecodeError):
        text = line.decode("gb18030")
        if _likelihood(text, "gb18030") > _LIKELY:
            return text, False
    texts = [line.decode(codec, "replace") for codec in ("utf-8", "gb18030")]
    return min(texts, key=lambda text: text.count("\ufffd")), True


def _likelihood(sample: str, codec: str) -> float:
    """Compute the share of common characters in a sample decoded from that encoding, from 0 to 1."""
    pages = {codec: _COMMON[codec]} if codec in _COMMON else _COMMON
    common = sum(
        char.isascii() or any(char.encode(page, "replace")[0] in leads for page, leads in pages.items())
        for char in sample
    )
    return common / len(sample) if sample else 0.0


def _is_nearly_gb18030(file: BinaryIO) -> bool:
    """Return whether the text is common Chinese in GB18030 but for a few characters."""
    file.seek(0)
    sample = file.read(_CHUNK).decode("gb18030", "replace")
    return "\0" not in sample and _likelihood(sample[:_SAMPLE], "gb18030") > _NEARLY


_NEARLY = 0.8
"""Share of common characters that a damaged file must have."""


def _is_nearly_utf8(file: BinaryIO, offset: int) -> bool:
    """Return whether most Chinese characters around a damage are valid UTF-8; in GBK text hardly one is."""
    file.seek(max(0, offset - _CHUNK))
    data = file.read(2 * _CHUNK)
    broken = data.decode("utf-8", "replace").count("\ufffd")
    return len(_THREE_BYTE_CHARACTER.findall(data)) > broken


def _damaged(name: str, label: str, damage: _Damage) -> UnreadableFile:
    line, column = damage.line, damage.column
    return UnreadableFile(
        say(
            f"{name} 第 {line} 行第 {column} 列不是有效的 {label}：文件在此处损坏或被截断。",
            f"{name}, line {line}, column {column}: not valid {label}; the file is damaged or cut off there.",
        ),
        remedy=say(
            "请从来源重新导出，并保存为 UTF-8 编码。",
            "Export it again from its source, and save it as UTF-8.",
        ),
        code="encoding",
    )
