"""Train on a Ray cluster: `ray job submit --working-dir . -- python ray_train.py`."""

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

import convscope

DATA, RUN = "/shared/flowers", "/shared/runs/flowers"  # on a disk that all machines see
SETTINGS = {"model": "resnet50", "epochs": 90}


def train(settings: dict) -> None:
    """What each worker does. After a failure, Ray calls it again, and the run goes on."""
    convscope.train(DATA, out=RUN, **settings)


if __name__ == "__main__":
    TorchTrainer(
        train,
        train_loop_config=SETTINGS,
        scaling_config=ScalingConfig(num_workers=8, use_gpu=True),
        run_config=RunConfig(
            name="flowers",
            storage_path="/shared/ray",
            failure_config=FailureConfig(max_failures=3),
        ),
    ).fit()
