"""An adapter that does not fit its base is told by the headers alone; one that fits never is refused."""

import json
import logging
import re
import shutil

import numpy
import pytest
from safetensors.numpy import save_file

from studio.errors import ModelUnusable
from studio.language import current_language
from studio.modelfiles.adapter_check import check_adapter, require_adapter
from tests.support.model_folders import LAYER, RANK, WIDTH, cut, make_adapter, make_model

LAYERS, VOCABULARY = 3, 16
CONFIG = {
    "peft_type": "LORA",
    "base_model_name_or_path": "Qwen/Qwen3-8B",
    "r": RANK,
    "use_dora": False,
    "target_modules": ["q_proj"],
    "modules_to_save": None,
}


def write_base(folder, *, layers=LAYERS, width=WIDTH, weights=None, **config):
    folder.mkdir()
    described = {"model_type": "qwen2", "num_hidden_layers": layers, "hidden_size": width, **config}
    (folder / "config.json").write_text(json.dumps(described))
    shapes = {"model.embed_tokens.weight": (VOCABULARY, width), "lm_head.weight": (VOCABULARY, width)}
    for n in range(layers):
        shapes |= {f"model.layers.{n}.self_attn.q_proj.weight": (2 * width, width)}
        shapes |= {f"model.layers.{n}.mlp.down_proj.weight": (width, 4 * width)}
    save_shapes(folder / "model.safetensors", shapes | (weights or {}))
    return folder


def save_shapes(file, shapes):
    tensors = {name: numpy.zeros(shape, numpy.float16) for name, shape in shapes.items() if shape}
    save_file(tensors, file)


def matrices(*, layers=range(LAYERS), width=WIDTH, rank=RANK, module="self_attn.q_proj", out=None):
    shapes = {}
    for n in layers:
        path = f"base_model.model.model.layers.{n}.{module}"
        shapes[f"{path}.lora_A.weight"] = (rank, width)
        shapes[f"{path}.lora_B.weight"] = (out or 2 * width, rank)
    return shapes


def magnitudes(length=2 * WIDTH):
    path = "base_model.model.model.layers.{}.self_attn.q_proj.lora_magnitude_vector"
    return {path.format(n): (length,) for n in range(LAYERS)}


@pytest.fixture
def base(tmp_path):
    return write_base(tmp_path / "Qwen3-8B")


@pytest.fixture
def problems(tmp_path, base):
    """What is found about an adapter of these tensors and this config, on the base or on another one."""

    def check(shapes=None, on=base, **config):
        folder = tmp_path / "adapter"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
        save_shapes(folder / "adapter_model.safetensors", matrices() if shapes is None else shapes)
        return check_adapter(folder, on)

    return check


EMBEDDING = "base_model.model.model.embed_tokens"
FITTING = {
    "plain": ({}, {}),
    "names of an older peft": (
        {name.replace("lora_A.", "lora_A.default."): s for name, s in matrices().items()},
        {},
    ),
    "dora": (matrices() | magnitudes(), {"use_dora": True}),
    "a module trained whole": (
        matrices() | {f"{EMBEDDING}.weight": (VOCABULARY, WIDTH)},
        {"modules_to_save": ["embed_tokens"]},
    ),
    "lora on the embedding": (
        {f"{EMBEDDING}.lora_embedding_A": (RANK, VOCABULARY), f"{EMBEDDING}.lora_embedding_B": (WIDTH, RANK)},
        {"target_modules": ["embed_tokens"]},
    ),
    "some layers, as it asked for": (matrices(layers=[1]), {"layers_to_transform": [1]}),
    "some layers, by full paths": (
        matrices(layers=[1]),
        {"target_modules": ["model.layers.1.self_attn.q_proj"]},
    ),
    "a path that transformers knows otherwise": (
        {name.replace("model.layers", "model.language_model.layers"): s for name, s in matrices().items()},
        {},
    ),
    "ranks by a pattern": (matrices(rank=4), {"rank_pattern": {"q_proj": 4}}),
    "another method than LoRA": (
        {"base_model.model.prompt_embeddings": (8, 3)},
        {"peft_type": "PROMPT_TUNING"},
    ),
}


