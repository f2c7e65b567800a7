"""Token preview: the very ids, labels and weights of training, readable, and the count of dropped rows."""

import pytest

from backend.data.encoding import IGNORED, encode_all, encode_conversation, without_chain
from backend.data.rows import read_conversations
from backend.data.templates import TEMPLATES, Renderer
from backend.modeling.tokenizers import load_tokenizer
from backend.preview import preview, preview_row, split_pieces
from backend.worker import RunFolder
from studio.contract import PreviewFile, PreviewSpec
from studio.system import processes
from studio.training.token_preview import count_rows, forget, see_block, too_long
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL
from tests.support.samples import new_store, sample, write_folder
from tests.support.templates import every_template, renderer
from tests.support.tiny_models import save_tiny_model, write_run
from tests.support.tiny_runs import wait_until

TITLES = [
    "主队主场绝杀对手",
    "一个长得多的标题，讲了很多事情，" * 8,
    "🎉 emoji 与 English 混排的标题 <b>x</b>",
]


def messages(title):
    turns = sample(title)["conversations"]
    return [
        {"role": "user", "content": turns[0]["value"]},
        {"role": "assistant", "content": turns[1]["value"]},
    ]


@every_template
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("turns", [1, 2])
def test_the_pieces_are_what_training_encodes(bound, title, turns):
    conversation = messages(title) * turns
    seen = preview_row(bound, 0, conversation, label_weight=5.0)
    for shown, source in ((seen.chain, conversation), (seen.direct, without_chain(conversation))):
        trained = encode_all(bound, [source], cutoff_len=10**6, label_weight=5.0).samples
        ids = [token for piece in shown for token in piece.ids]
        learned = [piece.learned for piece in shown for _ in piece.ids]
        assert ids == [token for sample in trained for token in sample["input_ids"].tolist()]
        assert learned == [label != IGNORED for sample in trained for label in sample["labels"].tolist()]
        text = "".join(bound.tokenizer.decode(sample["input_ids"]) for sample in trained)
        assert "".join(piece.text for piece in shown) == text


def test_half_a_character_is_never_shown():
    bound = renderer("qwen")  # one token a byte: a Chinese character is three
    shown = split_pieces(bound, encode_conversation(bound, messages("绝杀🎉")))
    assert all("\ufffd" not in piece.text for piece in shown)
    assert {len(piece.ids) for piece in shown} == {1, 3, 4}


def test_the_category_is_the_heavy_part():
    bound = renderer("deepseekr1")
    seen = preview_row(bound, 0, messages("绝杀"), label_weight=5.0)
    heavy = "".join(piece.text for piece in seen.direct if piece.weight == 5.0)
    assert heavy == "\n\n体育" + bound.eos


@pytest.mark.parametrize("template", ["auto", *TEMPLATES])
def test_the_worker_writes_what_the_bundled_training_encodes(tmp_path, template):
    spec = PreviewSpec(
        model_name_or_path=BUNDLED_MODEL,
        dataset_dir=BUNDLED_DATASET,
        template=template,
        count=("eval",),
        rows=(3,),
    )
    folder = RunFolder(write_run(tmp_path / "run", spec))
    preview(folder)
    written = PreviewFile.model_validate_json((folder.path / "preview.json").read_bytes())
    bound = Renderer(load_tokenizer(BUNDLED_MODEL), template)
    samples = encode_all(bound, read_conversations(BUNDLED_DATASET, "eval"), cutoff_len=10**6).samples
    assert written.lengths["eval"] == tuple(len(encoded["input_ids"]) for encoded in samples)
    row = read_conversations(BUNDLED_DATASET, "train")[3]
    ids = [token for piece in written.rows[0].chain for token in piece.ids]
    assert ids == encode_conversation(bound, row)["input_ids"].tolist()
    assert written.template == bound.name


def test_what_is_too_long_is_what_training_leaves_out():
    bound = Renderer(load_tokenizer(BUNDLED_MODEL))
    conversations = read_conversations(BUNDLED_DATASET, "train")
    lengths = [len(encode_conversation(bound, row)["input_ids"]) for row in conversations]
    for limit in (16, 90, min(lengths), max(lengths), 512):
        assert too_long(lengths, limit) == len(encode_all(bound, conversations, cutoff_len=limit).left_out)


def finished(ask):
    """Wait for the preview."""
    wait_until(lambda: ask().state != "running", seconds=120)
    return ask()


@pytest.fixture
def question(tmp_path):
    _, workspace = new_store(tmp_path / "home")
    model = save_tiny_model(tmp_path / "model")
    data = write_folder(tmp_path / "data", train=[sample(title) for title in TITLES], eval=[sample()])
    return workspace, {"model": model, "dataset_dir": data}


def test_a_preview_is_computed_once_by_a_worker(question):
    workspace, known = question
    answer = finished(lambda: count_rows(workspace, **known))
    assert answer.state == "done", answer.failure
    assert [len(answer.file.lengths[name]) for name in ("train", "eval")] == [3, 1]
    written = (answer.folder / "result.json").stat().st_mtime_ns
    assert (count_rows(workspace, **known).folder / "result.json").stat().st_mtime_ns == written


def test_a_block_has_the_row_and_its_neighbours(question):
    workspace, known = question
    answer = finished(lambda: see_block(workspace, entry="train", row=1, **known))
    assert [row.row for row in answer.file.rows] == [0, 1, 2]
    assert "一个长得多的标题" in "".join(piece.text for piece in answer.file.rows[1].chain)


def test_another_dataset_in_the_same_folder_is_another_preview(question):
    workspace, known = question
    before = finished(lambda: count_rows(workspace, **known))
    write_folder(known["dataset_dir"], train=[sample()], eval=[sample()])
    after = finished(lambda: count_rows(workspace, **known))
    assert (len(before.file.lengths["train"]), len(after.file.lengths["train"])) == (3, 1)


def test_an_unusable_tokenizer_fails_with_a_sentence_and_can_be_tried_again(question):
    workspace, known = question
    (known["model"] / "tokenizer.json").write_text("{}")
    answer = finished(lambda: count_rows(workspace, **known))
    assert answer.state == "failed" and all(answer.failure)
    forget(answer)
    assert not processes.was_started(answer.folder)


def test_a_killed_process_is_no_endless_wait(question):
    workspace, known = question
    dead = ("false",)
    answer = finished(lambda: count_rows(workspace, command=dead, **known))
    assert answer.state == "failed" and "中断" in answer.failure[0]
