"""What other programs, and people, call our options; options, settings and keywords alike.

Written by hand, in any spelling: case, hyphens and underscores do not count.
"""

SYNONYMS = {
    "data": "data_path dataset dataset_name dataset_dir dataset_path data_root root root_dir "
    "train_dir train_data train_data_dir training_data input_dir images_dir image_dir "
    "image_folder folder source input d",
    "out": "output_dir output outdir out_dir output_path output_folder o save_dir save_path "
    "save_to log_dir logdir run_dir run_folder result_dir results_dir results checkpoint_dir "
    "ckpt_dir dest destination target_dir model_dir",
    "config": "cfg config_file config_path yaml toml c",
    "val": "validation_split val_split train_val_split val_size val_fraction val_ratio "
    "validation_size validation_fraction validation_ratio validation valid_pct valid_split "
    "valid_size dev_split",
    "test": "test_size test_split test_fraction test_ratio",
    "split_seed": "split_random_state",
    "image_column": "image_column_name image_col path_column path_col file_column filename_column "
    "x_col input_key",
    "label_column": "label_column_name label_col target_column target_col class_column y_col "
    "target_key",
    "task": "problem_type task_type",
    "grades": "grade_order ordinal_classes",
    "group_column": "group_col patient_column patient_id patient_id_column subject_column groups "
    "group_by",
    "group_pattern": "group_regex patient_pattern group_re",
    "class_names": "class_labels class_list class_map classnames categories label_names labels "
    "names names_file label_map",
    "mean": "img_mean image_mean pixel_mean norm_mean normalize_mean",
    "std": "img_std image_std pixel_std norm_std normalize_std standard_deviation",
    "resize_mode": "resize_method fit image_fit",
    "window": "hu_window ct_window voi_window window_level dicom_window windowing",
    "duplicates": "duplicate_images on_duplicates",
    "max_corrupt_fraction": "max_unreadable max_corrupt",
    "augment": "augmentation augmentations data_augmentation aug augs",
    "crop_padding": "random_crop_padding padding pad",
    "crop_padding_mode": "padding_mode pad_mode padding_type",
    "crop_scale": "random_resized_crop_scale rrc_scale crop_area",
    "crop_ratio": "random_resized_crop_ratio rrc_ratio aspect_ratio_range",
    "resize_range": "scale_range train_scale_range shorter_side_range scale_jitter",
    "horizontal_flip": "hflip fliplr random_horizontal_flip random_flip hflip_prob flip_prob",
    "vertical_flip": "vflip flipud random_vertical_flip vflip_prob",
    "rotation": "degrees rotate random_rotation rotation_range max_rotate rotation_degrees",
    "translation": "translate random_translation",
    "zoom": "random_zoom zoom_range",
    "shear": "random_shear shear_range",
    "brightness": "random_brightness hsv_v",
    "saturation": "random_saturation hsv_s",
    "hue": "random_hue hsv_h",
    "pca_color": "pca_jitter fancy_pca lighting pca_lighting",
    "auto_augment": "aa auto_augmentation",
    "magnitude": "ra_magnitude randaugment_magnitude rand_augment_magnitude",
    "num_ops": "randaugment_num_ops ra_num_ops",
    "random_erasing": "reprob erasing random_erase random_erase_prob random_erasing_prob re_prob",
    "model": "arch architecture a network net model_name model_name_or_path backbone_name "
    "base_model model_type variant m",
    "input_size": "size img_size image_size imgsz imgsize im_size imsz img_sz img resolution res "
    "target_size input_shape input_dim train_crop_size crop_size input input_resolution",
    "in_channels": "channels in_chans in_channel num_channels n_channels input_channels ch "
    "num_input_channels image_channels",
    "weights": "initial_checkpoint pretrained_path pretrained_weights checkpoint checkpoint_path "
    "ckpt ckpt_path load load_from load_weights weights_path weight init_weights state_dict "
    "finetune_from pretrained_checkpoint w",
    "restore_best_weights": "load_best_model_at_end keep_best restore_best",
    "freeze_bn": "bn_freeze freeze_batch_norm freeze_batchnorm norm_eval frozen_bn bn_eval",
    "pretrained": "use_pretrained load_pretrained from_pretrained",
    "epochs": "num_epochs n_epochs nb_epochs max_epochs num_train_epochs epoch total_epochs "
    "training_epochs n_epoch ep e",
    "steps": "max_steps num_steps n_steps iterations iters max_iter max_iters num_iterations "
    "total_steps train_steps max_train_steps num_train_steps",
    "max_minutes": "minutes time_limit_minutes max_time_minutes",
    "early_stopping_patience": "early_stop early_stopping es_patience stop_patience patience",
    "metric": "metric_for_best_model eval_metric monitor best_metric selection_metric",
    "optimizer": "optim opt optimiser solver optimizer_name",
    "lr": "learning_rate lr0 initial_lr init_lr initial_learning_rate base_learning_rate "
    "learning_rate_init max_lr peak_lr eta eta0",
    "backbone_lr_scale": "body_lr backbone_lr_mult backbone_lr_multiplier lr_mult",
    "momentum": "sgd_momentum mom mu",
    "weight_decay": "wd l2 l2_reg weightdecay l2_regularization l2_penalty",
    "lr_schedule": "lr_scheduler scheduler sched lr_scheduler_type schedule lr_policy "
    "schedule_type learning_rate_schedule lr_sched",
    "warmup_epochs": "warmup lr_warmup_epochs warm_up warm_up_epochs num_warmup_epochs wu",
    "lr_gamma": "gamma decay_rate dr lr_decay lr_decay_factor lr_factor lr_drop_factor factor",
    "lr_milestones": "drop_at milestones lr_steps lr_drops",
    "lr_patience": "patience_epochs plateau_patience lr_scheduler_patience reduce_lr_patience",
    "clip_grad_norm": "clip clip_grad max_grad_norm grad_clip gradient_clip gradient_clip_val "
    "clip_norm clipnorm global_clipnorm grad_clip_norm gradient_clipping",
    "ema": "model_ema_decay ema_decay ema_momentum weight_averaging polyak",
    "swa_start": "swa_epoch_start swa_start_fraction",
    "swa_lr": "swa_lrs swa_learning_rate",
    "batch_size": "batch b bs batchsize per_device_train_batch_size train_batch_size "
    "per_device_eval_batch_size eval_batch_size val_batch_size test_batch_size mini_batch "
    "minibatch mini_batch_size",
    "accumulate": "grad_accum_steps gradient_accumulation_steps accumulate_grad_batches accum_iter "
    "grad_accum gradient_accumulation accumulation_steps accum_steps accumulate_grad update_freq",
    "label_smoothing": "smoothing label_smoothing_factor ls smooth label_smooth",
    "mixup": "mixup_alpha",
    "cutmix": "cutmix_alpha",
    "class_weights": "class_weight weighted_loss loss_weights",
    "sampling": "sampler oversample train_sampling_strategy",
    "seed": "random_seed random_state manual_seed rng_seed rng",
    "device": "gpu gpus gpu_id gpu_ids device_id devices accelerator cuda_device",
    "min_score": "conf conf_thres confidence min_conf min_confidence score_threshold "
    "box_score_thresh confidence_threshold",
    "max_overlap": "iou iou_thres iou_threshold nms_iou nms_threshold nms_thresh nms "
    "box_nms_thresh",
    "draw": "draw_dir save_images",
    "threads": "num_threads n_threads cpus num_cpus n_jobs torch_threads cpu_threads",
    "cache": "cache_dataset cache_images cache_mode image_cache",
    "cache_fraction": "memory_share cache_memory",
    "cache_size": "disk_cache_size cache_limit cache_gb max_cache_size cache_size_gb",
    "checkpoint_seconds": "save_seconds checkpoint_every_seconds save_interval_seconds",
    "precision": "amp_dtype mixed_precision dtype autocast_dtype amp_precision compute_dtype "
    "dtype_policy",
    "log": "logger loggers report_to log_to",
    "fsdp": "fsdp2 shard fully_shard full_shard",
    "compile": "torchcompile torch_compile",
    "folds": "kfold k_fold k_folds n_folds num_folds n_splits cv cross_validation cross_validate",
    "trials": "n_trials num_trials max_trials num_samples",
    "search": "search_space param_space space param_grid",
    "prune": "pruner pruning",
    "repeats": "n_repeats num_repeats",
    "run": "run_path run_dir run_folder model checkpoint ckpt weights network net experiment "
    "resume_from_checkpoint resume from m",
    "num_classes": "classes n_classes nb_classes nc num_labels output_classes outputs "
    "num_outputs k",
    "depth": "max_depth levels d",
    "format": "output_format fmt output_type to f",
    "svg": "draw plot figure save_svg image_file",
    "compare": "diff versus vs side_by_side",
    "split": "subset part set partition",
    "boxes": "box bboxes annotations annotation_file bounding_boxes gt truth ground_truth",
    "crops": "crop multi_crop num_crops n_crops crop_mode test_crops views",
    "scales": "scale val_resize_size resize_sizes test_scales q multi_scale",
    "test_size": "val_crop_size eval_crop_size test_img_size eval_size",
    "ensemble": "ensembles ensemble_with average_with",
    "top": "topk top_k k num_top n",
    "images": "image source input inputs files img imgs input_dir data pictures path paths "
    "image_path",
    "image": "img input source picture file image_path images photo input_image i",
    "at": "unit neuron layer node target target_layer position location where module",
    "instead_of": "contrast versus vs against compare_to why_not counterfactual",
    "target": "target_class target_category class class_index class_idx cls category label",
    "contrast": "instead_of versus vs against compare_to compare why_not counterfactual",
    "trace_back": "trace backtrace traceback backward back",
    "im2col": "columns cols matrix unfold",
    "list_layers": "names layers list list_units layer_names units show_layers operations l",
    "filter": "kernel filters mask",
    "grid": "csv matrix numbers",
    "models": "model network net arch name",
    "networks": "model models network net run arch",
    "runs": "logdir log_dir run_dir runs_dir dir",
    "host": "bind listen address ip hostname interface",
    "port": "p",
    "open": "browser open_browser",
    "size": "input input_size img_size image_size shape volume input_shape map",
    "kernel": "kernel_size filter_size window window_size pool_size k ksize f",
    "filters": "num_filters n_filters out_channels output_channels feature_maps maps n",
    "stride": "strides step subsample s",
    "padding": "pad pads border p",
    "dilation": "dilation_rate dilations atrous d",
    "groups": "group g cardinality",
    "ceil": "ceil_mode round_up",
    "pool": "pooling pool_type",
    "dense": "linear fc units neurons fully_connected full out_features",
    "to": "output output_size output_shape target solve goal want result",
    "local": "locally_connected",
}  # fmt: skip
"""By our name; a synonym may belong to several, of which a command has one."""