@pytest.mark.parametrize("kind", FITTING)
def test_an_adapter_of_this_base_fits(problems, kind):
    shapes, config = FITTING[kind]
    assert problems(shapes or None, **config) == []


@pytest.mark.parametrize(
    "named", ["", "/old/machine/models/Qwen3-8B", "Qwen/Qwen3-8B", "Qwen/qwen3-8b", None]
)
def test_a_moved_base_or_a_hub_id_is_no_reason(problems, named):
    assert problems(base_model_name_or_path=named) == []


def test_another_name_is_a_warning_that_is_logged_and_refuses_nothing(tmp_path, caplog):
    model = make_model(tmp_path / "model")
    adapter = make_adapter(tmp_path / "adapter", "someone/another-model")
    (problem,) = check_adapter(adapter, model)
    assert (problem.code, problem.severity) == ("adapter_base_name", "warning")
    with caplog.at_level(logging.WARNING):
        require_adapter(adapter, model)
    assert "someone/another-model" in caplog.text


BASES = {
    "its matrices are stored transposed, as GPT-2's": {
        "weights": {f"model.layers.{n}.self_attn.q_proj.weight": (WIDTH, 2 * WIDTH) for n in range(LAYERS)}
    },
    "its matrices are packed into 4 bit": {
        "quantization_config": {"load_in_4bit": True},
        "weights": {f"model.layers.{n}.self_attn.q_proj.weight": (WIDTH * WIDTH, 1) for n in range(LAYERS)},
    },
    "its files hold a draft layer that is not loaded": {
        "weights": {f"model.layers.{LAYERS}.self_attn.q_proj.weight": (2 * WIDTH, WIDTH)}
    },
}


@pytest.mark.parametrize("kind", BASES)
def test_a_base_that_loads_is_not_refused_because(problems, tmp_path, kind):
    assert problems(on=write_base(tmp_path / "base", **BASES[kind]), base_model_name_or_path="") == []


def test_experts_that_are_fused_while_they_are_loaded_are_left_to_the_loader(problems, tmp_path):
    experts = {f"model.layers.{n}.mlp.experts.0.up_proj.weight": (16, WIDTH) for n in range(LAYERS)}
    mixture = write_base(tmp_path / "base", weights=experts)
    shapes = matrices() | matrices(module="mlp.experts", out=64)
    assert problems(shapes, on=mixture, base_model_name_or_path="") == []


