"""Chinese names and explanations of the training settings; the English ones are TrainSpec's own.

One entry a field of TrainSpec, which a test checks: a field that is added there without a
Chinese text here fails the suite.
"""

from studio.contract import TrainSpec
from studio.language import say

FIELD_TEXTS: dict[str, tuple[str, str]] = {
    "format_version": ("文件版本", "这个文件的格式版本。"),
    "kind": ("任务", "要工作进程做的事。"),
    "stage": ("阶段", "sft：学会回答对话。pt：在纯文本上继续预训练。"),
    "model_name_or_path": ("基座模型", "基座模型的文件夹（配置、分词器、safetensors 权重）。"),
    "dataset_dir": ("数据集文件夹", "含 dataset_info.json 的文件夹，即冻结版本写出的那一个。"),
    "dataset": ("训练集", "用 dataset_info.json 里的哪一项来训练。"),
    "eval_dataset": ("评估集", "用哪一项来算留出损失和得分；留空则不评估。"),
    "finetuning_type": ("微调方式", "lora：冻结原权重，只学旁边的小矩阵。full：所有权重都学。"),
    "template": ("对话模板", "对话怎样拼成文本。auto：选适合这个模型的那一种。"),
    "cutoff_len": ("最长样本", "一条样本最多多少个词元；更长的不参加训练，并逐条列出。"),
    "learning_rate": ("学习率", "AdamW 步长的最高值。太大会学坏，太小学得慢。"),
    "num_train_epochs": ("训练轮数", "把训练集从头到尾学几遍。"),
    "max_steps": ("最多步数", "优化器走满这么多步就停；-1 表示由轮数决定。"),
    "per_device_train_batch_size": ("批大小", "一个设备一次看多少条样本。"),
    "gradient_accumulation_steps": ("梯度累积", "攒够多少批再更新一次权重。"),
    "lr_scheduler_type": ("学习率曲线", "预热之后学习率怎样下降。"),
    "warmup_ratio": ("预热比例", "开头多大比例的步数里，学习率从零升到最高。"),
    "weight_decay": ("权重衰减", "AdamW 把权重往零拉的力度。"),
    "max_grad_norm": ("梯度裁剪", "梯度长度超过这个值就缩短到这个值。"),
    "lora_rank": ("LoRA 秩", "每个适配矩阵有多少列，也就是它能记住多少东西。"),
    "lora_alpha": ("LoRA alpha", "适配器的输出乘以 alpha / 秩；留空则取秩的两倍。"),
    "lora_dropout": ("LoRA dropout", "训练时随机丢掉多大比例的适配器输入。"),
    "lora_target": ("LoRA 作用层", "all：除输出头以外的所有线性层；也可以写模块名，用逗号隔开。"),
    "loraplus_lr_ratio": ("LoRA+ 倍率", "矩阵 B 的学习率是 A 的多少倍；留空则不用 LoRA+。"),
    "use_rslora": ("rsLoRA", "改用 alpha / 根号秩 缩放，适合很大的秩。"),
    "use_dora": ("DoRA", "把方向和长度分开学，更慢一些。"),
    "direct_share": ("直答比例", "多大比例的样本再用空的思维链学一遍，让模型也会不写思维链直接作答。"),
    "label_weight": ("类别权重", "说出类别的词元（思维链里的和思维链之后的）在损失里算几倍。"),
    "seed": ("随机种子", "打乱顺序、适配器初值和 dropout 都由它决定；同一个种子得到同样的结果。"),
    "logging_steps": ("记录间隔", "损失曲线上两点之间隔多少步。"),
    "eval_steps": ("留出损失间隔", "隔多少步算一次留出损失；0 表示每轮一次。"),
    "save_steps": ("检查点间隔", "隔多少步存一个检查点；0 表示只在最后存。"),
    "evaluate_after": ("训练后评估", "训练完怎样回答评估集并打分：写思维链，或直接给类别打分。"),
    "eval_limit": ("评估条数", "最多评估多少条；留空则全部。"),
    "max_new_tokens": ("最长回答", "生成的回答最多多少个词元。"),
    "bf16": ("bf16", "用 bfloat16 计算；留空则在支持它的显卡上使用。"),
}


def field_label(name: str) -> str:
    """What a setting is called."""
    english = name.removeprefix("num_").removeprefix("per_device_").replace("_", " ")
    return say(FIELD_TEXTS[name][0], english[0].upper() + english[1:])


def field_help(name: str) -> str:
    """What a setting does, from the spec's own description or its Chinese twin, and its name there.

    The name is the one that users of transformers and LLaMA-Factory know.
    """
    text = say(FIELD_TEXTS[name][1], TrainSpec.model_fields[name].description or "")
    return f"`{name}`  \n{text}"
