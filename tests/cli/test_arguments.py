"""Command lines as people of other programs write them."""

import inspect
import shlex
from pathlib import Path

import pytest

from convscope.cli import COMMANDS, _with_command, make_app
from convscope.cli.arguments import options_of, translate
from convscope.cli.messages import in_flags
from convscope.errors import RequestError
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of
from scripts.flags import KNOWN, OTHER_MEANING, OTHERS, PAGE, answer, write

APP = make_app()
ARGUMENTS = {name: APP[name].assemble_argument_collection() for name in COMMANDS}
OPTIONS = {name: options_of(arguments) for name, arguments in ARGUMENTS.items()}
FLAGS = {
    name: {flag for argument in arguments for flag in argument.names if flag.startswith("-")}
    for name, arguments in ARGUMENTS.items()
}


def owner(flag):
    return next((name for name in COMMANDS if flag in FLAGS[name]), None)


def translated(command, *tokens):
    return translate(command, tokens, OPTIONS[command], FLAGS[command], owner)[0]


def ours(line):
    """A command line in our words; or the error."""
    try:
        command, *tokens = _with_command(shlex.split(line))
        if command == "--version" or tokens in (["--help"], ["-h"]):
            return f"{command} --help" if tokens else command
        words = translated(command, *tokens)
    except RequestError as error:
        return in_flags(str(error))
    before_two_hyphens = words[: words.index("--")] if "--" in words else words
    flags = {word.partition("=")[0] for word in before_two_hyphens if word.startswith("--")}
    assert flags <= FLAGS[command]
    return shlex.join([command, *words])


