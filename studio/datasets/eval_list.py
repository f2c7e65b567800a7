"""Read a fixed list of eval titles from any file that titles can be imported from."""

from pathlib import Path

from studio.errors import InputError
from studio.formats.reader import read_rows
from studio.language import say
from studio.samples.scheme import Scheme
from studio.validation.rows import judge_rows


def read_eval_list(path: Path, scheme: Scheme) -> tuple[str, ...]:
    """Read the titles of a file, deduplicated; answers beside them are ignored.

    Raises:
        UnreadableFile: the file cannot be read.
        InputError: it holds no title.
    """
    titles = dict.fromkeys(
        item.title for item in judge_rows(read_rows(path, scheme=scheme).rows, scheme) if item.title
    )
    if not titles:
        raise InputError(
            say(f"{path.name} 里没有标题。", f"{path.name} holds no title."),
            remedy=say("请给一个每行一个标题的文件。", "Name a file with one title a line."),
        )
    return tuple(titles)
