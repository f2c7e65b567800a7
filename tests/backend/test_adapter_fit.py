"""An adapter is checked against its base wherever it is loaded, before a weight of the base is."""

import json
import shutil
import subprocess
import sys

import pytest
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, MixtralConfig

from backend.modeling.adapters import attach_adapter
from backend.modeling.loading import load_model
from backend.sweep import sweep
from backend.train import train
from backend.worker import Paused, RunFolder
from studio.contract import EvaluateSpec, SweepSpec
from studio.errors import ModelUnusable, RunFailed
from studio.modelfiles.adapter_check import check_adapter
from tests.support.samples import sample, write_folder
from tests.support.tiny_models import byte_tokenizer, quick_spec, result_of, save_tiny_model, write_run

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rows = [sample(f"第{i}条标题", "体育", f"看“第{i}条”，归体育。") for i in range(4)]
    return write_folder(tmp_path_factory.mktemp("data"), train=rows, eval=rows[:2])


def save_adapter(folder, base, *, tokens=None, **options):
    """A fresh adapter as peft itself saves it; `tokens`: the vocabulary was resized before."""
    model = AutoModelForCausalLM.from_pretrained(base)
    if tokens:
        model.resize_token_embeddings(tokens)
    fields = {"task_type": "CAUSAL_LM", "r": 4, "target_modules": "all-linear"}
    get_peft_model(model, LoraConfig(**fields | options)).save_pretrained(str(folder))
    return folder


def without(word, adapter):
    """The adapter whose file has lost the tensors with this word in their names."""
    kept = {name: tensor for name, tensor in load_file(adapter / WEIGHTS).items() if word not in name}
    save_file(kept, adapter / WEIGHTS)
    return adapter


def cut_off(adapter):
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:-100])
    return adapter


def of_width_64(folder):
    return save_adapter(folder / "adapter", save_tiny_model(folder / "wide", hidden=64))


def of_gpt2(folder):
    config = GPT2Config(vocab_size=265, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "gpt2")
    return save_adapter(folder / "adapter", folder / "gpt2")


def of_layers(folder, layers):
    # Named modules: peft writes the few of so small a model out with their layers.
    shallow = save_tiny_model(folder / "other", layers=layers)
    return save_adapter(folder / "adapter", shallow, target_modules=["q_proj", "v_proj"])


WHOLE = {"modules_to_save": ["embed_tokens", "lm_head"]}
MISFITS = {
    "another width": (lambda to, base: of_width_64(to), "在适配器里是 64 x 128，在基座里是 32 x 64"),
    "more layers": (lambda to, base: of_layers(to, 3), "第 0-2 层，基座没有其中的第 2 层"),
    "fewer layers": (lambda to, base: of_layers(to, 1), "只有第 0 层，基座还有第 1 层"),
    "other target modules": (lambda to, base: of_gpt2(to), "没有模块 c_attn.*它有 .*q_proj"),
    "dora without its magnitudes": (
        lambda to, base: without("magnitude", save_adapter(to / "adapter", base, use_dora=True)),
        "没有 lora_magnitude_vector",
    ),
    "modules_to_save that were not saved": (
        lambda to, base: without("embed_tokens", save_adapter(to / "adapter", base, **WHOLE)),
        "modules_to_save 中的 embed_tokens",
    ),
    "a resized vocabulary": (
        lambda to, base: save_adapter(to / "adapter", base, tokens=300, **WHOLE),
        "有 300 个词元",
    ),
    "a file cut off": (lambda to, base: cut_off(save_adapter(to / "adapter", base)), f"{WEIGHTS} 不完整"),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_a_misfit_is_refused_by_its_headers_and_would_not_have_loaded(tmp_path, base, kind):
    make, words = MISFITS[kind]
    adapter = make(tmp_path, base)
    with pytest.raises(ModelUnusable, match=words) as raised:
        load_model(base, adapter)
    assert raised.value.remedy
    with pytest.raises(ModelUnusable):
        attach_adapter(load_model(base), adapter, base)


@pytest.mark.parametrize("kind", ["plain", "dora", "whole modules"])
@pytest.mark.parametrize("named", ["/gone/base", "someone/Another-Name"])
def test_an_adapter_of_a_base_that_was_moved_is_loaded(tmp_path, base, kind, named):
    options = {"plain": {}, "dora": {"use_dora": True}, "whole modules": {"modules_to_save": ["lm_head"]}}
    adapter = save_adapter(tmp_path / "adapter", base, **options[kind])
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": named}))
    moved = shutil.copytree(base, tmp_path / "elsewhere" / "base")
    load_model(moved, adapter)


@pytest.mark.parametrize("kind", ["transposed matrices", "experts that are fused while loading"])
def test_an_architecture_of_another_make_is_left_alone(tmp_path, kind):
    configs = {
        "transposed matrices": GPT2Config(vocab_size=99, n_embd=32, n_layer=2, n_head=4, n_positions=64),
        "experts that are fused while loading": MixtralConfig(
            vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, num_local_experts=4,
        ),
    }  # fmt: skip
    base = tmp_path / "base"
    AutoModelForCausalLM.from_config(configs[kind]).save_pretrained(base)
    byte_tokenizer("plain").save_pretrained(base)
    adapter = save_adapter(tmp_path / "adapter", base)
    assert check_adapter(adapter, base) == []
    load_model(base, adapter)


def not_to_be_called(spec):
    raise AssertionError("the base model was loaded for an adapter that does not fit it")


@pytest.fixture
def wide_adapter(tmp_path):
    return of_width_64(tmp_path)


def test_training_on_a_misfit_ends_before_the_base_is_loaded(tmp_path, base, dataset, wide_adapter):
    run = write_run(tmp_path / "run", quick_spec(base, dataset, adapter_name_or_path=wide_adapter))
    with pytest.raises(ModelUnusable, match="不适用于基座"):
        train(RunFolder(run), load=not_to_be_called)


def test_a_run_whose_base_was_exchanged_is_not_resumed(tmp_path, dataset):
    base = save_tiny_model(tmp_path / "base")
    run = write_run(tmp_path / "run", quick_spec(base, dataset, save_steps=1))
    (run / "pause").touch()
    with pytest.raises(Paused):
        train(RunFolder(run))
    (run / "pause").unlink()
    shutil.rmtree(base)
    save_tiny_model(base, hidden=64)
    with pytest.raises(ModelUnusable, match="step_000001 不适用于基座"):
        train(RunFolder(run), load=not_to_be_called)


def test_a_member_of_a_sweep_with_a_misfit_says_so(tmp_path, base, dataset, wide_adapter):
    member = write_run(tmp_path / "member", quick_spec(base, dataset, adapter_name_or_path=wide_adapter))
    with pytest.raises(RunFailed):
        sweep(RunFolder(write_run(tmp_path / "sweep", SweepSpec(runs=(member,)))))
    assert "不适用于基座" in result_of(member).message


def test_an_evaluation_says_what_does_not_fit_and_which_base_would(tmp_path, base, dataset, wide_adapter):
    spec = EvaluateSpec(model_name_or_path=base, adapter_name_or_path=wide_adapter, dataset_dir=dataset)
    folder = write_run(tmp_path / "evaluation", spec)
    done = subprocess.run(
        [sys.executable, "-m", "backend.evaluate", str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "64 x 128" in result_of(folder).message
    assert str(tmp_path / "wide") in result_of(folder).remedy
