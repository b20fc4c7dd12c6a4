#!/usr/bin/env python3
"""Write docs/flags.md: what convscope does with the flags of other programs.

The lists are those of Ultralytics 8.4 (what `yolo classify` reads of its default.yaml), timm's
train.py of August 2026, torchvision's references/classification/train.py, Keras 3.15 (fit and
compile), and transformers 5.24 (TrainingArguments and run_image_classification.py), by name alone.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "flags.md"
sys.path.insert(0, str(ROOT))

from convscope import synonyms  # noqa: E402
from convscope.cli.messages import in_flags  # noqa: E402
from convscope.errors import RequestError  # noqa: E402
from convscope.training.config import TrainConfig  # noqa: E402
from convscope.training.setting import settings_of  # noqa: E402

KNOWN = ["data", "out", "config", "folds", "repeats", *settings_of(TrainConfig)]
"""What `convscope train` takes."""

OTHERS = {
    "Ultralytics: `yolo classify train`": """
        task mode model data epochs time patience batch imgsz save save_period cache device
        workers project name exist_ok pretrained cls_remap optimizer verbose seed deterministic
        single_cls rect cos_lr close_mosaic resume amp fraction profile freeze multi_scale
        compile channels_last dropout val split plots augment lr0 lrf momentum weight_decay
        warmup_epochs warmup_momentum warmup_bias_lr distill_model dis cls cls_pw nbs hsv_h
        hsv_s hsv_v degrees translate scale shear perspective flipud fliplr bgr mosaic mixup
        cutmix copy_paste copy_paste_mode auto_augment erasing cfg""",
    "timm: `train.py`": """
        config c data_dir dataset train_split val_split train_num_samples val_num_samples
        dataset_download class_map input_img_mode input_key target_key dataset_trust_remote_code
        model pretrained pretrained_path initial_checkpoint resume no_resume_opt num_classes gp
        img_size in_chans input_size crop_pct interpolation batch_size b validation_batch_size
        vb channels_last fuser grad_accum_steps grad_checkpointing fast_norm model_kwargs
        head_init_scale head_init_bias torchcompile_mode torchscript torchcompile device amp
        amp_dtype model_dtype no_ddp_bb synchronize_step device_modules opt opt_eps opt_betas
        momentum weight_decay clip_grad clip_mode layer_decay layer_decay_min_scale
        layer_decay_no_opt_scale opt_kwargs sched sched_on_updates lr lr_base lr_base_size
        lr_base_scale lr_noise lr_noise_pct lr_noise_std lr_cycle_mul lr_cycle_decay
        lr_cycle_limit lr_k_decay warmup_lr min_lr epochs epoch_repeats start_epoch
        decay_milestones decay_epochs warmup_epochs warmup_prefix cooldown_epochs
        patience_epochs decay_rate dr no_aug train_crop_mode scale ratio hflip vflip
        color_jitter color_jitter_prob grayscale_prob gaussian_blur_prob aa aug_repeats
        aug_splits jsd_loss bce_loss bce_sum bce_target_thresh bce_pos_weight reprob remode
        recount resplit mixup cutmix cutmix_minmax mixup_prob mixup_switch_prob mixup_mode
        mixup_off_epoch smoothing train_interpolation drop drop_connect drop_path drop_block
        bn_momentum bn_eps sync_bn dist_bn split_bn model_ema model_ema_force_cpu
        model_ema_decay model_ema_warmup seed worker_seeding log_interval val_interval
        recovery_interval checkpoint_hist j workers save_images pin_mem no_prefetcher output
        experiment eval_metric tta use_multi_epochs_loader log_wandb wandb_project wandb_tags
        wandb_resume_id train_img_sizes train_batch_sizes train_size_probs train_size_schedule
        train_size_schedule_spread train_size_random_mix train_batches_per_epoch
        train_steps_per_epoch variable_batch_loss_scale naflex_loader naflex_train_seq_lens
        naflex_max_seq_len naflex_patch_sizes naflex_patch_size_probs naflex_loss_scale
        naflex_patchify_channels_first kd_model_name kd_distill_type kd_loss_type
        distill_loss_weight task_loss_weight kd_temperature kd_student_feature_dim
        kd_teacher_feature_dim kd_token_distill_type""",
    "torchvision: `references/classification/train.py`": """
        data_path model device batch_size b epochs workers j opt lr momentum wd weight_decay
        norm_weight_decay bias_weight_decay transformer_embedding_decay label_smoothing
        mixup_alpha cutmix_alpha lr_scheduler lr_warmup_epochs lr_warmup_method lr_warmup_decay
        lr_step_size lr_gamma lr_min print_freq output_dir resume start_epoch cache_dataset
        sync_bn test_only pretrained auto_augment ra_magnitude augmix_severity random_erase amp
        world_size dist_url model_ema model_ema_steps model_ema_decay
        use_deterministic_algorithms interpolation val_resize_size val_crop_size train_crop_size
        clip_grad_norm ra_sampler ra_reps weights backend use_v2""",
    "Keras: `compile` and `fit`": """
        x y batch_size epochs verbose callbacks validation_split validation_data shuffle
        class_weight sample_weight initial_epoch steps_per_epoch validation_steps
        validation_batch_size validation_freq optimizer loss loss_weights metrics
        weighted_metrics run_eagerly steps_per_execution jit_compile auto_scale_loss
        learning_rate clipnorm global_clipnorm clipvalue ema_momentum use_ema
        gradient_accumulation_steps monitor patience restore_best_weights factor""",
    "Transformers: `TrainingArguments` and `run_image_classification.py`": """
        output_dir per_device_train_batch_size num_train_epochs max_steps learning_rate
        lr_scheduler_type lr_scheduler_kwargs warmup_steps optim optim_args weight_decay
        adam_beta1 adam_beta2 adam_epsilon optim_target_modules gradient_accumulation_steps
        average_tokens_across_devices max_grad_norm label_smoothing_factor bf16 fp16
        bf16_full_eval fp16_full_eval tf32 activation_checkpointing
        activation_checkpointing_kwargs gradient_checkpointing gradient_checkpointing_kwargs
        torch_compile torch_compile_backend torch_compile_mode use_liger_kernel
        liger_kernel_config use_cache neftune_noise_alpha torch_empty_cache_steps
        auto_find_batch_size logging_strategy logging_steps logging_first_step log_on_each_node
        logging_nan_inf_filter include_num_input_tokens_seen log_level log_level_replica
        disable_tqdm report_to run_name project trackio_space_id trackio_bucket_id
        trackio_static_space_id eval_strategy eval_steps eval_delay per_device_eval_batch_size
        prediction_loss_only eval_on_start eval_do_concat_batches eval_use_gather_object
        eval_accumulation_steps include_for_metrics batch_eval_metrics save_only_model
        save_strategy save_steps save_on_each_node save_total_limit enable_jit_checkpoint
        push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push
        hub_revision load_best_model_at_end metric_for_best_model greater_is_better
        ignore_data_skip restore_callback_states_from_checkpoint full_determinism seed data_seed
        use_cpu accelerator_config parallelism_config dataloader_drop_last
        dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers
        dataloader_prefetch_factor dataloader_multiprocessing_context dataloader_in_order
        remove_unused_columns label_names train_sampling_strategy length_column_name
        ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph
        ddp_backend ddp_timeout fsdp fsdp_config deepspeed debug skip_memory_metrics do_train
        do_eval do_predict resume_from_checkpoint local_rank dataset_name dataset_config_name
        train_dir validation_dir train_val_split max_train_samples max_eval_samples
        image_column_name label_column_name model_name_or_path model_type config_name cache_dir
        model_revision image_processor_name token trust_remote_code ignore_mismatched_sizes""",
}


OTHER_MEANING = {
    "data_dir": "Here it is where named data sets are searched; the images to train on are `DATA`.",
    "freeze": "Here it takes the name of the last layer to freeze, or body for all but the last.",
    "pretrained": "The same, for --model timm:NAME, torchvision:NAME and networks of the zoo that "
    "torchvision has.",
    "val": "Here it is the fraction of the images held out.",
    "augment": "Here it is none, crop or resized-crop, each also with -flip.",
    "mixup": "Here, as in timm, it is alpha of the Beta distribution, not how often to mix.",
    "cutmix": "Here, as in timm, it is alpha of the Beta distribution, not how often to mix.",
    "debug": "Here it shows the traceback of an error.",
}
"""Flags that are called the same and take something else."""


def answer(name: str) -> str:
    """What `convscope train` does with a flag; "" for one that nobody knows."""
    if said := OTHER_MEANING.get(name):
        return said
    if synonyms.key(name) in synonyms.PARTS_OF_OUT:
        return "With --project P --name N the run folder is P/N; without --project, runs/N."
    try:
        meaning = synonyms.meaning(name, KNOWN)
    except RequestError as error:
        return in_flags(str(error).partition(". ")[2])
    return "" if meaning is None else _described(name, meaning)


def _described(name: str, meaning: synonyms.Meaning) -> str:
    flag = f"--{meaning.name.replace('_', '-')}"
    if not meaning.name:
        return in_flags("Accepted, without effect. " + meaning.note.partition(". ")[2])
    if meaning.value is not None:
        return f"`{flag} {meaning.value}`"
    if not meaning.note and synonyms.key(name) == synonyms.key(meaning.name):
        return "the same"
    note = meaning.note.partition("; ")[2]
    return f"`{flag}`" + (f"; {in_flags(note)}" if note else "")


def write() -> str:
    """The page as Markdown."""
    lines = [
        "# Flags of other programs",
        "",
        "What `convscope train` does with the flags that you are used to; hyphens, underscores and",
        "case do not matter, and `imgsz=64` is read like `--imgsz 64`. The same words work as",
        "settings in Python and in a file for `--config`. `scripts/flags.py` writes this page.",
        "",
    ]
    for program, flags in OTHERS.items():
        lines += [f"## {program}", "", *_table(flags.split()), ""]
    return "\n".join(lines)


def _table(flags: Iterable[str]) -> list[str]:
    rows: dict[str, list[str]] = {}
    for flag in flags:
        rows.setdefault(answer(flag), []).append(_as_typed(flag))
    order = sorted(rows, key=lambda said: (said != "the same", not said.startswith("`")))
    return ["| theirs | convscope |", "| --- | --- |"] + [
        f"| {', '.join(f'`{flag}`' for flag in rows[said])} | {said} |" for said in order
    ]


def _as_typed(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written.")
