"""List the keys of LLaMA-Factory that TrainSpec lacks: ignored, refused, renamed.

Source: LLaMA-Factory 0.9.x (hparams) and transformers' TrainingArguments.
"""

from collections.abc import Mapping

Reason = tuple[str, str]

OUTPUT: Reason = (
    "运行文件夹由工作区决定，也从不覆盖别的运行",
    "the workspace has a folder for every run and overwrites none",
)
SPEED: Reason = ("只影响速度或内存，这里自动选择", "changes speed or memory only; chosen by itself here")
ROWS: Reason = (
    "数据怎样读入和缓存，不影响学什么",
    "how rows are read and cached; what is learned is the same",
)
CURVES: Reason = ("曲线、日志和词元数总会记录", "curve, log and token counts are always kept")
HUB: Reason = ("训练时不从网上取也不上传", "nothing is fetched from or sent to a hub while training")
CODE: Reason = ("从不运行模型自带的代码", "code that a model brings is never run")
STAGES: Reason = (
    "属于这里没有的训练阶段或损失（奖励模型、PPO、SimPO、BCO）",
    "belongs to a stage or a loss that is not here (reward model, PPO, SimPO, BCO)",
)
METHODS: Reason = ("属于没有启用的方法", "belongs to a method that is off")
MEDIA: Reason = ("用于图像、视频或音频模型", "for models of images, video or sound")
ANSWERS: Reason = (
    "生成回答时的设置；这里的评估总取最可能的词元",
    "about generating; evaluation here always takes the likeliest token",
)
CARDS: Reason = (
    "多卡训练用 accelerate 或 torchrun 启动，设置里不写",
    "several GPUs: start it by accelerate or torchrun; not part of the spec",
)
WORK: Reason = ("要做的事在这里由命令决定", "the command decides what is done here")
TURNS: Reason = ("样本只有一问一答，没有影响", "no effect on samples of one turn")
ONE_SET: Reason = ("一次训练只用一个数据集", "a run trains on one dataset")


def _all(reason: Reason, keys: str) -> dict[str, Reason]:
    return dict.fromkeys(keys.split(), reason)


IGNORED: Mapping[str, Reason] = {
    **_all(
        OUTPUT,
        "output_dir overwrite_output_dir logging_dir run_name save_only_model save_safetensors"
        " resume_from_checkpoint logging_first_step logging_strategy disable_tqdm log_level"
        " print_param_status",
    ),
    **_all(
        SPEED,
        "flash_attn enable_liger_kernel use_liger_kernel use_unsloth use_unsloth_gc use_reentrant_gc"
        " upcast_layernorm upcast_lmhead_output low_cpu_mem_usage tf32 torch_compile torch_empty_cache_steps"
        " group_by_length length_column_name auto_find_batch_size per_device_eval_batch_size"
        " eval_accumulation_steps use_kv_cache use_v1_kernels use_cce booster use_fast_tokenizer"
        " gradient_checkpointing_kwargs optim_args use_cpu eval_batch_size train_sampling_strategy"
        " mtp_loss_weight use_hyper_parallel",
    ),
    **_all(
        ROWS,
        "overwrite_cache preprocessing_num_workers preprocessing_batch_size dataloader_num_workers"
        " dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor"
        " dataloader_drop_last data_seed remove_unused_columns buffer_size data_shared_file_system"
        " tokenized_path cache_dir media_dir ignore_pad_token_for_loss streaming eval_on_each_dataset"
        " tool_format split_special_tokens",
    ),
    **_all(
        CURVES,
        "plot_loss include_num_input_tokens_seen include_tokens_per_second include_mfu"
        " include_effective_tokens_per_second use_swanlab swanlab_project swanlab_workspace swanlab_run_name"
        " swanlab_mode swanlab_api_key swanlab_logdir swanlab_lark_webhook_url swanlab_lark_secret project"
        " trackio_space_id hub_private_repo wandb_project use_trackio",
    ),
    **_all(
        HUB,
        "hf_hub_token ms_hub_token om_hub_token push_to_hub hub_model_id hub_strategy hub_token hub_revision"
        " model_revision hub_name export_hub_model_id",
    ),
    **_all(CODE, "trust_remote_code"),
    **_all(
        STAGES,
        "pref_bco_weight simpo_gamma ppo_buffer_size ppo_epochs ppo_score_norm ppo_target"
        " ppo_whiten_rewards ref_model ref_model_adapters ref_model_quantization_bit reward_model"
        " reward_model_adapters reward_model_quantization_bit reward_model_type ld_alpha ranking",
    ),
    **_all(
        METHODS,
        "galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise"
        " apollo_target apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type"
        " apollo_scale_type apollo_layerwise apollo_scale_front badam_mode badam_start_block"
        " badam_switch_mode badam_switch_interval badam_update_ratio badam_mask_mode badam_verbose"
        " module_dropout oft_rank oft_block_size oft_target loraplus_lr_embedding pissa_convert"
        " init_special_tokens moe_aux_loss_coef quantization_device_map fp8_backend"
        " fp8_enable_fsdp_float8_all_gather kt_optimize_rule cpu_infer chunk_size mode num_layer_trainable"
        " asft_alpha eaft_alpha",
    ),
    **_all(
        MEDIA,
        "image_max_pixels image_min_pixels image_do_pan_and_scan crop_to_patches video_max_pixels"
        " video_min_pixels video_fps video_maxlen use_audio_in_video audio_sampling_rate freeze_vision_tower"
        " freeze_multi_modal_projector freeze_language_model visual_inputs",
    ),
    **_all(
        ANSWERS,
        "predict_with_generate do_sample temperature top_p top_k num_beams eval_num_beams repetition_penalty"
        " length_penalty skip_special_tokens max_length generation_max_length infer_backend infer_dtype"
        " offload_folder",
    ),
    **_all(
        CARDS,
        "ddp_timeout ddp_find_unused_parameters ds_stage ds_offload device_count"
        " local_rank ray_run_name ray_storage_path ray_storage_filesystem ray_num_workers"
        " resources_per_worker placement_strategy ray_init_kwargs master_addr master_port",
    ),
    **_all(
        WORK, "do_train do_eval do_predict eval_delay prediction_loss_only greater_is_better lang config_path"
    ),
    **_all(TURNS, "mask_history preserve_thinking efficient_eos"),
    **_all(ONE_SET, "mix_strategy interleave_probs"),
}
"""Keys without effect on what is learned here, and why."""