PRESETS = {
    "log_wandb": ("log", "wandb"),
    "use_wandb": ("log", "wandb"),
    "wandb": ("log", "wandb"),
    "tensorboard": ("log", "tensorboard"),
    "tb": ("log", "tensorboard"),
    "mlflow": ("log", "mlflow"),
    "csv_log": ("log", "csv"),
    "ten_crop": ("crops", "ten"),
    "tta": ("crops", "ten"),
    "dense": ("crops", "dense"),
    "cos_lr": ("lr_schedule", "cosine"),
    "cosine": ("lr_schedule", "cosine"),
    "onecycle": ("lr_schedule", "one-cycle"),
    "no_aug": ("augment", "none"),
    "no_augment": ("augment", "none"),
    "no_augmentation": ("augment", "none"),
    "balanced": ("sampling", "balanced"),
    "balanced_sampling": ("sampling", "balanced"),
    "weighted_sampler": ("sampling", "balanced"),
    "balance_classes": ("sampling", "balanced"),
    "multilabel": ("task", "multi-label"),
    "multi_label": ("task", "multi-label"),
    "ordinal": ("task", "ordinal"),
    "allow_duplicates": ("duplicates", "allow"),
    "drop_duplicates": ("duplicates", "drop"),
    "freeze_backbone": ("freeze", "body"),
    "freeze_body": ("freeze", "body"),
    "freeze_encoder": ("freeze", "body"),
    "freeze_features": ("freeze", "body"),
    "feature_extract": ("freeze", "body"),
    "linear_probe": ("freeze", "body"),
    "grayscale": ("in_channels", "1"),
    "greyscale": ("in_channels", "1"),
    "gray": ("in_channels", "1"),
    "grey": ("in_channels", "1"),
    "rgb": ("in_channels", "3"),
    "color": ("in_channels", "3"),
    "colour": ("in_channels", "3"),
    "adamw": ("optimizer", "adamw"),
    "sgd": ("optimizer", "sgd"),
    "no_val": ("val", "0"),
    "no_validation": ("val", "0"),
    "amp": ("precision", "bf16"),
    "native_amp": ("precision", "bf16"),
    "use_amp": ("precision", "bf16"),
    "bf16": ("precision", "bf16"),
    "fp16": ("precision", "fp16"),
    "half": ("precision", "fp16"),
    "model_ema": ("ema", "0.999"),
    "use_ema": ("ema", "0.999"),
    "swa": ("swa_start", "0.75"),
    "use_swa": ("swa_start", "0.75"),
    "use_cpu": ("device", "cpu"),
    "cpu": ("device", "cpu"),
    "no_cuda": ("device", "cpu"),
    "no_gpu": ("device", "cpu"),
    "cuda": ("device", "cuda"),
    "use_cuda": ("device", "cuda"),
    "use_gpu": ("device", "cuda"),
    "mps": ("device", "mps"),
    "csv": ("format", "csv"),
    "markdown": ("format", "markdown"),
    "md": ("format", "markdown"),
    "latex": ("format", "latex"),
    "html": ("format", "html"),
    "valid": ("padding", "valid"),
    "max_pool": ("pool", "max"),
    "max": ("pool", "max"),
    "avg_pool": ("pool", "average"),
    "avg": ("pool", "average"),
}
"""Switches without a value that set one of our options to this."""