BELONGS = "Qwen/Qwen3-8B"
TOGETHER = "adapter_model.safetensors"
MISFITS = {
    "another width": (
        matrices(width=2 * WIDTH),
        {},
        "adapter_other_base",
        "32 x 16.*16 x 8.*2 more",
        BELONGS,
    ),
    "another output": (matrices(out=5), {}, "adapter_other_base", "q_proj is 5 x 8", BELONGS),
    "more layers": (
        matrices(layers=range(5)),
        {},
        "adapter_other_base",
        "layers 0-4, the base has no layer 3-4",
        BELONGS,
    ),
    "fewer layers": (
        matrices(layers=[0, 1]),
        {},
        "adapter_other_base",
        "layers 0-1 only, the base in 2",
        BELONGS,
    ),
    "modules of another architecture": (
        matrices(module="attn.c_attn"),
        {"target_modules": ["c_attn"]},
        "adapter_other_base",
        "no module c_attn; it has .*down_proj.*q_proj",
        BELONGS,
    ),
    "a classifier's head": (
        matrices() | {"base_model.model.score.weight": (10, WIDTH)},
        {"task_type": "SEQ_CLS", "modules_to_save": ["score"]},
        "adapter_other_base",
        "no module score",
        BELONGS,
    ),
    "dora without magnitudes": (
        {},
        {"use_dora": True},
        "adapter_config_mismatch",
        "has no lora_magnitude",
        TOGETHER,
    ),
    "magnitudes without dora": (
        matrices() | magnitudes(),
        {},
        "adapter_config_mismatch",
        "has a lora_magnitude",
        TOGETHER,
    ),
    "magnitudes of another width": (
        matrices() | magnitudes(5),
        {"use_dora": True},
        "adapter_other_base",
        "magnitude_vector is 5 .* 16",
        BELONGS,
    ),
    "a whole module that is not there": (
        {},
        {"modules_to_save": ["embed_tokens"]},
        "adapter_config_mismatch",
        "embed_tokens",
        TOGETHER,
    ),
    "a whole module of another width": (
        matrices() | {f"{EMBEDDING}.weight": (VOCABULARY + 3, 5)},
        {},
        "adapter_other_base",
        "19 x 5.*16 x 8",
        BELONGS,
    ),
    "a resized vocabulary": (
        matrices() | {f"{EMBEDDING}.weight": (VOCABULARY + 3, WIDTH)},
        {"modules_to_save": ["embed_tokens"]},
        "adapter_other_vocabulary",
        "has 19 tokens, the base .* has 16",
        "saved after that",
    ),
    "a head of another vocabulary": (
        {
            "base_model.model.lm_head.lora_A.weight": (RANK, WIDTH),
            "base_model.model.lm_head.lora_B.weight": (19, RANK),
        },
        {},
        "adapter_other_vocabulary",
        "19 tokens",
        BELONGS,
    ),
    "a config of another rank": ({}, {"r": 64}, "adapter_config_mismatch", "rank 2 and 2, r is 64", TOGETHER),
    "half of a pair": (
        {name: shape for name, shape in matrices().items() if "lora_B" not in name},
        {},
        "adapter_config_mismatch",
        "lacks lora_B",
        TOGETHER,
    ),
    "nothing, as ZeRO-3 leaves it": ({"nothing": ()}, {}, "adapter_empty", "empty", "stage3_gather"),
    "matrices of no numbers": (
        {name: (0,) for name in matrices()},
        {},
        "adapter_empty",
        "empty",
        "stage3_gather",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_a_misfit_is_one_error_that_says_where_and_what_to_do(problems, kind):
    shapes, config, code, where, remedy = MISFITS[kind]
    token = current_language.set("en")
    try:
        (problem,) = problems(shapes or None, **config)
    finally:
        current_language.reset(token)
    assert (problem.code, problem.severity) == (code, "error")
    assert re.search(where, problem.message), problem.message
    assert remedy in problem.remedy


def test_files_that_are_not_whole_are_told_apart(tmp_path):
    model = make_model(tmp_path / "model")
    adapter = make_adapter(tmp_path / "adapter", model)
    assert [problem.code for problem in check_adapter(tmp_path, model)] == ["adapter_config_missing"]
    cut(adapter / "adapter_model.safetensors", 50)
    with pytest.raises(ModelUnusable, match="adapter_model"):
        require_adapter(adapter, model)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert [problem.code for problem in check_adapter(adapter, model)] == ["bin_only"]
    require_adapter(adapter, model)  # who reads pickles asks whether that is allowed


def test_an_adapter_on_a_broken_base_tells_of_the_base(tmp_path):
    model = make_model(tmp_path / "model")
    adapter = make_adapter(tmp_path / "adapter", model)
    (model / "model.safetensors").unlink()
    assert [problem.code for problem in check_adapter(adapter, model)] == ["weights_missing"]
    (model / "pytorch_model.bin").write_bytes(b"")
    assert check_adapter(adapter, model) == []


def test_the_layer_of_the_adapter_is_named(tmp_path):
    model = make_model(tmp_path / "model")
    (problem,) = check_adapter(make_adapter(tmp_path / "adapter", "x", width=WIDTH * 2), model)
    assert LAYER in problem.message


def test_without_an_adapter_there_is_nothing_to_check(tmp_path):
    require_adapter(None, tmp_path / "nowhere")
