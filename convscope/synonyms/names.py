"""What other programs call commands, networks and functions."""

COMMANDS = {
    "train": "fit learn finetune training start",
    "lr-find": "lr_finder find_lr range_test lr_range_test learning_rate_finder auto_lr_find",
    "resume": "continue restart go_on",
    "evaluate": "val test eval validate validation score assess measure",
    "tune": "sweep search hpo optimize optimise autotune hyperopt",
    "check": "lint clean dedup deduplicate audit doctor qa inspect_data",
    "export": "convert onnx to_onnx openvino quantize",
    "intervene": "ablate ablation patch silence perturb knockout edit",
    "prune": "slim compress shrink sparsify distill",
    "redundancy": "twins duplicates similarity cka redundant dead_filters correlated",
    "predict": "infer inference classify apply label prediction predictions",
    "serve": "server deploy api host",
    "summary": "info describe inspect print architecture summarize summarise table layers "
    "torchinfo",
    "filters": "kernels show_filters plot_filters filter_weights",
    "maps": "activation_maps feature_maps activations",
    "patches": "top_patches top_activations max_activations dataset_examples",
    "embed": "embedding embeddings tsne t_sne umap pca projector nearest_images",
    "probes": "probe linear_probe linear_probes",
    "synthesize": "synthesise dream deepdream lucent feature_visualization maximize "
    "activation_maximization invert",
    "explain": "why trace interpret",
    "attribute": "attribution attributions gradcam grad_cam saliency heatmap visualize "
    "visualise cam lrp",
    "lab": "ui gui web app dashboard page browser webui studio",
    "models": "list ls zoo networks list_models architectures nets",
    "recipes": "recipe presets preset list_recipes",
    "data": "datasets dataset sources data_info",
    "geometry": "calc calculate compute shape shapes conv convolution size output",
}  # fmt: skip

COMMANDS_ELSEWHERE = {
    "Times are not measured; `convscope summary NAME` counts parameters and multiply-adds.":
    "benchmark bench profile speed",
    "Cross-validation is a training: `convscope train DATA --folds 5`.": "cross_validate "
    "crossvalidate cross_validation cv kfold folds",
    "convscope classifies whole images; it finds no objects in them.": "detect segment pose obb "
    "track",
    "Data sets are downloaded when `convscope train NAME` needs them.": "download fetch",
    "Runs are folders; `convscope lab` lists and compares them.": "runs compare history",
    "`convscope train DATA` starts a training, and its run folder is what the other commands "
    "take.": "run go exec main",
    "Settings come from flags or a file: `convscope train --config FILE`.": "config settings cfg "
    "init",
    "`convscope --version` prints the version.": "checks env about",
}  # fmt: skip

MODELS = {
    "lenet5": "lenet lenet5_modern",
    "alexnet": "alex",
    "alexnet_2014": "alexnet_torchvision one_weird_trick",
    "alexnet_towers": "alexnet_grouped alexnet_2gpu",
    "vgg16": "vgg16d vgg_d",
    "vgg19": "vgg19e vgg_e",
    "vgg11": "vgg11a vgg_a",
    "vgg13": "vgg13b vgg_b",
    "vgg16_c": "vgg_c",
    "googlenet": "inception inception_v1 googlelenet",
    "googlenet_bn": "bn_inception",
    "resnet20_cifar": "resnet20 cifar_resnet20",
    "resnet32_cifar": "resnet32 cifar_resnet32",
    "resnet44_cifar": "resnet44 cifar_resnet44",
    "resnet56_cifar": "resnet56 cifar_resnet56",
    "resnet110_cifar": "resnet110 cifar_resnet110",
    "resnet1202_cifar": "resnet1202 cifar_resnet1202",
    "resnet110_stochastic_depth": "stochastic_depth stochastic_depth_110",
    "wide_resnet50_2": "wide_resnet50 wrn50_2",
    "wide_resnet101_2": "wide_resnet101 wrn101_2",
    "wrn28_10": "wide_resnet28_10 wrn",
    "wrn16_8": "wide_resnet16_8",
    "wrn40_4": "wide_resnet40_4",
    "resnext50_32x4d": "resnext50",
    "resnext101_32x8d": "resnext101",
    "resnext29_8x64d": "resnext29",
    "densenet121": "densenet",
    "densenet40_12": "densenet40 densenet_cifar",
    "densenet100_12_bc": "densenet_bc_100_12 densenet_bc",
    "densenet190_40_bc": "densenet_bc_190_40",
    "squeezenet1_0": "squeezenet squeezenet_v1.0",
    "squeezenet1_1": "squeezenet_v1.1",
    "mobilenet_v2": "mobilenet mobilenetv2_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenet_v3_large": "mobilenet_v3 mobilenetv3_large_100",
    "efficientnet_b0": "efficientnet",
    "convnext_tiny": "convnext convnext_t",
    "convnext_small": "convnext_s",
    "convnext_base": "convnext_b",
    "convnext_large": "convnext_l",
    "regnet_x_400mf": "regnetx regnetx_004",
    "regnet_x_800mf": "regnetx_008",
    "regnet_x_1_6gf": "regnetx_016",
    "regnet_x_3_2gf": "regnetx_032",
    "regnet_x_8gf": "regnetx_080",
    "regnet_y_400mf": "regnet regnety regnety_004",
    "regnet_y_800mf": "regnety_008",
    "regnet_y_1_6gf": "regnety_016",
    "regnet_y_3_2gf": "regnety_032",
    "regnet_y_8gf": "regnety_080",
    "fractalnet20": "fractalnet",
    "nin_imagenet": "nin network_in_network",
    "tinyvgg": "vgg_tiny cnn_explainer",
    "deepface": "",
}  # fmt: skip