GUESSES = """
train --learning-rate 0.1                  = train --lr 0.1
train --learning_rate=0.1                  = train --lr=0.1
train -lr 0.1                              = train --lr 0.1
train --lr0 0.1                            = train --lr 0.1
train --LR 0.1                             = train --lr 0.1
train --batch 8                            = train --batch-size 8
train --batch_size 8                       = train --batch-size 8
train --batchsize 8                        = train --batch-size 8
train --bs 8                               = train --batch-size 8
train -b 8                                 = train --batch-size 8
train --per-device-train-batch-size 8      = train --batch-size 8
train --img-size 64                        = train --input-size 64
train --imgsz 64                           = train --input-size 64
train --image-size 64                      = train --input-size 64
train --size 64                            = train --input-size 64
train --input-size 64x64                   = train --input-size 64
train --resolution 64                      = train --input-size 64
train --wd 0.1                             = train --weight-decay 0.1
train --l2 0.1                             = train --weight-decay 0.1
train --optim sgd                          = train --optimizer sgd
train --opt SGD                            = train --optimizer sgd
train --optimiser AdamW                    = train --optimizer adamw
train --adamw                              = train --optimizer adamw
train --output-dir here                    = train --out here
train --output here                        = train --out here
train -o here                              = train --out here
train --save-dir here                      = train --out here
train --name first                         = train --out runs/first
train --project photos --name first        = train --out photos/first
train --out photos --experiment first      = train --out photos/first
train --run-name first                     = train --out runs/first
train --device 0                           = train --device 0
train --device cuda:1                      = train --device cuda:1
train --device gpu                         = train --device gpu
train --gpu 1                              = train --device 1
train --gpus 0                             = train --device 0
train --cpu                                = train --device cpu
train --no-cuda                            = train --device cpu
train --use-cpu                            = train --device cpu
train -e 3                                 = train --epochs 3
train --epoch 3                            = train --epochs 3
train --num-epochs 3                       = train --epochs 3
train --n_epochs 3                         = train --epochs 3
train --max-epochs 3                       = train --epochs 3
train --num-train-epochs 3                 = train --epochs 3
train --max-steps 3                        = train --steps 3
train --iterations 3                       = train --steps 3
train --channels 1                         = train --in-channels 1
train --in-chans 1                         = train --in-channels 1
train --num-channels 1                     = train --in-channels 1
train --grayscale                          = train --in-channels 1
train --warmup 0                           = train --warmup-epochs 0
train --lr-warmup-epochs 2                 = train --warmup-epochs 2
train --patience 5                         = train --early-stopping-patience 5
train --early-stopping 5                   = train --early-stopping-patience 5
train --early-stop 5                       = train --early-stopping-patience 5
train --patience-epochs 5                  = train --lr-patience 5
train --scheduler cosine                   = train --lr-schedule cosine
train --sched step                         = train --lr-schedule step
train --lr-scheduler StepLR                = train --lr-schedule step
train --lr-scheduler CosineAnnealingLR     = train --lr-schedule cosine
train --lr-scheduler-type constant         = train --lr-schedule constant
train --schedule one_cycle                 = train --lr-schedule one-cycle
train --cos-lr                             = train --lr-schedule cosine
train --gamma 0.5                          = train --lr-gamma 0.5
train --lr-milestones 0.3,0.6              = train --lr-milestones 0.3 0.6
train --milestones 0.3 0.6                 = train --lr-milestones 0.3 0.6
train --drop-at 0.5                        = train --lr-milestones 0.5
train --clip 1                             = train --clip-grad-norm 1
train --max-grad-norm 1                    = train --clip-grad-norm 1
train --grad-clip 1                        = train --clip-grad-norm 1
train --smoothing 0.1                      = train --label-smoothing 0.1
train --class-weight balanced              = train --class-weights balanced
train --sampler balanced                   = train --sampling balanced
train --balanced                           = train --sampling balanced
train --random-state 3                     = train --seed 3
train --arch resnet18                      = train --model resnet18
train -a resnet18                          = train --model resnet18
train --network resnet18                   = train --model resnet18
train --checkpoint w.pth                   = train --weights w.pth
train --ckpt w.pth                         = train --weights w.pth
train --load-from w.pth                    = train --weights w.pth
train --val-split 0.2                      = train --val 0.2
train --validation-split 0.2               = train --val 0.2
train --test-size 0.2                      = train --test 0.2
train --data photos                        = train --data photos
train --dataset mnist                      = train --data mnist
train --data-path photos                   = train --data photos
train --train-dir photos                   = train --data photos
train -d photos                            = train --data photos
train --augmentation crop-flip             = train --augment crop-flip
train --no-augment                         = train --augment none
train --fit letterbox                      = train --resize-mode letterbox
train --max-unreadable 0.1                 = train --max-corrupt-fraction 0.1
train --memory-share 0.1                   = train --cache-fraction 0.1
train --minutes 5                          = train --max-minutes 5
train --save-seconds 5                     = train --checkpoint-seconds 5
train --body-lr 0.1                        = train --backbone-lr-scale 0.1
train --metric accuracy                    = train --metric top1
train --monitor val_loss                   = train --metric loss
train --torch-compile                      = train --compile
train --compile True                       = train --compile
train --compile false                      = train
train --cfg c.toml                         = train --config c.toml
train data=digits epochs=3 imgsz=32        = train --data=digits --epochs=3 --input-size=32
train --workers 4                          = train
train --num-workers=4                      = train
train -j 4 photos                          = train photos
fit photos --epochs 3                      = train photos --epochs 3
val r                                      = evaluate r
test r photos                              = evaluate r photos
eval r                                     = evaluate r
validate --model r --data photos           = evaluate r photos
evaluate --run r --batch 8                 = evaluate r --batch-size 8
evaluate --run r --split validation        = evaluate r --split val
evaluate --checkpoint r                    ! --checkpoint could be --weights or RUN.
evaluate r --image-mean 0.5,0.5,0.5        = evaluate r --mean 0.5,0.5,0.5
predict resnet18 a.png --class-map n.txt   = predict resnet18 a.png --class-names n.txt
train t.csv --x-col file --y-col kind      = train t.csv --image-column file --label-column kind
evaluate r --dataset photos --workers 2    = evaluate r photos
infer r a.png                              = predict r a.png
classify r a.png b.png                     = predict r a.png b.png
predict --model r --source a.png           = predict r a.png
predict r a.png --topk 4 --csv             = predict r a.png --top 4 --format csv
predict r a.png -k 4                       = predict r a.png --top 4
info lenet5                                = summary lenet5
inspect lenet5                             = summary lenet5
summary --model lenet5 --img-size 32       = summary lenet5 --input-size 32
summary lenet5 --classes 3 --channels 1    = summary lenet5 --num-classes 3 --in-channels 1
summary lenet5 --size 32 --md              = summary lenet5 --input-size 32 --format markdown
explain --model r --image a.png            = explain r a.png
explain r a.png --layer conv1              = explain r a.png --at conv1
explain r a.png --unit 'conv1[0,1,2]'      = explain r a.png --at 'conv1[0,1,2]'
explain r a.png --instead-of 3             = explain r a.png --contrast 3
explain r a.png --names                    ! --names could be --class-names or --list-layers.
explain r a.png --columns                  = explain r a.png --im2col
explain --grid g.csv --kernel sobel-x      = explain --grid g.csv --filter sobel-x
ui --model lenet5                          = lab lenet5
gui --port 80                              = lab --port 80
web --logdir here                          = lab --runs here
list                                       = models
zoo                                        = models
continue r                                 = resume r
resume --run r                             = resume r
geometry --input 32x32x3 --out-channels 6 --kernel-size 5 = geometry 32x32x3 --filters 6 --kernel 5
geometry 28 -k 2 --pool avg                = geometry 28 --kernel 2 --pool average
geometry 28 -k 3 -s 2 -p 1                 = geometry 28 --kernel 3 --stride 2 --padding 1
geometry 8x8x4 --fc 10                     = geometry 8x8x4 --dense 10
geometry 27 --output-size 13               = geometry 27 --to 13
help train                                 = train --help
train -h                                   = train --help
version                                    = --version
train --amp                                = train --precision bf16
train --amp --amp-dtype bfloat16           = train --precision bf16 --precision bf16
train amp=True                             = train --precision bf16
train amp=False                            = train
train --cos-lr False                       = train
train --precision bf16-mixed               = train --precision bf16
train --mixed-precision no                 = train --precision float32
train --amp --amp-dtype float16            = train --precision bf16 --precision fp16
train --precision 16-mixed                 = train --precision fp16
train --fp16                               = train --precision fp16
train --loss-scale 128                     ! or fp16, which scales the loss by itself
train --bf16-full-eval                     ! whatever the --precision of the steps
evaluate r --ten-crop                      = evaluate r --crops ten
evaluate r --tta                           = evaluate r --crops ten
evaluate r --num-crops 10                  = evaluate r --crops ten
evaluate r --val-crop-size 288             = evaluate r --test-size 288
evaluate r --val-resize-size 256           = evaluate r --scales 256
evaluate r --half                          ! computes in 32-bit floating point
train --use-pretrained                     = train --pretrained
train --freeze-backbone                    = train --freeze body
train --imagenet                           ! --weights torchvision:resnet50
train --mixup-alpha 0.2                    = train --mixup 0.2
train --swa --swa-lrs 0.01                 = train --swa-start 0.75 --swa-lr 0.01
train --grad-accum-steps 4                 = train --accumulate 4
train --opt rmsproptf                      = train --optimizer rmsprop
train --opt nesterov                       ! It is sgd with --nesterov
train --model-ema                          = train --ema 0.999
train --model-ema-decay 0.9998             = train --ema 0.9998
train --model-ema-warmup                   ! its decay rises by itself
train --dropout 0.5                        ! Dropout is a part of the network
train --save-period 5                      ! every --checkpoint-seconds
train --resume                             ! convscope resume RUN
train --evaluate                           ! convscope evaluate RUN
train --test-only                          ! convscope evaluate RUN
train --dist-url env://                    ! the same command by torchrun
train --sync-bn                            ! with the images of each process
train --exist-ok                           ! --out names a new run folder
train --verbose                            ! metrics.jsonl
train --plots                              ! report.html
train --loss focal                         ! The loss is cross-entropy
train --num-classes 3                      ! that of the data
train --hflip 0.5                          = train --horizontal-flip 0.5
train --fliplr 0.5 --degrees 10            = train --horizontal-flip 0.5 --rotation 10
train --auto-augment randaugment           = train --auto-augment rand-augment
train --aa trivialaugmentwide              = train --auto-augment trivial-augment
train --reprob 0.25                        = train --random-erasing 0.25
train --hsv-h 0.015                        = train --hue 0.015
train --color-jitter 0.4                   ! by --augment photo
train --augment randaugment                ! It is --auto-augment rand-augment
train --min-lr 1e-5                        ! cosine goes down to 0
train --step-size 30                       ! --lr-milestones, which are fractions
train --warmup-steps 100                   ! --warmup-epochs
train --optimizer adam                     ! adamw with --weight-decay 0
train --optimizer auto                     ! Choose sgd, adamw
train --drop-by 10                         ! --lr-gamma 0.1
train --patience 3 --schedule plateau      ! --lr-patience, before
train --data-dir photos                    ! convscope train photos
train --project photos                     ! PROJECT/NAME
train --input photos                       ! --input could be --data or --input-size.
train --top 3                              ! --top belongs to `convscope predict`
train --foo                                ! There is no --foo. `convscope train --help` lists
train --epohcs 3                           ! Did you mean '--epochs'?
evaluate r --epochs 3                      ! --epochs belongs to `convscope train`
evaluate r --imgsz 64                      = evaluate r --input-size 64
evaluate r --channels 1                    ! prepared as they were in the training
predict r a.png --conf 0.5                 = predict r a.png --min-score 0.5
predict r a.png --iou-thres 0.4            = predict r a.png --max-overlap 0.4
predict r a.png --probs                    ! --top says how many
explain r a.png --gradcam                  ! `convscope attribute`
attribute r a.png --contrast cat           = attribute r a.png --instead-of cat
attribute r a.png --class cat              = attribute r a.png --target cat
gradcam r a.png                            = attribute r a.png
explain r a.png --class cat                ! --at takes a class too
summary lenet5 --batch-size 4              ! One image goes through
geometry 28 -k 3 --bias                    ! unless --no-bias is set
models --filter vgg                        ! A pattern stands by itself: `convscope models "vgg*"`
resume r --lr 0.1                          ! its own settings
lab --share                                ! --host says otherwise
deploy r                                   = serve r
benchmark r                                ! multiply-adds
sweep photos --search lr=1..2              = tune photos --search lr=1..2
tune --n-trials 5                          = tune --trials 5
train --log-wandb                          = train --log wandb
train --report-to tensorboard              = train --log tensorboard
train --wandb-project demo                 ! WANDB_PROJECT
detect r                                   ! no objects
trian photos                               ! Did you mean 'train'?
"""


