"""What we write loads elsewhere as it is: LLaMA-Factory, datasets, TRL; every row, the same words."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from backend.data.encoding import encode_conversation
from backend.data.templates import Renderer
from studio.annotation import annotations
from studio.datasets import export as exporting
from studio.datasets.versions import freeze
from studio.ingest.importer import import_path, import_text
from studio.preferences.freezing import pair_files
from studio.preferences.pairs import AnswerSide, PreferencePair
from studio.preferences.selection import Selection
from studio.validation.repair import write_repaired
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.conformance import PROOF
from tests.support.samples import SCHEME, new_store
from tests.support.titles import next_waiting

ODD_TITLES = (
    "“双十一”成交额创新高，\\n 与 \\u4e2d 都是字",
    "𠮷野家涨价：一碗牛肉饭贵了3%😀",
    '他说"不会"，结果{"json": true}',
    "<think> 不是标记，<｜User｜>也不是",
    "O'Reilly 与 A&B <b>加粗</b>",
)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """A version frozen from the bundled set and from titles that try every quoting rule."""
    db, workspace = new_store(tmp_path_factory.mktemp("home"))
    import_path(db, BUNDLED_DATASET, SCHEME)
    import_text(db, "\n".join(ODD_TITLES), SCHEME)
    for title in next_waiting(db, limit=len(ODD_TITLES)):
        annotations.annotate(db, title.id, category="社会", author="a", seen_revision=title.revision)
    return freeze(db, workspace, "news", author="a", scheme=SCHEME)


def pairs_of(folder: Path, split: str) -> list[list[str]]:
    rows = json.loads((folder / f"{split}.json").read_text(encoding="utf-8"))
    return [[turn["value"] for turn in row["conversations"]] for row in rows]


@pytest.mark.parametrize("split", ["train", "eval"])
def test_llamafactory_reads_every_row_of_a_version_word_for_word(version, split, llamafactory):
    rows = llamafactory.ask("convert", folder=version.folder, dataset=split)["rows"]
    assert all(row["kept"] and not row["system"] for row in rows)
    assert [[text for _, text in row["turns"]] for row in rows] == pairs_of(version.folder, split)
    assert len(rows) == version.rows[split]


@pytest.mark.parametrize("split", ["train", "eval"])
def test_llamafactory_trains_on_every_row_of_a_version(version, split, llamafactory):
    loaded = llamafactory.ask(
        "load", folder=version.folder, dataset=split, tokenizer=BUNDLED_MODEL, template="deepseekr1"
    )
    assert len(loaded["input_ids"]) == version.rows[split]


def test_both_splits_load_together(version, llamafactory):
    assert llamafactory.ask("count", folder=version.folder, dataset="train,eval")["rows"] == sum(
        version.rows.values()
    )


def test_a_version_loads_where_python_reads_no_utf8(version):
    """Trap 3: LLaMA-Factory opens dataset_info.json in the locale's encoding, which is GBK on a Chinese Windows."""
    request = json.dumps({"action": "count", "folder": str(version.folder), "dataset": "train"})
    done = subprocess.run(
        [PROOF / "llamafactory" / "bin" / "python", Path(__file__).with_name("llamafactory_side.py")],
        input=request, capture_output=True, text=True, check=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )  # fmt: skip
    assert json.loads(done.stdout).get("rows") == version.rows["train"], done.stdout


