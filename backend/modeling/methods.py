"""Make a model trainable by the spec's method, save what it trained, and merge the result."""

from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from backend.modeling.adapters import continue_adapter, new_adapter, save_adapter
from backend.modeling.layer_freezing import freeze_layers
from backend.modeling.loading import dtype_for_use, load_model, on_device
from studio.contract import TrainSpec


def make_trainable(model: PreTrainedModel, spec: TrainSpec) -> PreTrainedModel | PeftModel:
    """Make the parameters trainable that the spec asks for, in float32.

    Raises:
        ModelUnusable: the spec names a module or more layers than this model has, with the
            valid ones; or an adapter that does not fit it.
    """
    if spec.finetuning_type == "full":
        model.float().train()
        return model
    if spec.finetuning_type == "freeze":
        return freeze_layers(model, spec)
    adapted = continue_adapter(model, spec) if spec.adapter_name_or_path else new_adapter(model, spec)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return adapted


def save_trained(model: PreTrainedModel | PeftModel, folder: Path, spec: TrainSpec) -> None:
    """Write what was trained: an adapter of LoRA, the whole model of the other methods."""
    if isinstance(model, PeftModel):
        save_adapter(model, folder, spec.model_name_or_path)
    else:
        model.save_pretrained(folder)


def finished_model(model: PreTrainedModel | PeftModel, spec: TrainSpec, checkpoint: Path) -> PreTrainedModel:
    """Merge the trained model into what loading its checkpoint gives, to evaluate it in this process.

    An adapter on a quantized or rounded base is reloaded onto the base as it is on disk:
    that is what is served, and merging into 4 bit would round most of the adapter away.
    """
    rounded = dtype_for_use() == torch.float32 and any(p.dtype == torch.bfloat16 for p in model.parameters())
    if spec.quantization_bit or rounded:
        is_adapter = isinstance(model, PeftModel)
        loaded = load_model(spec.model_name_or_path, checkpoint) if is_adapter else load_model(checkpoint)
        return on_device(loaded)
    finished: PreTrainedModel = model.merge_and_unload() if isinstance(model, PeftModel) else model
    kinds = {parameter.dtype for parameter in finished.parameters() if parameter.is_floating_point()}
    # A frozen bfloat16 part beside a learned float32 part computes only under autocast.
    return finished.to(torch.bfloat16) if len(kinds) > 1 else finished  # type: ignore[arg-type]