FAMILIES: Mapping[str, Reason] = {
    **_all(CURVES, "swanlab_ trackio_ wandb_"),
    **_all(HUB, "hub_"),
    **_all(METHODS, "galore_ apollo_ badam_ kt_"),
    **_all(STAGES, "ppo_ pref_ ref_model_ reward_model_"),
    **_all(CARDS, "ray_ ddp_ fsdp_"),
    **_all(ANSWERS, "vllm_ sglang_ export_"),
}
"""Prefixes of further ignored keys: such families grow with every release."""

_OPTIMIZER: Reason = (
    "这里没有这种优化器；可用 adamw_8bit 或 QLoRA 省内存",
    "there is no such optimizer here; adamw_8bit or QLoRA save memory",
)
_LOSS: Reason = ("这里只有交叉熵损失", "the loss here is cross-entropy only")
_VOCABULARY: Reason = ("词表不能在训练中改变", "the vocabulary cannot change in training")
_MODEL: Reason = ("不能在训练时改变模型结构", "the architecture of the model cannot change in training")

REFUSED: Mapping[str, Reason] = {
    **_all(_OPTIMIZER, "use_galore use_apollo use_badam use_adam_mini use_muon"),
    **_all(_LOSS, "use_dft_loss use_asft_loss use_eaft_loss label_smoothing_factor"),
    **_all(_VOCABULARY, "resize_vocab add_tokens add_special_tokens new_special_tokens_config"),
    **_all(
        _MODEL,
        "use_llama_pro shift_attn mixture_of_depths rope_scaling train_from_scratch use_kt use_mca fp8",
    ),
    "create_new_adapter": (
        "不能把旧适配器并进基座再新建；先导出合并后的模型",
        "an old adapter is not merged under a new one; export the merged model first",
    ),
    "default_system": (
        "样本的系统提示写在数据里",
        "a system prompt belongs in the data",
    ),
    "disable_shuffling": ("训练总是按种子打乱顺序", "rows are always shuffled, by the seed"),
}
"""Keys that change what is learned in a way that is not supported here; refused where they are on."""

BOARD: Mapping[str, str] = {
    "batch_size": "per_device_train_batch_size",
    "neftune_alpha": "neftune_noise_alpha",
    "training_stage": "stage",
    "checkpoint_path": "adapter_name_or_path",
    "model_name": "model_name_or_path",
}
"""Names of these settings in llamaboard_config.yaml, the file of LLaMA-Factory's web page."""
BOARD_STAGES = {
    "Supervised Fine-Tuning": "sft",
    "Pre-Training": "pt",
    "Reward Modeling": "rm",
    "PPO": "ppo",
    "DPO": "dpo",
    "KTO": "kto",
}

PREFERENCE_DEFAULTS: Mapping[str, object] = {"pref_beta": 0.1, "pref_ftx": 0.0}
"""The same for a file about preference pairs."""
DEFAULTS: Mapping[str, object] = {
    "cutoff_len": 2048,
    "learning_rate": 5e-5,
    "num_train_epochs": 3.0,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "lr_scheduler_type": "linear",
    "warmup_ratio": 0.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "lora_rank": 8,
    "seed": 42,
}
"""Defaults of a LLaMA-Factory run for keys that its file omits: its own and transformers'."""

TEMPLATES: Mapping[str, str] = {
    "default": "default",
    "qwen": "qwen",
    "qwen3": "qwen3",
    "qwen3_nothink": "qwen3",
    "deepseek3": "deepseek3",
    "deepseekr1": "deepseekr1",
    "chatml": "chatml",
    "chatml_de": "chatml",
    "empty": "auto",
}
OPTIMIZERS: Mapping[str, str] = {
    "adamw_hf": "adamw_torch",
    "adamw_apex_fused": "adamw_torch_fused",
    "adamw_bnb_8bit": "adamw_8bit",
    "paged_adamw": "adamw_torch",
    "paged_adamw_32bit": "adamw_torch",
}