@pytest.mark.parametrize("line", GUESSES.strip().splitlines())
def test_a_guess_becomes_our_words_or_a_sentence(line):
    guess, refused, said = line.partition(" ! ")
    if refused:
        assert said.strip() in ours(guess.strip())
    else:
        guess, _, translated = line.partition(" = ")
        assert ours(guess.strip()) == translated.strip()


def test_there_are_more_guesses_than_were_tried_before():
    assert len(GUESSES.strip().splitlines()) > 104


def test_negative_numbers_and_what_follows_two_hyphens_are_no_flags():
    assert ours("train --lr -1e-3") == "train --lr -1e-3"
    assert ours("train --learning-rate=-1") == "train --lr=-1"
    assert ours("predict r -- --topk") == "predict r -- --topk"


def test_a_file_whose_name_has_an_equals_sign_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ours("train data=3") == "train --data=3"
    (tmp_path / "data=3").mkdir()
    assert ours("train data=3") == "train data=3"


VALUES = {
    "lr_schedule": "step", "optimizer": "adamw", "augment": "none", "metric": "f1",
    "data": "photos", "sampling": "balanced", "class_weights": "balanced", "resize_mode": "stretch",
    "engine": "torch", "device": "cpu", "in_channels": "1", "lr_milestones": "0.25", "out": "here",
    "config": "c.toml", "compile": "true", "lr_patience": "7",
}  # fmt: skip
"""A value of each setting that is not its default; for the others 0.4 or 4 or text."""


