"""A journal keeps whole lines, whatever ended its last writer."""

import pytest
from pydantic import BaseModel, TypeAdapter

from studio.system.jsonl import TAIL_BYTES, Journal, read_lines


class Row(BaseModel):
    """A line."""

    number: int
    text: str = ""


ADAPTER = TypeAdapter(Row)


def numbers(path):
    return [row.number for row in read_lines(path, ADAPTER)]


@pytest.mark.parametrize("torn", [b"", b'{"num', b'{"number":3}', b"\xe4\xbd", b"x" * (2 * TAIL_BYTES)])
def test_a_torn_line_is_left_out_and_the_next_one_stands_alone(tmp_path, torn):
    path = tmp_path / "a.jsonl"
    with Journal(path) as journal:
        journal.append(Row(number=1))
        journal.append(Row(number=2, text="标题\u2028"))
    with path.open("ab") as file:
        file.write(torn)
    with Journal(path) as journal:
        journal.append(Row(number=4))
    assert numbers(path) == [1, 2, 4]
    assert path.read_bytes().endswith(b"\n")


def test_a_file_of_one_torn_line_begins_anew(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * (TAIL_BYTES + 5))
    with Journal(path) as journal:
        journal.append(Row(number=1))
    assert path.read_bytes() == b'{"number":1,"text":""}\n'


def test_a_line_can_be_read_as_soon_as_it_is_appended(tmp_path):
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.append(Row(number=1))
        assert numbers(tmp_path / "a.jsonl") == [1]
