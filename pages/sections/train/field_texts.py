"""Name and explain the training settings in Chinese; the English texts are TrainSpec's own.

One entry a field of TrainSpec, which a test checks: a field that is added there without a
Chinese text here fails the suite.
"""

from pages.shared.text import TOKEN_NOTE
from studio.contract import TrainSpec
from studio.language import say

FIELD_TEXTS: dict[str, tuple[str, str]] = {
    "format_version": ("文件版本", "这个文件的格式版本。"),
    "kind": ("任务", "要工作进程做的事。"),
    "stage": (
        "阶段",
        "sft：用对话做有监督微调。pt：在纯文本上继续预训练。dpo、kto、orpo：用偏好对训练。",
    ),
    "model_name_or_path": ("基座模型", "基座模型的文件夹（配置、分词器、safetensors 权重）。"),
    "dataset_dir": ("数据集文件夹", "含 dataset_info.json 的文件夹，即冻结版本写出的那一个。"),
    "dataset": ("训练集", "用 dataset_info.json 里的哪一项来训练。"),
    "eval_dataset": ("评估集", "用哪一项来算留出损失和得分；留空则不评估。"),
    "finetuning_type": (
        "微调方式",
        "lora：冻结原权重，只训练旁边的小矩阵。freeze：只训练其中几层。full：训练所有权重。",
    ),
    "template": ("对话模板", "对话怎样拼成文本。auto：选适合这个模型的那一种。"),
    "cutoff_len": ("最长样本", "一条样本最多多少个词元；更长的按“超长样本”处理。" + TOKEN_NOTE[0]),
    "learning_rate": ("学习率", "AdamW 学习率的峰值。太大会发散，太小学得慢。"),
    "num_train_epochs": ("训练轮数", "训练集完整训练几遍。"),
    "max_steps": ("最多步数", "优化器走满这么多步就停止；-1 表示由轮数决定。"),
    "per_device_train_batch_size": ("批大小", "一个设备一次看多少条样本。"),
    "gradient_accumulation_steps": ("梯度累积", "攒够多少批再更新一次权重。"),
    "lr_scheduler_type": ("学习率曲线", "预热之后学习率怎样下降。"),
    "warmup_ratio": ("预热比例", "开头多大比例的步数里，学习率从零升到最高。"),
    "weight_decay": ("权重衰减", "AdamW 的权重衰减系数。"),
    "max_grad_norm": ("梯度裁剪", "梯度范数超过这个值就裁剪到这个值。"),
    "lora_rank": ("LoRA 秩", "适配矩阵的秩，决定适配器的容量。"),
    "lora_alpha": ("LoRA alpha", "适配器的输出乘以 alpha / 秩；留空则取秩的两倍。"),
    "lora_dropout": ("LoRA dropout", "训练时随机丢掉多大比例的适配器输入。"),
    "lora_target": ("LoRA 作用层", "all：除输出头以外的所有线性层；也可以写模块名，用逗号隔开。"),
    "loraplus_lr_ratio": ("LoRA+ 倍率", "矩阵 B 的学习率是 A 的多少倍；留空则不用 LoRA+。"),
    "use_rslora": ("rsLoRA", "改用 alpha / 根号秩 缩放，适合很大的秩。"),
    "use_dora": ("DoRA", "把权重的方向和大小分开训练，更慢一些。"),
    "direct_share": ("直答比例", "多大比例的样本再用空的思维链学一遍，让模型也会不写思维链直接作答。"),
    "label_weight": ("类别权重", "写出类别的词元（思维链里的和思维链之后的）在损失里的权重。"),
    "seed": ("随机种子", "打乱顺序、适配器初值和 dropout 都由它决定；同一个种子得到同样的结果。"),
    "logging_steps": ("记录间隔", "损失曲线上两点之间隔多少步。"),
    "eval_steps": ("留出损失间隔", "隔多少步算一次留出损失；0 表示每轮一次。"),
    "save_steps": ("检查点间隔", "隔多少步存一个检查点；0 表示只在最后存。"),
    "evaluate_after": ("训练后评估", "训练结束后怎样回答评估集并打分：写思维链，或直接给类别打分。"),
    "eval_limit": ("评估条数", "最多评估多少条；留空则全部。"),
    "max_new_tokens": ("最长回答", "生成的回答最多多少个词元。" + TOKEN_NOTE[0]),
    "adapter_name_or_path": ("起始适配器", "从这个 LoRA 适配器继续训练；留空则新建一个。"),
    "val_size": ("验证集大小", "没有评估集时，从训练集里留出多少：小于 1 是比例，否则是条数。"),
    "overlong": ("超长样本", "drop：不参加训练并列出。cut_chain：把思维链截短到放得下。error：停止训练。"),
    "train_on_prompt": ("训练提示词", "问题也计入损失；不选则只训练回答。"),
    "padding_free": ("不填充", "一批样本首尾相接，不用填充；留空则在显卡上、模型支持时使用。"),
    "optim": ("优化器", "8bit 的优化器状态只占四分之一的内存。"),
    "lr_scheduler_kwargs": ("曲线参数", "学习率曲线要用的数字，例如 min_lr_rate: 0.1、num_cycles: 2。"),
    "warmup_steps": ("预热步数", "学习率从零升到最高用多少步；大于 0 时优先于预热比例。"),
    "neftune_noise_alpha": ("NEFTune 噪声", "训练时给词向量加噪声；留空则不加。"),
    "additional_target": (
        "额外训练模块",
        "整个参加训练、和适配器一起保存的模块，如 embed_tokens；用逗号隔开。",
    ),
    "pissa_init": ("PiSSA", "用权重里最主要的方向做适配器的初值。"),
    "pissa_iter": ("PiSSA 迭代", "快速分解迭代多少次；-1 表示精确分解。"),
    "freeze_trainable_layers": ("训练层数", "哪些层参加训练：n 是最后 n 层，-n 是最前 n 层。"),
    "freeze_trainable_modules": ("层内模块", "all，或这些层里的模块名（self_attn、mlp），用逗号隔开。"),
    "freeze_extra_modules": ("层外模块", "层外也参加训练的模块（embed_tokens、norm、lm_head），用逗号隔开。"),
    "quantization_bit": ("量化位数", "QLoRA：冻结的权重用 4 或 8 位保存；留空则不量化。"),
    "quantization_type": ("4 位格式", "nf4 比 fp4 更贴合权重的分布。"),
    "double_quantization": ("双重量化", "4 位权重的缩放系数也量化。"),
    "gradient_checkpointing": ("梯度检查点", "激活值用时重算，省内存但更慢；留空则只在内存不够时使用。"),
    "eval_category_accuracy": ("途中准确率", "每次算留出损失时，也直接给留出样本的类别打分。"),
    "early_stopping_steps": ("提前停止", "连续这么多个留出点没有变好就停；留空则不停。"),
    "load_best_model_at_end": ("取最好的检查点", "训练结束时用留出表现最好的检查点，而不是最后一个。"),
    "metric_for_best_model": ("最优标准", "eval_loss：留出损失最低。category_accuracy：类别准确率最高。"),
    "save_total_limit": ("检查点数目", "除最好的以外最多留几个检查点；留空则全留。"),
    "pref_beta": (
        "beta",
        "DPO 和 KTO 的 beta：越大，越不许离开参考模型。ORPO：胜率比这一项的权重。",
    ),
    "pref_loss": (
        "偏好损失",
        "DPO 的损失。sigmoid：最初的那种。ipo：两个回答拉开到 beta 说的程度为止，适合对数少或有错的。"
        "hinge：SLiC。",
    ),
    "pref_ftx": (
        "似然权重",
        "DPO 之外再加选中回答的负对数似然，这是它的权重；不加的话，选中的回答也可能变得不像样。",
    ),
    "dpo_label_smoothing": ("标签平滑", "假定有多大比例的偏好对写反了（sigmoid 损失）。"),
    "kto_chosen_weight": ("选中权重", "KTO：选中的回答的权重。"),
    "kto_rejected_weight": ("落选权重", "KTO：落选的回答的权重。"),
    "allow_few_pairs": ("允许少量偏好对", "少于 100 个偏好对，或全是同一个类别时也照样训练。"),
    "bf16": ("bf16", "用 bfloat16 计算；留空则在支持它的显卡上使用。"),
}


_SPELLED = {
    "lora": "LoRA",
    "loraplus": "LoRA+",
    "rslora": "rsLoRA",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "neftune": "NEFTune",
    "lr": "rate",
    "optim": "optimizer",
    "pref": "preference",
    "ftx": "likelihood",
    "dpo": "DPO",
    "kto": "KTO",
    "kwargs": "numbers",
    "len": "length",
    "init": "start",
    "iter": "iterations",
}
"""Parts of the names as they are written in words."""


def field_label(name: str) -> str:
    """Name a setting."""
    words = name.removeprefix("num_").removeprefix("per_device_").split("_")
    english = " ".join(_SPELLED.get(word, word) for word in words)
    english = english.replace("accumulation steps", "accumulation")  # the longest one; its row is narrow
    return say(FIELD_TEXTS[name][0], english[0].upper() + english[1:] if english[1:2].islower() else english)


def field_help(name: str) -> str:
    """Explain a setting by the spec's description or its Chinese counterpart, with its name in the spec.

    The name is the one that users of transformers and LLaMA-Factory know.
    """
    text = say(FIELD_TEXTS[name][1], TrainSpec.model_fields[name].description or "")
    return f"`{name}`  \n{text}"
