"""What a person writes; type checkers run on it, nobody runs it."""

from pathlib import Path

import convscope

result = convscope.train(
    "digits",
    epochs=10,
    lr=0.1,
    model="lenet5",
    lr_milestones=[0.5, 0.75],
    data_dir="data",
    out=Path("runs/mine"),
    lr_schedule="step",
    batch_size=None,
    progress=False,
)
run: Path = result.run
accuracy: float = result.test.top1
interval: tuple[float, float] = result.test.interval
losses: list[float] = result.history["val_loss"]
first_epoch: int = result.history[0]["epoch"]
recalls = [row["recall"] for row in result.test.per_class]
validation: float | None = result.validation.top1 if result.validation else None
result.plot().save("curves.svg")

longer = convscope.resume(result, epochs=20, threads=2)
also = convscope.resume("runs/mine", max_minutes=1.5)
network, card = convscope.load(result.run)
names: tuple[str, ...] = card.classes
evaluation = convscope.evaluate(result.run, split="val")
table = convscope.summary(network)
vgg = convscope.create_model("vgg16", num_classes=4)


class Watcher(convscope.Callback):
    """Writes down the loss."""


convscope.train(callbacks=[Watcher()])
