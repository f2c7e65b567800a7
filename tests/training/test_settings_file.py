"""Settings files: our own YAML survives a round trip; LLaMA-Factory's is reported on key by key.

The files here are small ones with the keys of LLaMA-Factory's examples (train_lora,
train_qlora, train_full, pre-training), of its training_args.yaml and llamaboard_config.yaml.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.contract import TrainSpec
from studio.errors import InputError, UnreadableFile
from studio.training.presets import PRESETS, checked_spec
from studio.training.settings_file import (
    match_name,
    read_settings_file,
    require_readable,
    settings_file_of,
    with_other_dataset,
    write_yaml,
)
from studio.training.spec_loading import build_train_spec, remarks
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, open_workspace
from tests.support.llamafactory_settings import BOARD, FULL, LORA, PRETRAIN, QLORA


def outcomes(settings_file):
    return {note.key: note.outcome for note in settings_file.notes}


def as_spec(settings_file, **more):
    named = ("model_name_or_path", "dataset_dir", "dataset")
    values = {key: value for key, value in settings_file.values.items() if key not in named}
    base = TrainSpec(model_name_or_path=Path("m"), dataset_dir=Path("d")).model_dump()
    return checked_spec(base | values | more)


@pytest.mark.parametrize("name", PRESETS)
def test_a_spec_comes_back_from_its_yaml(name):
    spec = PRESETS[name](BUNDLED_MODEL, BUNDLED_DATASET)
    settings_file = read_settings_file(write_yaml(spec))
    assert checked_spec(settings_file.values) == spec
    assert settings_file.origin == "studio" and set(outcomes(settings_file).values()) == {"taken"}


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(1e-9, 0.99, exclude_max=True),
    numbers=st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.floats(-1e3, 1e3), max_size=3),
    target=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
)
def test_any_number_and_any_text_come_back(rate, numbers, target):
    fields = {"learning_rate": rate, "lr_scheduler_kwargs": numbers, "lora_target": target}
    spec = TrainSpec(model_name_or_path=Path("模型 1"), dataset_dir=Path("d"), **fields)
    assert checked_spec(read_settings_file(write_yaml(spec)).values) == spec


def test_a_lora_file_trains_here_what_it_trains_there():
    settings_file = read_settings_file(LORA)
    require_readable(settings_file)
    spec = as_spec(settings_file)
    assert (spec.learning_rate, spec.lora_rank, spec.lora_alpha, spec.gradient_accumulation_steps) == (
        1e-4,
        8,
        16,
        8,
    )
    assert (spec.direct_share, spec.label_weight, spec.weight_decay, spec.template) == (0, 1, 0, "tokenizer")
    noted = outcomes(settings_file)
    assert noted["learning_rate"] == "taken" and noted["lora_alpha"] == noted["template"] == "translated"
    assert noted["output_dir"] == noted["trust_remote_code"] == "ignored"
    assert noted["max_samples"] == "not_done"
    assert all(note.text for note in settings_file.noted("translated", "ignored", "default"))


def test_what_the_file_leaves_out_is_llamafactorys_default():
    spec = as_spec(read_settings_file("do_train: true\nstage: sft\ndataset: news\n"))
    found = (spec.cutoff_len, spec.learning_rate, spec.lora_rank, spec.lr_scheduler_type, spec.warmup_ratio)
    assert found == (2048, 5e-5, 8, "linear", 0)


def test_a_qlora_file_holds_rows_out():
    spec = as_spec(read_settings_file(LORA + QLORA))
    assert (spec.quantization_bit, spec.val_size, spec.eval_dataset, spec.eval_steps) == (4, 0.1, None, 500)


def test_a_full_file_has_no_lora_in_it():
    settings_file = read_settings_file(FULL)
    spec = as_spec(settings_file)
    assert (spec.finetuning_type, spec.template, spec.bf16) == ("full", "qwen3", True)
    assert outcomes(settings_file)["deepspeed"] == "not_done" and "lora_rank" not in outcomes(settings_file)


def test_a_pretraining_file():
    spec = as_spec(read_settings_file(PRETRAIN))
    assert (spec.stage, spec.lora_target, spec.cutoff_len, spec.padding_free) == (
        "pt",
        "q_proj,v_proj",
        1024,
        None,
    )


def test_the_state_of_llamafactorys_page():
    settings_file = settings_file_of(BOARD)
    spec = as_spec(settings_file)
    assert settings_file.origin == "llamaboard" and not settings_file.noted("unknown", "refused")
    found = (
        spec.learning_rate,
        spec.loraplus_lr_ratio,
        spec.lora_target,
        spec.bf16,
        spec.neftune_noise_alpha,
    )
    assert found == (5e-6, 16, "all", True, None)
    assert outcomes(settings_file)["train.batch_size"] == "taken"


@pytest.mark.parametrize("method", ["full", "freeze"])
def test_lora_settings_of_a_file_that_trains_without_lora_are_left_alone(method):
    settings_file = settings_file_of(BOARD | {"top.finetuning_type": method, "train.use_dora": True})
    spec = as_spec(settings_file)
    assert (spec.finetuning_type, spec.use_dora, spec.loraplus_lr_ratio) == (method, False, None)
    assert (
        outcomes(settings_file)["train.loraplus_lr_ratio"]
        == outcomes(settings_file)["train.use_dora"]
        == "ignored"
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("optim: adamw_bnb_8bit", "optim", "adamw_8bit"),
        ("disable_gradient_checkpointing: true", "gradient_checkpointing", False),
        ("disable_gradient_checkpointing: false", "gradient_checkpointing", None),
        ("neat_packing: true", "padding_free", True),
        ("fp16: true", "bf16", None),
        ("warmup_steps: 0.1", "warmup_ratio", 0.1),
        ("loraplus_lr_ratio: 0", "loraplus_lr_ratio", None),
        ("additional_target: [embed_tokens, lm_head]", "additional_target", "embed_tokens,lm_head"),
        ("eval_strategy: epoch", "eval_steps", 0),
        ("save_strategy: 'no'", "save_steps", 0),
        ("metric_for_best_model: eval_accuracy", "metric_for_best_model", "category_accuracy"),
        ('lr_scheduler_kwargs: {"min_lr_rate": 0.1}', "lr_scheduler_kwargs", {"min_lr_rate": 0.1}),
        ("template: chatml_de", "template", "chatml"),
    ],
)
def test_another_word_for_the_same_thing(line, field, value):
    assert getattr(as_spec(read_settings_file("do_train: true\n" + line)), field) == value


@pytest.mark.parametrize(
    "line",
    [
        "use_galore: true",
        "finetuning_type: oft",
        "stage: ppo",
        "dataset: one,two",
        "rope_scaling: dynamic",
        "optim: lion_32bit",
        "quantization_bit: 3",
        "adam_beta2: 0.95",
        "enable_thinking: false",
        "warmup_ratio: much",
        "lr_scheduler_type: lambda",
    ],
)
def test_what_would_train_something_else_is_refused_with_the_reason(line):
    settings_file = read_settings_file("do_train: true\n" + line)
    [note] = settings_file.noted("refused")
    assert note.text and not note.sets
    with pytest.raises(InputError, match=note.key):
        require_readable(settings_file)


def test_what_is_off_is_no_reason_to_refuse():
    off = "use_galore: false\nuse_badam: 0\nrope_scaling: none\nresize_vocab: null\nadam_beta1: 0.9\n"
    assert not read_settings_file("do_train: true\n" + off).noted("refused", "unknown")


def test_a_mistyped_key_names_the_one_it_may_have_meant():
    settings_file = read_settings_file("lr_rank: 8\nlearning_rate: 1e-4\n")
    assert settings_file.origin == "studio"
    with pytest.raises(InputError, match="lora_rank"):
        require_readable(settings_file)


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "a: [1", "x: 1\n" * 300_000])
def test_what_is_no_settings_file_is_refused_by_name(text):
    with pytest.raises(UnreadableFile, match=r"my\.yaml"):
        read_settings_file(text, "my.yaml")


def test_every_key_of_both_tools_is_listed_once():
    from studio.training.settings_file._keys import DEFAULTS, IGNORED, REFUSED

    fields = set(TrainSpec.model_fields)
    assert not set(IGNORED) & set(REFUSED)
    assert not set(IGNORED) & fields and not set(REFUSED) & fields
    assert set(DEFAULTS) <= fields


def test_a_model_is_found_by_the_last_part_of_its_name():
    names = ["bundled", "DeepSeek-R1-Distill-Qwen-7B"]
    assert match_name("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", names) == names[1]
    assert match_name("D:\\models\\deepseek-r1-distill-qwen-7b\\", names) == names[1]
    assert match_name("Qwen/Qwen3-8B", names) is None and match_name("", names) is None


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "home")


def test_a_llamafactory_file_becomes_a_spec_on_the_command_line(workspace, tmp_path):
    file = tmp_path / "sft.yaml"
    file.write_text(LORA.replace("dataset: news_train", "dataset: train"), encoding="utf-8")
    spec, version = build_train_spec(workspace, file, "bundled", "bundled", ["lora_rank=4"])
    assert (spec.dataset, spec.eval_dataset, spec.lora_rank, version) == ("train", "eval", 4, None)
    assert (spec.model_name_or_path, spec.dataset_dir) == (BUNDLED_MODEL, BUNDLED_DATASET)
    lines = remarks(read_settings_file(LORA))
    assert any(line.startswith("lora_alpha: None -> lora_alpha: 16") for line in lines)


def test_a_data_folder_of_llamafactory_needs_no_eval_entry(workspace, tmp_path):
    (tmp_path / "dataset_info.json").write_text('{"news_train": {"file_name": "a.json"}}')
    file = tmp_path / "sft.yaml"
    file.write_text(LORA + f"dataset_dir: {tmp_path}\n", encoding="utf-8")
    spec, _ = build_train_spec(workspace, file, None, "bundled", [])
    assert (spec.dataset, spec.eval_dataset, spec.dataset_dir) == ("news_train", None, tmp_path)


@pytest.mark.parametrize("stage", ["--set", "file"])
def test_a_text_file_is_pre_trained_on_from_the_command_line(workspace, tmp_path, stage):
    (tmp_path / "daily.txt").write_text("今天天气很好\n" * 20)
    file = tmp_path / "pt.yaml"
    file.write_text(PRETRAIN, encoding="utf-8")
    settings = ["stage=pt", "val_size=0.1"] if stage == "--set" else []
    given = file if stage == "file" else None
    for dataset in (str(tmp_path / "daily.txt"), "daily.txt"):  # the second time by its name
        spec, version = build_train_spec(workspace, given, dataset, "bundled", settings)
        assert (spec.stage, spec.dataset, spec.eval_dataset, version) == ("pt", "train", None, None)
        assert spec.dataset_dir == workspace.home / "texts" / "daily.txt"


OWN_FIRST_EXAMPLE = """
model_name_or_path: MODEL
stage: sft
finetuning_type: lora
dataset: identity,news
max_samples: 1000
report_to: wandb
deepspeed: ds_z3.json
learning_rate: 1e-4
max_steps: 2
"""


def test_a_dataset_of_the_command_wins_over_the_list_of_the_file(workspace):
    settings_file = read_settings_file(OWN_FIRST_EXAMPLE)
    with pytest.raises(InputError, match="dataset"):
        build_train_spec(workspace, settings_file, None, "bundled", [])
    spec, _ = build_train_spec(workspace, settings_file, "bundled", "bundled", [])
    assert (spec.dataset_dir, spec.max_steps, spec.learning_rate) == (BUNDLED_DATASET, 2, 1e-4)
    told = "\n".join(remarks(with_other_dataset(settings_file, "bundled")))
    assert "identity,news" in told and "bundled" in told


def test_what_would_change_something_there_is_not_called_without_effect():
    found = outcomes(read_settings_file(OWN_FIRST_EXAMPLE))
    assert found["max_samples"] == found["report_to"] == found["deepspeed"] == "not_done"
    off = outcomes(read_settings_file("dataset: a\nreport_to: none\ndeepspeed: null\nmax_samples: null"))
    assert off["report_to"] == off["deepspeed"] == off["max_samples"] == "ignored"


DPO_FILE = """
stage: dpo
do_train: true
finetuning_type: lora
pref_beta: 0.2
pref_loss: {loss}
dpo_label_smoothing: 0.1
output_dir: saves/dpo
"""


def test_a_dpo_file_trains_the_same_loss_here():
    spec = as_spec(read_settings_file(DPO_FILE.format(loss="ipo")))
    assert (spec.stage, spec.pref_loss, spec.pref_beta, spec.dpo_label_smoothing) == ("dpo", "ipo", 0.2, 0.1)
    assert spec.pref_ftx == 0.0  # that tool adds no likelihood unless it is told to


def test_orpo_is_a_loss_there_and_a_stage_here():
    assert as_spec(read_settings_file(DPO_FILE.format(loss="orpo"))).stage == "orpo"
    [note] = read_settings_file(DPO_FILE.format(loss="simpo")).noted("refused")
    assert note.key == "pref_loss"


def test_what_belongs_to_preferences_is_idle_in_a_file_about_conversations():
    settings_file = read_settings_file("stage: sft\ndo_train: true\npref_beta: 0.5\npref_loss: simpo")
    assert {note.key for note in settings_file.noted("ignored")} >= {"pref_beta", "pref_loss"}
    assert as_spec(settings_file).pref_beta == 0.1