def value_for(option):
    if option in VALUES:
        return VALUES[option]
    members = settings_of(TrainConfig)[option].members
    return "4" if int in members else "0.4" if float in members else "text"


@pytest.mark.parametrize("program", OTHERS)
def test_a_flag_of_another_program_sets_what_ours_sets_or_is_answered(program):
    for name in OTHERS[program].split():
        said = answer(name)
        assert said, name
        flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        target, _, value = said.removeprefix("`").partition("`")[0].partition(" ")
        value = value if said.startswith("`--") else ""
        if name in OTHER_MEANING or "--project" in said or "without effect" in said:
            continue
        if said == "the same" or said.startswith("`--"):
            key = name if said == "the same" else target.removeprefix("--").replace("-", "_")
            key = next(one for one in KNOWN if one.replace("_", "") == key.replace("_", ""))
            theirs = [flag] if value or key == "compile" else [flag, value_for(key)]
            own = f"--{key.replace('_', '-')}"
            mine = [own] if key == "compile" else [own, value or value_for(key)]
            assert translated("train", *theirs) == mine, name
        else:
            with pytest.raises(RequestError, match="There is no"):
                translated("train", flag, "1")


def test_translated_flags_end_in_the_settings_of_a_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = (
        "photos --learning-rate 0.1 -b 8 --imgsz 64x64 --wd 0.1 --opt SGD --sched StepLR "
        "--milestones 0.3,0.6 --channels 1 --warmup 0 --early-stop 5 --name first --gpu 0 epochs=3"
    )
    words = translated("train", *line.split())
    _, bound, _ = APP.parse_args(["train", *words], exit_on_error=False, print_error=False)
    assert bound.arguments["data"] == "photos"
    assert bound.arguments["out"] == Path("runs/first")
    settings = vars(bound.arguments["settings"])
    known = {name: settings[name] for name in settings_of(TrainConfig)}
    assert TrainConfig(**known) == TrainConfig(
        lr=0.1, batch_size=8, input_size=64, weight_decay=0.1, optimizer="sgd", lr_schedule="step",
        lr_milestones=(0.3, 0.6), in_channels=1, warmup_epochs=0, early_stopping_patience=5,
        device="0", epochs=3,
    )  # fmt: skip


def test_the_page_of_flags_is_what_the_tables_say():
    assert PAGE.read_text("utf-8") == write(), "run scripts/flags.py"


def test_help_lists_our_flags_alone():
    assert FLAGS["train"] >= {"--lr", "--input-size"}
    assert not FLAGS["train"] & {"--learning-rate", "--imgsz", "--size", "--patience"}


def test_signatures_for_type_checkers_stay_as_they_are():
    import convscope  # noqa: PLC0415

    assert list(inspect.signature(convscope.create_model).parameters)[:2] == ["name", "pretrained"]