VALUES = {
    "crops": {
        "center": "centre 1 one single center_crop",
        "ten": "10 ten_crop 10_crop 10_crops",
        "144": "multi multi_crop googlenet",
        "150": "grid vgg",
        "dense": "fully_convolutional sliding",
    },
    "log": {
        "csv": "results_csv",
        "tensorboard": "tb",
        "wandb": "wb weights_and_biases weightsandbiases w&b",
        "none": "no off false",
    },
    "lr_schedule": {
        "cosine": "cos cosine_annealing cosineannealinglr cosine_lr cosinelr cosine_decay",
        "step": "steplr multistep multisteplr multi_step piecewise",
        "plateau": "reducelronplateau reduce_lr_on_plateau reduce_on_plateau",
        "linear": "linearlr linear_decay linear_schedule_with_warmup",
        "one-cycle": "onecycle onecyclelr 1cycle one_cycle_lr",
        "constant": "none fixed constantlr constant_with_warmup flat off",
    },
    "optimizer": {
        "sgd": "momentum sgd_momentum",
        "adamw": "adamw_torch adamw_torch_fused",
        "rmsprop": "rms_prop rmsprop_tf rmsproptf",
    },
    "augment": {
        "none": "off no false",
        "crop-flip": "cropflip crop_and_flip flip_crop crop,flip",
        "resized-crop": "random_resized_crop randomresizedcrop rrc inception_crop",
        "resized-crop-flip": "random_resized_crop_flip rrc_flip",
        "mild": "light weak gentle",
        "photo": "photos photograph natural",
        "medical": "fundus cells histology microscopy",
        "digits": "characters letters",
    },
    "auto_augment": {
        "none": "off no false",
        "rand-augment": "randaugment rand ra",
        "trivial-augment": "trivialaugment trivialaugmentwide trivialaugment_wide ta ta_wide",
    },
    "metric": {
        "top1": "accuracy acc acc1 acc@1 val_acc val_accuracy top_1 eval_accuracy exact_match "
        "subset_accuracy",
        "loss": "val_loss eval_loss validation_loss cross_entropy",
        "f1": "f1_macro macro_f1 f1_score val_f1 mean_f1",
        "balanced": "balanced_accuracy balanced_acc mean_recall uar",
        "map": "mean_average_precision average_precision val_map",
        "micro_f1": "f1_micro",
        "kappa": "qwk quadratic_weighted_kappa cohen_kappa cohen_kappa_score",
        "mae": "mean_absolute_error",
        "ap50": "map50 map_50 map_0.5 val_ap50",
        "ap": "map50_95 map_50_95 coco_ap val_ap",
    },
    "task": {
        "single-label": "single_label_classification multiclass multi_class classification "
        "classify image_classification",
        "multi-label": "multilabel multi_label_classification multi_hot",
        "ordinal": "ordinal_regression ordinal_classification ordered grades",
        "detection": "detect detector object_detection objects boxes bbox bounding_boxes",
    },
    "sampling": {
        "shuffle": "random uniform",
        "balanced": "weighted class_balanced oversample",
    },
    "class_weights": {
        "none": "off no false",
        "balanced": "auto true inverse",
    },
    "resize_mode": {
        "pad": "padding zero_pad",
        "crop": "center_crop centre_crop",
        "stretch": "squash squish warp resize",
        "letterbox": "letter_box fit keep_aspect",
    },
    "precision": {
        "float32": "fp32 f32 32 32_true 32bit single full float torch.float32 none no off false",
        "bf16": "bf16_mixed bfloat16 mixed_bfloat16 torch.bfloat16 mixed amp yes on true",
        "fp16": "fp16_mixed f16 16 16_mixed float16 mixed_float16 torch.float16 half",
    },
    "cache": {
        "ram": "memory true yes on mem",
        "disk": "file ssd",
        "none": "no off false stream",
    },
    "duplicates": {
        "error": "raise stop refuse fail",
        "drop": "remove leave_out exclude",
        "allow": "ignore keep warn",
    },
    "pool": {
        "average": "avg mean",
        "max": "maximum maxpool",
        "min": "minimum",
    },
    "format": {
        "markdown": "md",
        "latex": "tex",
        "text": "txt plain",
        "html": "htm",
    },
    "split": {
        "val": "validation valid dev eval validate",
        "test": "testing tests",
        "train": "training",
    },
}  # fmt: skip
"""What is said for the values of an option; our own spelling in another case is understood too."""

