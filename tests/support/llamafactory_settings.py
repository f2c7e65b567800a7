"""Settings files with the keys of LLaMA-Factory's examples and board."""

LORA = """
### model
model_name_or_path: somebody/Model-8B-Instruct
trust_remote_code: true
### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_alpha: null
lora_target: all
### dataset
dataset: news_train
template: llama3
cutoff_len: 2048
max_samples: 1000
overwrite_cache: true
preprocessing_num_workers: 16
### output
output_dir: saves/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
report_to: none
### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""

QLORA = """quantization_bit: 4
quantization_method: bnb
val_size: 0.1
per_device_eval_batch_size: 1
eval_strategy: steps
eval_steps: 500
"""

FULL = """stage: sft
do_train: true
finetuning_type: full
deepspeed: ds_z3_config.json
dataset: news
template: qwen3_nothink
learning_rate: 1.0e-5
pure_bf16: true
"""

PRETRAIN = """stage: pt
do_train: true
finetuning_type: lora
lora_target: q_proj,v_proj
dataset: texts
cutoff_len: 1024
packing: true
"""

BOARD = {
    "top.model_name": "DeepSeek-R1-7B-Distill",
    "top.finetuning_type": "lora",
    "top.quantization_bit": "none",
    "top.template": "deepseekr1",
    "top.booster": "auto",
    "top.checkpoint_path": [],
    "train.training_stage": "Supervised Fine-Tuning",
    "train.dataset": ["news_train"],
    "train.learning_rate": "5e-6",
    "train.num_train_epochs": "3.0",
    "train.compute_type": "bf16",
    "train.batch_size": 2,
    "train.gradient_accumulation_steps": 2,
    "train.lora_rank": 8,
    "train.lora_alpha": 16,
    "train.loraplus_lr_ratio": 16,
    "train.lora_target": "",
    "train.neftune_alpha": 0,
    "train.extra_args": '{"optim": "adamw_torch"}',
    "train.use_galore": False,
    "train.swanlab_link": "",
    "train.ppo_score_norm": False,
    "eval.batch_size": 2,
}