ATTRIBUTES = {
    "create_model": "build get_model make_model build_model model",
    "load": "load_network load_model load_run from_pretrained restore",
    "train": "fit learn finetune",
    "lr_find": "lr_finder find_lr range_test lr_range_test learning_rate_finder",
    "resume": "continue_training restart",
    "tune": "sweep search optimize hpo hyperparameter_search",
    "cross_validate": "cross_val_score cross_val_predict cross_validation kfold cv",
    "evaluate": "val test eval validate score",
    "export": "convert onnx to_onnx openvino quantize",
    "predict": "infer inference classify",
    "attribute": "attribution gradcam saliency",
    "explain": "why trace interpret",
    "intervene": "ablate silence activation_patching perturb",
    "prune": "slim compress shrink sparsify",
    "redundancy": "cka filter_similarity redundant_filters",
    "embed": "embedding embeddings tsne umap",
    "probes": "probe linear_probe linear_probes",
    "synthesize": "synthesise deepdream feature_visualization activation_maximization",
    "summary": "info describe summarize summarise",
    "filters": "kernels show_filters plot_filters filter_weights",
    "maps": "activation_maps feature_maps activations",
    "patches": "top_patches top_activations max_activations dataset_examples",
    "list_models": "models zoo networks available_models model_names",
    "record": "trace_network hook capture",
    "load_weights": "load_state_dict load_checkpoint",
}  # fmt: skip
"""Functions of the package `convscope`."""

RESULTS = {
    "TrainingResult": {
        "test.top1": "accuracy acc test_accuracy test_acc top1 score",
        "validation.top1": "val_accuracy val_acc val_top1 best_val_accuracy",
        "validation": "val val_metrics",
        "test": "metrics",
        "run": "path run_dir folder save_dir output_dir run_folder dir",
        "history.best": "best_epoch best",
    },
    "Metrics": {
        "top1": "accuracy acc",
        "confusion": "confusion_matrix cm",
        "per_class": "classification_report report",
    },
    "EvaluationResult": {
        "top1": "accuracy acc",
        "confusion": "confusion_matrix cm",
        "per_class": "classification_report report",
        "per_image": "predictions",
    },
    "Prediction": {
        "label": "class_name name category prediction",
        "probability": "confidence conf score prob top1conf",
        "top_k": "probs probabilities scores top5 classes",
    },
    "History": {
        "train_loss": "loss training_loss",
        "val_loss": "validation_loss",
        "train_top1": "accuracy acc train_accuracy train_acc",
        "val_top1": "val_accuracy val_acc validation_accuracy",
        "lr": "learning_rate",
    },
}  # fmt: skip
"""Attributes of what the functions return, and columns of a history."""

WORKING = ("build", "load_network")
"""Earlier names of functions, which still work; the others are named in the error."""
