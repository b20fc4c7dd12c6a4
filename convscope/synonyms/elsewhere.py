"""What other programs have and convscope has not, or has elsewhere: a sentence for each.

Our own options stand in backticks, as in every message; names are compared without case, hyphens
and underscores.
"""

SENTENCES = {
    "The test images are measured once, at the end; `convscope evaluate RUN` takes other splits, "
    "too.": "split eval_split",
    "Pretrained weights are named: `weights='torchvision:resnet50'`, timm:NAME, a file, a URL or "
    "a run folder; `pretrained` takes the published ones of `model`.": "imagenet transfer "
    "transfer_learning finetune",
    "Mixed precision is `precision='bf16'`, or fp16, which scales the loss by itself.": "apex_amp "
    "loss_scale grad_scaler",
    "Weights are 32-bit floating point; `precision='bf16'` computes the steps in fewer bits.":
    "model_dtype tf32 int8 quantize",
    "Evaluations compute in 32-bit floating point, whatever the `precision` of the steps.":
    "fp16_full_eval bf16_full_eval",
    "Each batch is mixed, by one lambda: with both `mixup` and `cutmix`, by either with equal "
    "probability.": "mixup_prob mixup_switch_prob mixup_mode cutmix_prob mix_prob",
    "`mixup` and `cutmix` mix images in all epochs; the box of cutmix has the area that lambda "
    "says.": "mixup_off_epoch cutmix_minmax",
    "Images are mixed by `mixup` and `cutmix` only, and a box is pasted rather than blackened.":
    "mosaic close_mosaic copy_paste copy_paste_mode cutout",
    "Random crops are chosen by `augment`: crop shifts, resized-crop takes `crop_scale` and "
    "`crop_ratio`, scaled-crop `resize_range`; the settings below it change geometry and colors.":
    "scale ratio train_crop_mode multi_scale perspective bgr grayscale_prob gaussian_blur_prob "
    "blur aug_repeats aug_splits ra_sampler ra_reps train_interpolation train_img_sizes "
    "train_size_probs train_size_schedule train_size_schedule_spread train_size_random_mix "
    "train_batch_sizes variable_batch_loss_scale",
    "Mirror images by `horizontal_flip` and `vertical_flip`, each a probability.": "flip",
    "Choose `auto_augment='rand-augment'`, with `magnitude` and `num_ops`, or "
    "`auto_augment='trivial-augment'`.": "randaugment trivialaugment augmix_severity augmix",
    "A rectangle becomes the mean color with probability `random_erasing`.": "remode recount "
    "resplit",
    "Colors are changed by `brightness`, `contrast`, `saturation` and `hue`, one by one, or all by "
    "`augment='photo'`.": "color_jitter color_jitter_prob jitter",
    "Transforms are one function, `augment=module:attr`; in Python an object, too.": "transforms "
    "train_transform transform",
    "`ema` averages the weights after every step, where they are; its decay rises by itself.":
    "model_ema_steps model_ema_force_cpu model_ema_warmup ema_warmup ema_overwrite_frequency",
    "From `swa_start` on the rate is `swa_lr`, at once.": "swa_anneal_epochs annealing_epochs "
    "annealing_strategy swa_anneal_strategy",
    "Under torchrun, batch norm normalizes with the images of each process, and its running "
    "statistics are those of all.": "sync_bn sync_batchnorm use_synced_bn dist_bn split_bn",
    "Start the same command by torchrun, which says how many processes there are and where; each "
    "takes its part of a batch, on its own GPU.": "world_size dist_url "
    "dist_backend local_rank rank nodes num_nodes nproc_per_node multi_gpu distributed "
    "multiprocessing_distributed no_ddp_bb ddp ddp_backend "
    "ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph "
    "ddp_timeout fsdp_config deepspeed strategy parallelism_config accelerator_config "
    "synchronize_step average_tokens_across_devices save_on_each_node log_on_each_node "
    "data_parallel eval_use_gather_object tpu",
    "Dropout is a part of the network: choose a network that has it, or write it as a row of a "
    "layer table.": "dropout drop drop_rate dropout_rate drop_path drop_path_rate drop_connect "
    "drop_block stochastic_depth_prob",
    "`freeze` takes the name of a layer: it and all layers before it are frozen; body is all but "
    "the last.": "freeze_layers freeze_until freeze_at unfreeze trainable",
    "The best and the newest weights are kept; the state is saved every `checkpoint_seconds`.":
    "save save_period save_steps save_strategy save_freq save_every save_interval "
    "save_total_limit save_best save_best_only save_last save_model save_only_model "
    "checkpoint_hist recovery_interval enable_jit_checkpoint "
    "nosave checkpoint_every ",
    "An interrupted training goes on by the command `convscope resume RUN`, in Python "
    "convscope.resume(run).": "resume resume_from_checkpoint resume_from start_epoch "
    "initial_epoch no_resume_opt resume_path auto_resume continue last_epoch ignore_data_skip "
    "restore_callback_states_from_checkpoint",
    "A trained network is measured by `convscope evaluate RUN`, and answers by `convscope predict "
    "RUN IMAGE`; train itself measures the test images once, at the end.": "evaluate eval do_eval "
    "do_predict do_train test_only eval_only validate val_only test_mode inference mode",
    "A folder with train, val and test inside is split as it says; DATA is that folder.":
    "val_dir val_data validation_dir validation_data val_path test_dir test_data test_path "
    "train_split val_images valid_dir",
    "All images are used; for a shorter training, set `steps` or `max_minutes`.":
    "max_train_samples max_eval_samples fraction train_num_samples val_num_samples "
    "limit_train_batches subset max_samples num_samples epoch_repeats fast_dev_run "
    "overfit_batches",
    "`max_minutes` limits the training, in minutes.": "time max_time max_hours time_limit hours "
    "timeout",
    "An epoch is one pass over all training images; for another length, set `steps`, the batches "
    "in all.": "steps_per_epoch train_steps_per_epoch train_batches_per_epoch validation_steps "
    "steps_per_execution",
    "Validation follows every epoch, on all validation images.": "val_interval eval_strategy "
    "eval_steps eval_delay eval_on_start validation_freq evaluation_strategy val_freq eval_freq "
    "check_val_every_n_epoch val_check_interval eval_interval",
    "The batch size is the same in training and validation: `batch_size`.":
    "validation_batch_size vb auto_find_batch_size",
    "A step takes `batch_size` images `accumulate` times; evaluations are in batches that fit.":
    "nbs eval_accumulation_steps",
    "There are three optimizers: sgd with `momentum`, or `nesterov` too, adamw with PyTorch's "
    "constants, and rmsprop with alpha 0.9 and eps 0.0316.": "opt_eps opt_betas betas beta1 beta2 "
    "adam_beta1 adam_beta2 adam_epsilon eps epsilon dampening amsgrad rho alpha "
    "opt_kwargs optim_args optim_target_modules adam adagrad lamb lars lion",
    "The rate is `lr`, given as it is: no `lr` is worked out from a base by the batch size if you "
    "set it.": "lr_base lr_base_size lr_base_scale base_lr blr scale_lr auto_scale_lr lr_scale "
    "linear_scaling",
    "`lr_schedule` fixes where the rate ends: cosine goes down to 0.": "lrf min_lr lr_min "
    "final_lr eta_min end_lr lr_end cosine_end lr_noise lr_noise_pct lr_noise_std lr_cycle_mul "
    "lr_cycle_decay lr_cycle_limit lr_k_decay cooldown_epochs sched_on_updates "
    "lr_scheduler_kwargs t_max min_learning_rate t_0 t_mult",
    "`convscope lr-find DATA` tries learning rates and suggests one.": "lr_range_test lr_find "
    "lr_finder auto_lr_find",
    "The rate rises linearly from 0 within `warmup_epochs`, which may be a fraction such as "
    "0.5.": "warmup_lr warmup_steps warmup_ratio warmup_momentum warmup_bias_lr warmup_prefix "
    "lr_warmup_method lr_warmup_decay num_warmup_steps warmup_iters warmup_iterations "
    "warmup_factor warmup_proportion lr_warmup_steps",
    "`lr_schedule='step'` multiplies the rate by `lr_gamma` at `lr_milestones`, which are "
    "fractions of the training, such as 0.5 0.75.": "decay_milestones lr_step_size step_size "
    "decay_epochs lr_decay_epochs lr_step lr_drop_epochs drop_every lr_decay_steps step_lr",
    "It meant the inverse: for 10, write `lr_gamma=0.1`, the factor itself.": "drop_by",
    "`weight_decay` holds for all weights alike.": "norm_weight_decay bias_weight_decay "
    "transformer_embedding_decay no_weight_decay l1 l1_reg layer_decay_no_opt_scale "
    "filter_bias_and_bn",
    "It could be the decay of the weights or of the rate: `weight_decay` or `lr_gamma`.": "decay "
    "reg regularization",
    "`backbone_lr_scale` multiplies the rate of all layers but the last.": "backbone_lr "
    "layer_decay layer_decay_min_scale head_lr encoder_lr lr_backbone discriminative_lr "
    "differential_lr head_lr_mult",
    "Gradients are limited by the norm of all together: `clip_grad_norm`.": "clip_mode clipvalue "
    "agc",
    "The loss is cross-entropy; `label_smoothing` and `class_weights` change it.": "loss loss_fn "
    "loss_function criterion jsd_loss bce_loss bce_sum bce_target_thresh bce_pos_weight focal "
    "focal_loss focal_gamma cls cls_pw weighted_metrics auto_scale_loss prediction_loss_only "
    "task_loss_weight",
    "For classes of different sizes there are `class_weights='balanced'` and "
    "`sampling='balanced'`.": "sample_weight sample_weights imbalanced balance imbalance "
    "class_balance rebalance weighted_sampling loss_weight",
    "Networks are trained on labels alone, without a teacher.": "distill_model dis kd_model_name "
    "kd_distill_type kd_loss_type distill_loss_weight kd_temperature kd_student_feature_dim "
    "kd_teacher_feature_dim kd_token_distill_type teacher teacher_model distillation",
    "The images are shuffled in every epoch; `sampling` has another order.": "shuffle no_shuffle",
    "`seed` sets weights, order and augmentation, `split_seed` the splits.": "data_seed "
    "worker_seeding",
    "The same settings, machine and number of threads give the same bits; `seed` chooses other "
    "ones.": "deterministic full_determinism use_deterministic_algorithms reproducible "
    "cudnn_benchmark benchmark deterministic_algorithms",
    "Decoded images are kept where `cache` says, and are read or decoded ahead of their "
    "use.": "pin_mem pin_memory no_pin_memory prefetch "
    "prefetch_factor persistent_workers no_prefetcher use_multi_epochs_loader "
    "dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor "
    "dataloader_multiprocessing_context dataloader_in_order",
    "The last, smaller batch of an epoch is always trained on.": "drop_last dataloader_drop_last",
    "`input_size` is the size that the network gets, and `resize_mode` how images are brought to "
    "it.": "resize rect crop_pct interpolation val_resize_size val_crop_size resize_size "
    "center_crop crop keep_aspect_ratio image_interpolation use_v2 antialias",
    "The number of classes is that of the data.": "num_classes classes nc num_labels n_classes "
    "nb_classes single_cls",
    "The classes are named by the folders or by the labels of the CSV file.": "labels_file "
    "class_names_path",
    "Images are read from folders and CSV files.": "input_img_mode dataset_config_name "
    "dataset_trust_remote_code trust_remote_code remove_unused_columns length_column_name "
    "batch_format x y dataset_format",
    "Named data sets are downloaded when they are needed; `data_dir` is a folder that has them.":
    "dataset_download download cache_dir data_cache no_download",
    "Options of a network are written in your own function, module:attr, or in a layer table.":
    "model_kwargs model_args gp global_pool head_init_scale head_init_bias bn_momentum bn_eps "
    "bn_tf use_bn batch_norm hidden_size num_layers activation act cls_remap dnn width_mult "
    "fast_norm fuser torchscript jit scripting device_modules attn num_heads patch_size "
    "config_name",
    "Memory is laid out by what runs the steps, `engine`.": "channels_last memory_format "
    "grad_checkpointing gradient_checkpointing gradient_checkpointing_kwargs "
    "activation_checkpointing activation_checkpointing_kwargs torch_empty_cache_steps "
    "skip_memory_metrics",
    "`engine` chooses what runs the steps, and `compile` is torch.compile.": "jit_compile "
    "run_eagerly torch_compile_backend torch_compile_mode backend executor use_liger_kernel "
    "liger_kernel_config",
    "Loss and accuracy of each epoch are printed and kept in metrics.jsonl of the run folder; "
    "report.html shows the curves.": "verbose quiet silent v q log_interval log_freq log_every "
    "log_every_n_steps print_freq print_every logging_steps logging_strategy logging_first_step "
    "logging_dir logging_nan_inf_filter log_level log_level_replica disable_tqdm "
    "no_progress progress progress_bar enable_progress_bar plots plot save_plots "
    "save_images show history profile debug_mode "
    "include_num_input_tokens_seen trackio_space_id trackio_bucket_id "
    "trackio_static_space_id profiler",
    "`log=wandb` logs to W&B, which reads its own variables: WANDB_PROJECT, WANDB_ENTITY, "
    "WANDB_NAME, WANDB_TAGS, WANDB_MODE; a resume goes on with the same run.": "wandb_project "
    "wandb_entity wandb_tags wandb_resume_id wandb_name wandb_mode wandb_id",
    "`log=mlflow` logs to MLflow, which reads its own variables: MLFLOW_TRACKING_URI, "
    "MLFLOW_EXPERIMENT_NAME.": "mlflow_tracking_uri tracking_uri mlflow_experiment mlflow_uri "
    "mlflow_experiment_name",
    "`log` takes csv, tensorboard, mlflow and wandb.": "comet neptune clearml aim dvclive trackio "
    "comet_ml",
    "Accuracy, F1, balanced accuracy and loss are always measured; `metric` says which one "
    "chooses the best weights.": "metrics include_for_metrics batch_eval_metrics compute_metrics "
    "greater_is_better eval_do_concat_batches monitor_mode",
    "A training never overwrites another; `out` names a new run folder.": "exist_ok overwrite "
    "overwrite_output_dir force resume_or_overwrite clean",
    "A run is a folder on this machine; copy it to share it.": "push_to_hub hub_token "
    "hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision token use_auth_token "
    "model_revision upload",
    "Callbacks are objects: in Python, convscope.train takes a list of convscope.Callback.":
    "callbacks callback plugins hooks",
    "Predictions are for one view of each image.": "tta num_crops ten_crop n_crops",
    "Objects are found with `task='detection'`; `convscope predict RUN IMAGE` shows them, and its "
    "help says which are kept.": "conf iou max_det nms agnostic_nms box dfl save_txt save_conf "
    "save_json show_labels show_conf show_boxes line_width",
    "Objects have boxes; there are no masks, poses or tracks.": "pose kobj rle angle dlog dgrad "
    "dlam overlap_mask mask_ratio retina_masks vid_stride stream_buffer tracker save_frames "
    "save_crop embed visualize",
    "A finished training is exported by `convscope export RUN -o FOLDER`.": "export onnx simplify "
    "opset workspace dynamic optimize tflite coreml",
    "It belongs to other kinds of networks.": "use_cache neftune_noise_alpha naflex_loader "
    "naflex_train_seq_lens naflex_max_seq_len naflex_patch_sizes naflex_patch_size_probs "
    "naflex_loss_scale naflex_patchify_channels_first feature_extractor_name image_processor_name "
    "ignore_mismatched_sizes",
}  # fmt: skip
"""By the sentence: the settings of a training that it answers."""

