"""Small model folders on disk, complete and broken: config, tokenizer and safetensors of a few bytes."""

import json

import numpy
from safetensors.numpy import save_file

WIDTH, RANK = 8, 2

LAYER = "model.layers.0.self_attn.q_proj"

CONFIG = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": WIDTH}


def make_model(folder, width=WIDTH):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"hidden_size": width}))
    (folder / "tokenizer.json").write_text('{"added_tokens": [{"content": "<｜User｜>"}]}\n')
    (folder / "tokenizer_config.json").write_text("{}")
    save_file(tensors(width), folder / "model.safetensors")
    return folder


def make_adapter(folder, base, width=WIDTH):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    prefix = f"base_model.model.{LAYER}"
    shapes = {f"{prefix}.lora_A.weight": (RANK, width), f"{prefix}.lora_B.weight": (width, RANK)}
    save_file(
        {name: numpy.zeros(shape) for name, shape in shapes.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def split(folder):
    """Turn the single weight file into two shards and an index."""
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number, (name, tensor) in enumerate(tensors().items(), start=1):
        shard = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensor}, folder / shard)
        weight_map[name] = shard
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def tensors(width=WIDTH):
    shapes = {"model.embed_tokens.weight": (16, width), f"{LAYER}.weight": (width, width)}
    return {name: numpy.zeros(shape, dtype=numpy.float16) for name, shape in shapes.items()}