def test_a_repaired_folder_loads_without_a_dropped_row(tmp_path, llamafactory):
    source = tmp_path / "in"
    source.mkdir()
    rows = [
        {
            "instruction": "新闻分类：",
            "input": f"第{n}条",
            "output": f"<think>看题。</think>{label}",
            "system": "你是编辑",
        }
        for n, label in enumerate(SCHEME.names)
    ]
    (source / "train.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    (source / "dataset_info.json").write_text(json.dumps({"train": {"file_name": "train.json"}}))
    write_repaired(source, tmp_path / "out", SCHEME)
    found = llamafactory.ask("convert", folder=tmp_path / "out", dataset="train")["rows"]
    assert [row["kept"] for row in found] == [True] * len(rows)
    assert {row["turns"][1][1].split("\n\n")[-1] for row in found} == set(SCHEME.names)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_datasets_loads_a_version(version, split, trl):
    rows = trl.ask("rows", file=version.folder / f"{split}.json")["rows"]
    assert [[turn["value"] for turn in row["conversations"]] for row in rows] == pairs_of(
        version.folder, split
    )


@pytest.fixture(scope="module")
def exported(version, tmp_path_factory):
    """A folder for each form of an export."""
    folders = {}
    for form in exporting.EXPORT_FORMS:
        folders[form] = tmp_path_factory.mktemp(form)
        for name, content in exporting.export_files(version.files, form, card="").items():
            (folders[form] / name).write_bytes(content)
    return folders


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize("form", exporting.EXPORT_FORMS)
def test_llamafactory_reads_every_row_of_each_form_word_for_word(
    form, split, exported, version, llamafactory
):
    rows = llamafactory.ask("convert", folder=exported[form], dataset=split)["rows"]
    assert [[text for _, text in row["turns"]] for row in rows if row["kept"]] == pairs_of(
        version.folder, split
    )
    assert {row["system"] for row in rows} == {""}


@pytest.fixture(scope="module")
def messages(exported) -> Path:
    """The training split as OpenAI messages."""
    return exported["openai"] / "train.json"


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_trl_trains_on_openai_messages_as_they_are(messages, version, lora, trl):
    done = trl.ask("train", file=messages, model=BUNDLED_MODEL, lora=lora)
    assert done["rows"] == version.rows["train"]
    assert len(done["losses"]) == 2 and all(0 < loss < 20 for loss in done["losses"])
    assert done["moved"] > 0


def test_trl_learns_the_text_that_we_learn(messages, version, trl):
    """Token for token by the chat template that comes with the model; but TRL learns the question, too."""
    tokenizer = _tokenizer()
    renderer = Renderer(tokenizer, "deepseekr1")
    done = trl.ask("train", file=messages, model=BUNDLED_MODEL, steps=1)
    for (question, answer), ids in zip(pairs_of(version.folder, "train"), done["input_ids"], strict=False):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        assert ids == encode_conversation(renderer, turns)["input_ids"].tolist()
    assert done["labels"] == done["input_ids"]


def _tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(BUNDLED_MODEL)


def test_sharegpt_stops_trl_instead_of_teaching_nothing(version, trl):
    """TRL renames `from` and `value` and leaves `human`: a role no chat template knows, and ours says so."""
    done = trl.ask("train", file=version.folder / "train.json", model=BUNDLED_MODEL, steps=1)
    assert "Unknown role human" in done["died"]


def test_alpaca_is_no_form_of_trl(exported, trl):
    assert "died" in trl.ask("train", file=exported["alpaca"] / "train.json", model=BUNDLED_MODEL, steps=1)


def test_llamafactory_reads_every_preference_pair_word_for_word(tmp_path, llamafactory):
    pairs = [
        PreferencePair(
            kind="edit",
            title_id=number,
            title=title,
            chosen=AnswerSide(category="社会", chain="“字”在标题里。", by="wang"),
            rejected=AnswerSide(category="国内", chain="看着像国内。", by="chen"),
            person="zhao",
            at="2026-11-27T00:00:00.000Z",
        )
        for number, title in enumerate(ODD_TITLES)
    ]
    for name, content in pair_files(Selection(pairs=tuple(pairs)), SCHEME).items():
        (tmp_path / name).write_bytes(content)
    asked = [f"{SCHEME.prompt}{pair.title}" for pair in pairs]
    answered = [[pair.answer("chosen"), pair.answer("rejected")] for pair in pairs]
    rows = llamafactory.ask("rank", folder=tmp_path, dataset="train")["rows"]
    assert rows == [[question, *answers] for question, answers in zip(asked, answered, strict=True)]