OF_COMMANDS = {
    "evaluate": {
        "All metrics are printed, and --json prints them for programs.": "metrics metric f1 "
        "accuracy confusion confusion_matrix verbose plots save_json output out o "
        "per_class",
        "The images are prepared as they were in the training.": "resize crop_pct interpolation "
        "augment channels in_channels",
        "The network computes in 32-bit floating point, however it was trained.": "amp half fp16 "
        "bf16 amp_dtype dtype precision mixed_precision",
    },
    "predict": {
        "The answers are printed; write them to a file with `> answers.csv`.": "out save "
        "save_txt output_dir save_dir save_json output_file save_csv save_conf project name "
        "exist_ok",
        "Every image gets its most probable classes with their probabilities; `top` says how "
        "many.": "probabilities probs proba",
        "The network computes in 32-bit floating point, however it was trained.": "amp half fp16 "
        "bf16 amp_dtype dtype precision mixed_precision",
        "The images are prepared as they were in the training.": "resize crop_pct interpolation "
        "augment channels in_channels",
    },
    "explain": {
        "`at` takes a class too, as in fc[cat], where fc is the last layer; without it, the most "
        "probable class is explained.": "class label category target_class class_index class_idx "
        "cls target_category",
        "explain shows the exact arithmetic of a unit; maps over a whole image are those of "
        "`convscope attribute`.": "method gradcam saliency lrp shap lime integrated_gradients "
        "heatmap attribution cam visualize output show plot out o colormap",
        "`depth` says how far `trace_back` goes.": "steps hops",
    },
    "summary": {
        "The table is printed; write it to a file with `> table.md` behind `format='markdown'`.":
        "output out o save save_to",
        "The table has all of its columns: size, stride, maps, parameters, multiply-adds, "
        "receptive field.": "col_names columns verbose row_settings col_width params flops macs "
        "receptive_field mult_adds show_input show_weights memory",
        "One image goes through the network.": "batch_size batch batch_dim b bs",
    },
    "lab": {
        "The page is for this machine alone, unless `host` says otherwise; then the printed URL "
        "has a token.": "share public token auth password share_url",
        "It runs until Ctrl+C.": "reload debug_server daemon background detach workers",
    },
    "geometry": {
        "Every filter and unit has a bias, unless `no_bias` is set.": "bias use_bias",
        "A depthwise convolution has as many `groups` as channels.": "depthwise separable",
        "The number of channels belongs to the size, as in 32x32x3.": "in_channels channels "
        "in_chans depth input_channels",
        "One image is counted.": "batch batch_size b",
    },
    "resume": {
        "A training goes on with its own settings, in its own folder.": "out output output_dir lr "
        "learning_rate batch_size batch optimizer",
    },
    "models": {
        'A pattern stands by itself: `convscope models "vgg*"`.':
            "filter search grep name query find",
    },
    "train": {
    },
}  # fmt: skip
"""By command and sentence: what the other commands are asked for."""

WITHOUT_EFFECT = {
    "Images are decoded by threads of this process, as many as help; `threads` is for the "
    "computation.": "workers num_workers j dataloader_num_workers nw n_workers loader_workers",
}  # fmt: skip
"""What is accepted and changes nothing, with the sentence that says so."""