VALUE_SENTENCES = {
    "optimizer": {
        "It is adamw with `weight_decay=0`.": "adam adam_torch",
        "Choose sgd, adamw or rmsprop; none is chosen by itself.": "auto default",
        "It is sgd with `nesterov=True`.": "nesterov nag sgd_nesterov",
    },
    "lr_schedule": {
        "Choose linear, the polynomial of degree 1, or cosine; both fall to 0.": "polynomial poly "
        "polynomiallr",
        "Choose step, which multiplies the rate by `lr_gamma` at `lr_milestones`.": "exponential "
        "exp exponentiallr exponential_decay",
        "Choose cosine; it does not start again.": "cosine_with_restarts "
        "cosineannealingwarmrestarts cosine_restarts sgdr cyclic cycliclr",
    },
    "precision": {
        "In bf16 alone, small updates of the weights are lost; bf16 is mixed precision here.":
        "bf16_true 16_true pure_bf16",
        "Choose float32: a network of your own in float64 stays as it is.": "float64 fp64 f64 64 "
        "64_true double torch.float64",
    },
    "augment": {
        "`mixup=0.2` and `cutmix=1` mix images, beside any `augment`.": "mixup cutmix",
        "Say which: crop shifts images, resized-crop cuts windows of random area and ratio; with "
        "-flip half are mirrored, too. photo, medical and digits are sets.": "true yes on auto "
        "default",
        "`horizontal_flip=0.5` mirrors half of the images.": "flip hflip fliplr",
        "It is `auto_augment='rand-augment'`, beside `augment`.": "randaugment rand ra",
        "It is `auto_augment='trivial-augment'`, beside `augment`.": "trivialaugment "
        "trivialaugmentwide ta_wide",
        "There are `auto_augment='rand-augment'` and trivial-augment.": "autoaugment augmix",
        "For photographs, choose photo.": "imagenet",
    },
    "auto_augment": {
        "Choose rand-augment or trivial-augment.": "autoaugment augmix true yes on imagenet v0 "
        "original 3a",
    },
}  # fmt: skip
"""What is said of values that convscope has not."""
