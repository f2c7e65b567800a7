"""Translate each key of a LLaMA-Factory file, by a converter where its meaning differs."""

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

from studio.contract import OptimizerName, SchedulerName, Stage, TrainSpec
from studio.language import say
from studio.training.settings_file._keys import DEFAULTS, FAMILIES, IGNORED, OPTIMIZERS, REFUSED, TEMPLATES
from studio.training.settings_file._notes import Note

Given = Mapping[str, Any]
_SAME = (
    "dataset_dir",
    "train_on_prompt",
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "weight_decay",
    "max_grad_norm",
    "seed",
    "lora_rank",
    "lora_dropout",
    "use_rslora",
    "use_dora",
    "pissa_init",
    "pissa_iter",
    "freeze_trainable_layers",
    "double_quantization",
    "quantization_type",
    "logging_steps",
    "load_best_model_at_end",
    "max_new_tokens",
    "cutoff_len",
    "model_name_or_path",
    "val_size",
    "pref_beta",
    "dpo_label_smoothing",
    "kto_chosen_weight",
    "kto_rejected_weight",
)
"""Fields of the same name and meaning in both tools."""
_OPTIONAL = ("early_stopping_steps", "save_total_limit", "loraplus_lr_ratio", "neftune_noise_alpha")
"""Fields of the same name and meaning, where 0, false or an empty text means off."""
_LISTS = ("lora_target", "additional_target", "freeze_trainable_modules", "freeze_extra_modules")
"""Fields that name modules: a list, or one text with commas."""
_ADAM = {"adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8}


def read_key(key: str, value: Any, given: Given) -> Note | None:
    """Translate a key in the context of the whole file; None if neither tool has it."""
    try:
        if key in _SPECIAL:
            return _SPECIAL[key](key, value, given)
        return _read_field(key, value) or _read_foreign(key, value)
    except (TypeError, ValueError):
        return _refused(key, value, say("这个值不能用", "this value cannot be used"))


def is_on(value: Any) -> bool:
    """Return whether a switch or an option of the file is set to anything but off."""
    return value not in (None, False, "", 0, "none", "None", "null", "false", "False") and value not in (
        [],
        {},
    )


def _read_field(key: str, value: Any) -> Note | None:
    """Translate a key that TrainSpec has too; None for others, and for fields of this studio alone."""
    if key in _SAME:
        return _taken(key, value) if value is not None else _ignored(key, value, say("没有填", "empty"))
    if key in _OPTIONAL:
        return _taken(key, value if is_on(value) else None)
    return _names(key, value) if key in _LISTS else None


def _read_foreign(key: str, value: Any) -> Note | None:
    """Refuse or ignore a key of LLaMA-Factory alone; accept one of this studio alone; None if unknown."""
    if key in _ADAM:
        return _adam(key, value)
    if key in REFUSED:
        if is_on(value):
            return _refused(key, value, say(*REFUSED[key]))
        return _ignored(key, value, say("没有启用，与这里一样", "off, as it is here"))
    if key in IGNORED:
        return _ignored(key, value, say(*IGNORED[key]))
    reason = next((reason for start, reason in FAMILIES.items() if key.startswith(start)), None)
    if reason:
        return _ignored(key, value, say(*reason))
    return _taken(key, value) if key in TrainSpec.model_fields else None


def _taken(key: str, value: Any) -> Note:
    return Note(key=key, value=value, outcome="taken", sets={key: value})


def _ignored(key: str, value: Any, text: str) -> Note:
    return Note(key=key, value=value, outcome="ignored", text=text)


def _not_done(key: str, value: Any, text: str) -> Note:
    return Note(key=key, value=value, outcome="not_done", text=text)


def _translated(key: str, value: Any, text: str, **sets: Any) -> Note:
    return Note(key=key, value=value, outcome="translated", text=text, sets=sets)


def _refused(key: str, value: Any, text: str) -> Note:
    return Note(key=key, value=value, outcome="refused", text=text)


def _adam(key: str, value: Any) -> Note:
    if value is None or float(value) == _ADAM[key]:
        return _ignored(key, value, say("就是 AdamW 的默认值，与这里一样", "AdamW's default, as it is here"))
    return _refused(
        key, value, say("AdamW 的这个参数不能改", "this parameter of AdamW cannot be changed here")
    )


def _names(key: str, value: Any) -> Note:
    text = ",".join(map(str, value)) if isinstance(value, list) else value
    if not is_on(text):
        fallback = "all" if key in ("lora_target", "freeze_trainable_modules") else None
        return _translated(key, value, say("留空的意思一样", "empty means the same"), **{key: fallback})
    return _taken(key, text)


def _stage(key: str, value: Any, given: Given) -> Note:
    if value == "dpo" and given.get("pref_loss") == "orpo":
        text = say("这里是一个阶段：orpo", "a stage of its own here: orpo")
        return _translated(key, value, text, stage="orpo")
    if value in get_args(Stage):
        return _taken(key, value)
    choices = ", ".join(get_args(Stage))
    return _refused(key, value, say(f"这里的阶段有 {choices}", f"the stages here are {choices}"))


def _preference_loss(key: str, value: Any, given: Given) -> Note:
    if value in ("sigmoid", "ipo", "hinge"):
        return _taken(key, value)
    if value == "orpo" and given.get("stage") in ("dpo", "orpo"):
        return _ignored(key, value, say("由阶段决定：orpo", "decided by the stage: orpo"))
    if given.get("stage") != "dpo":
        return _ignored(key, value, say("属于阶段 dpo", "belongs to stage dpo"))
    return _refused(
        key,
        value,
        say("这里有 sigmoid、ipo、hinge、orpo", "the losses here are sigmoid, ipo, hinge and orpo"),
    )


def _preference_nll(key: str, value: Any, given: Given) -> Note:
    if is_on(value) and given.get("stage") == "kto":
        text = say("KTO 在这里没有这一项", "KTO has no such term here")
        return _not_done(key, value, text)
    return _taken(key, value if value is not None else 0.0)


def _method(key: str, value: Any, given: Given) -> Note:
    if value in ("lora", "freeze", "full"):
        return _taken(key, value)
    return _refused(
        key, value, say("这里有 lora、freeze、full", "the methods here are lora, freeze and full")
    )


def _template(key: str, value: Any, given: Given) -> Note:
    name = str(value or "empty")
    if name in TEMPLATES:
        found = TEMPLATES[name]
        if found == name:
            return _taken(key, name)
        return _translated(key, value, say("这里叫这个名字", "its name here"), template=found)
    text = say(
        "这里没有这个模板，改用模型自带的对话模板",
        "there is no such template here; the chat template of the model itself is used",
    )
    return _translated(key, value, text, template="tokenizer")


def _dataset(key: str, value: Any, given: Given) -> Note:
    names = value if isinstance(value, list) else [part.strip() for part in str(value or "").split(",")]
    names = [name for name in names if name]
    if len(names) > 1:
        text = say(
            "一次训练用一个数据集；把它们一起导入，再冻结成一个版本",
            "a run trains on one dataset; import them all and freeze one version",
        )
        return _refused(key, value, text)
    if not names:
        return _ignored(key, value, say("没有填", "empty"))
    sets: dict[str, Any] = {key: names[0]}
    return Note(key=key, value=value, outcome="taken", sets=sets)


def _adapter(key: str, value: Any, given: Given) -> Note:
    names = value if isinstance(value, list) else str(value or "").split(",")
    names = [name.strip() for name in names if name.strip()]
    if len(names) > 1:
        return _refused(
            key, value, say("只能从一个适配器继续训练", "training can continue from one adapter only")
        )
    if not names:
        return _ignored(key, value, say("没有填", "empty"))
    return _taken(key, names[0])


def _alpha(key: str, value: Any, given: Given) -> Note:
    if is_on(value):
        return _taken(key, value)
    rank = int(given.get("lora_rank") or str(DEFAULTS["lora_rank"]))
    text = say("留空是秩的两倍", "empty means twice the rank")
    return _translated(key, value, text, lora_alpha=2 * rank)


def _bits(key: str, value: Any, given: Given) -> Note:
    if not is_on(value):
        return _taken(key, None)
    if str(value) in ("4", "8"):
        return _taken(key, int(value))
    return _refused(key, value, say("这里可以量化到 4 或 8 位", "quantization here is to 4 or 8 bits"))


def _quantizer(key: str, value: Any, given: Given) -> Note:
    if str(value) in ("bnb", "bitsandbytes") or not is_on(given.get("quantization_bit")):
        return _ignored(key, value, say("这里总用 bitsandbytes", "always bitsandbytes here"))
    text = say("改用 bitsandbytes，位数不变", "bitsandbytes is used instead, with as many bits")
    return _translated(key, value, text)


def _precision(key: str, value: Any, given: Given) -> Note:
    if key == "bf16":
        if is_on(given.get("pure_bf16")):
            return _ignored(key, value, say("由 pure_bf16 决定", "decided by pure_bf16"))
        text = say("关或留空：由显卡决定", "off or empty: decided by the GPU")
        return _taken(key, True) if is_on(value) else _translated(key, value, text, bf16=None)
    if not is_on(value):
        return _ignored(key, value, say("没有启用", "off"))
    if key == "pure_bf16":
        text = say(
            "用 bf16 计算，参加训练的权重仍是 float32",
            "computes in bf16; trained weights stay in float32",
        )
        return _translated(key, value, text, bf16=True)
    text = say(
        "这里不用 float16；显卡支持时用 bf16",
        "float16 is not used here; bf16 where the GPU supports it",
    )
    return _translated(key, value, text, bf16=None)


def _checkpointing(key: str, value: Any, given: Given) -> Note:
    wanted = is_on(value) if key == "gradient_checkpointing" else not is_on(value)
    if key == "gradient_checkpointing":
        return _taken(key, True if wanted else None)
    if wanted:
        text = say(
            "只在内存不够时才重算，结果一样，更快",
            "recomputes only where memory is short; same result, faster",
        )
        return _translated(key, value, text, gradient_checkpointing=None)
    text = say("相当于这里的“关”", "the same as off here")
    return _translated(key, value, text, gradient_checkpointing=False)


def _packing(key: str, value: Any, given: Given) -> Note:
    if not is_on(value):
        return _ignored(key, value, say("没有启用", "off"))
    if given.get("stage") == "pt":
        return _ignored(key, value, say("预训练总把文本首尾相接", "pre-training always joins the texts"))
    text = say(
        "样本首尾相接，互不可见；每步的样本数不变",
        "samples are packed end to end without seeing each other; the same number of samples a step",
    )
    return _translated(key, value, text, padding_free=True)


def _optimizer(key: str, value: Any, given: Given) -> Note:
    name = str(value)
    if name in get_args(OptimizerName):
        return _taken(key, name)
    if name in OPTIMIZERS:
        return _translated(key, value, say("同一种优化器", "the same optimizer"), optim=OPTIMIZERS[name])
    choices = ", ".join(get_args(OptimizerName))
    return _refused(key, value, say(f"这里可用：{choices}", f"available here: {choices}"))


def _schedule(key: str, value: Any, given: Given) -> Note:
    if value in get_args(SchedulerName):
        return _taken(key, value)
    choices = ", ".join(get_args(SchedulerName))
    return _refused(key, value, say(f"这里可用：{choices}", f"available here: {choices}"))


def _schedule_numbers(key: str, value: Any, given: Given) -> Note:
    numbers = json.loads(value) if isinstance(value, str) and value.strip().startswith("{") else value
    if not is_on(numbers) or numbers == {}:
        return _taken(key, {})
    return _taken(key, numbers)


def _warmup(key: str, value: Any, given: Given) -> Note:
    number = float(value or 0)
    if key == "warmup_steps" and 0 < number < 1:
        text = say("小于 1 是比例", "below 1 it is a share")
        return _translated(key, value, text, warmup_ratio=number)
    return _taken(key, int(number) if key == "warmup_steps" else number)


def _eval_when(key: str, value: Any, given: Given) -> Note:
    if key == "eval_steps":
        if str(given.get("eval_strategy", given.get("evaluation_strategy", "steps"))) != "steps":
            return _ignored(key, value, say("eval_strategy 不是 steps", "eval_strategy is not steps"))
        if value and float(value) < 1:
            text = say("总步数的比例；这里每轮一次", "a share of all steps; after every epoch here")
            return _translated(key, value, text, eval_steps=0)
        return _taken(key, int(value or 0))
    if value == "epoch":
        return _translated(key, value, say("每轮一次", "after every epoch"), eval_steps=0)
    if value == "steps" and "eval_steps" not in given:
        steps = int(given.get("logging_steps") or 0)
        return _translated(
            key, value, say("与记录间隔相同", "as often as the loss is logged"), eval_steps=steps
        )
    return _ignored(key, value, say("由 eval_steps 和数据决定", "decided by eval_steps and the data"))


def _save_when(key: str, value: Any, given: Given) -> Note:
    if key == "save_steps":
        off = str(given.get("save_strategy", "steps")) != "steps"
        if off or (value and float(value) < 1):
            text = say("只在最后保存检查点", "a checkpoint at the end only")
            return _translated(key, value, text, save_steps=0)
        return _taken(key, int(value or 0))
    if value == "steps":
        return _ignored(key, value, say("由 save_steps 决定", "decided by save_steps"))
    return _translated(key, value, say("只在最后保存检查点", "a checkpoint at the end only"), save_steps=0)


def _best_by(key: str, value: Any, given: Given) -> Note:
    if value in ("eval_loss", "loss", None, ""):
        return _taken(key, "eval_loss")
    text = say(
        "LLaMA-Factory 的 accuracy 是词元准确率；这里用类别准确率",
        "LLaMA-Factory's accuracy is of tokens; here it is of categories",
    )
    return _translated(key, value, text, metric_for_best_model="category_accuracy")


def _accuracy(key: str, value: Any, given: Given) -> Note:
    text = say("这里算的是类别准确率，不是词元的", "accuracy here is of categories, not of tokens")
    return _translated(key, value, text, eval_category_accuracy=is_on(value))


def _thinking(key: str, value: Any, given: Given) -> Note:
    if is_on(value):
        return _ignored(
            key, value, say("数据里的思维链总会参加训练", "think chains in the data are always trained on")
        )
    text = say(
        "这里不会删掉数据里的思维链；要学直接回答，用 direct_share",
        "think chains are not cut out of the data; for direct answers use direct_share",
    )
    return _refused(key, value, text)


def _rows(key: str, value: Any, given: Given) -> Note:
    if not is_on(value) or float(value) >= 100_000:
        return _ignored(key, value, say("没有限制", "no limit"))
    text = say(
        "那里只用每个数据集的前若干行；这里用全部。想少用一些，冻结一个小的版本",
        "only the first rows of a dataset are used there; here every row is. For fewer, freeze a smaller "
        "version",
    )
    return _not_done(key, value, text)


def _report(key: str, value: Any, given: Given) -> Note:
    if not is_on(value) or value == ["none"]:
        return _ignored(key, value, say("没有启用，与这里一样", "off, as it is here"))
    text = say(
        "不发送到外部的实验记录工具；曲线和日志留在工作区",
        "nothing is sent to an experiment tracker; curve and log stay in the workspace",
    )
    return _not_done(key, value, text)


def _sharding(key: str, value: Any, given: Given) -> Note:
    if not is_on(value):
        return _ignored(key, value, say("没有启用，与这里一样", "off, as it is here"))
    text = say(
        "不在多卡之间切分模型：每张卡都要放得下整个模型；多卡用 accelerate 或 torchrun 启动",
        "the model is not sharded over several GPUs: each has to hold all of it; start several GPUs by "
        "accelerate or torchrun",
    )
    return _not_done(key, value, text)


_Converter = Callable[[str, Any, Given], Note]
_SPECIAL: Mapping[str, _Converter] = {
    "stage": _stage,
    "pref_loss": _preference_loss,
    "pref_ftx": _preference_nll,
    "finetuning_type": _method,
    "template": _template,
    "dataset": _dataset,
    "eval_dataset": _dataset,
    "adapter_name_or_path": _adapter,
    "lora_alpha": _alpha,
    "quantization_bit": _bits,
    "quantization_method": _quantizer,
    "bf16": _precision,
    "fp16": _precision,
    "pure_bf16": _precision,
    "gradient_checkpointing": _checkpointing,
    "disable_gradient_checkpointing": _checkpointing,
    "packing": _packing,
    "neat_packing": _packing,
    "optim": _optimizer,
    "lr_scheduler_type": _schedule,
    "lr_scheduler_kwargs": _schedule_numbers,
    "warmup_ratio": _warmup,
    "warmup_steps": _warmup,
    "eval_strategy": _eval_when,
    "evaluation_strategy": _eval_when,
    "eval_steps": _eval_when,
    "save_strategy": _save_when,
    "save_steps": _save_when,
    "metric_for_best_model": _best_by,
    "compute_accuracy": _accuracy,
    "enable_thinking": _thinking,
    "max_samples": _rows,
    "report_to": _report,
    "deepspeed": _sharding,
    "fsdp": _sharding,
    "fsdp_config": _sharding,
}

KNOWN = frozenset({*TrainSpec.model_fields, *IGNORED, *REFUSED, *_SPECIAL, *_ADAM})
"""Every key that this studio or LLaMA-Factory has."""
