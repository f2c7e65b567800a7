"""Bytes to text: which encoding a file is in, found out and said.

UTF-8 is tried first, strictly. What is left are the encodings of Chinese Windows and
of spreadsheet programs, and damaged UTF-8, which must not be mistaken for one of them.
Our own rule, since charset-normalizer 3.5 takes a short GBK text (联通, 体育, 1 in 25
of our single titles) for Big5 or UTF-16.
"""

import codecs
import contextlib
import re
from dataclasses import dataclass

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
"""First bytes of the common characters of each; text decoded wrongly lands elsewhere."""
_SAMPLE = 4000
"""Characters that are looked at to choose between two encodings."""
_THREE_BYTE_CHARACTER = re.compile(rb"[\xe1-\xef][\x80-\xbf]{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """The text of a file, and the encoding it was in; "UTF-8" is the plain case."""

    text: str
    encoding: str


def decode(data: bytes, name: str) -> Decoded:
    """Decode the bytes of a text file; `name` is for messages.

    Raises:
        UnreadableFile: empty, damaged, or in no encoding that fits all of it.
    """
    decoded = _decode(data, name)
    if not decoded.text.strip():
        raise UnreadableFile(
            say(f"{name} 是空文件。", f"{name} is empty."),
            remedy=say(
                "请检查导出是否完成，换一个有内容的文件。", "Check the export, and give a file with content."
            ),
            code="empty_file",
        )
    return decoded


def _decode(data: bytes, name: str) -> Decoded:
    for mark, codec, label in _MARKS:
        if data.startswith(mark):
            try:
                return Decoded(text=data.decode(codec), encoding=label)
            except UnicodeDecodeError as error:
                raise _damaged(data, name, label, error) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_other(data, name, error)
    # UTF-16 of plain ASCII is valid UTF-8 full of zeros.
    return _decode_other(data, name, None) if "\0" in text else Decoded(text=text, encoding="UTF-8")


def _decode_other(data: bytes, name: str, error: UnicodeDecodeError | None) -> Decoded:
    if error is not None and _is_nearly_utf8(data):
        raise _damaged(data, name, "UTF-8", error) from error
    readings = {}
    for codec in _NAMES:
        with contextlib.suppress(UnicodeDecodeError):
            readings[codec] = data.decode(codec)
        if "\0" in readings.get(codec, ""):
            del readings[codec]
    if readings:
        codec = max(readings, key=lambda codec: _likelihood(readings[codec], codec))
        if _likelihood(readings[codec], codec) > 0.4:
            return Decoded(text=readings[codec], encoding=_NAMES[codec])
    raise UnreadableFile(
        say(f"{name} 的编码无法识别。", f"The encoding of {name} is not recognised."),
        remedy=say("请把文件另存为 UTF-8 编码。", "Save the file as UTF-8."),
        code="encoding",
    )


def _likelihood(text: str, codec: str) -> float:
    """The share of characters that people use, if the text really was in that encoding."""
    sample = text[:_SAMPLE]
    pages = {codec: _COMMON[codec]} if codec in _COMMON else _COMMON
    common = sum(
        char.isascii() or any(char.encode(page, "replace")[0] in leads for page, leads in pages.items())
        for char in sample
    )
    return common / len(sample)


def _is_nearly_utf8(data: bytes) -> bool:
    """Whether most Chinese characters read as UTF-8; in GBK text hardly one does."""
    broken = data.decode("utf-8", "replace").count("\ufffd")
    return len(_THREE_BYTE_CHARACTER.findall(data)) > broken


def _damaged(data: bytes, name: str, label: str, error: UnicodeDecodeError) -> UnreadableFile:
    before = data[: error.start].decode(error.encoding, "replace")
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
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
