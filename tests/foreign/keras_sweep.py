# ruff: noqa: T201, PLR0911
"""Random networks of Keras, saved and read, compared with Keras on the same images.

    KERAS_BACKEND=torch python tests/foreign/keras_sweep.py FIRST COUNT [.keras|.h5]

prints a line for each network that differs, and exits with 1 if there is one.
"""

import random
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import torch
from keras import layers as kl

from convscope.foreign import read_network

TOLERANCE = 1e-4

Tensor = object


def random_weights(model: keras.Model, rng: np.random.Generator) -> None:
    """Give every weight a value of its own, so that none is exchanged unnoticed."""
    for variable in model.weights:
        scale = 1 / max(np.sqrt(np.prod(variable.shape[:-1] or (1,))), 1)
        values = rng.normal(size=variable.shape) * scale
        if any(word in variable.name for word in ("variance", "gamma")):
            values = rng.uniform(0.5, 1.5, size=variable.shape)
        if "count" not in variable.name and "seed" not in variable.name:
            variable.assign(values.astype("float32"))


class Maker:
    """Chooses layers at random that fit to what is there."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.is_torch = keras.backend.backend() == "torch"
        self.format = self.rng.choice(["channels_last"] * 4 + ["channels_first"])
        if not self.is_torch:  # TensorFlow has no convolution of these on a CPU
            self.format = "channels_last"
        self.channel_axis = -1 if self.format == "channels_last" else 1
        self.shared: dict[tuple[int, ...], kl.Layer] = {}

    def activation(self) -> str | None:
        return self.rng.choice(
            [
                None, "relu", "tanh", "sigmoid", "elu", "selu", "silu", "gelu", "softplus",
                "relu6", "hard_sigmoid", "hard_silu", "mish", "softsign", "exponential",
                "leaky_relu", "log_sigmoid", "celu", "hard_tanh", "tanh_shrink", "soft_shrink",
                "hard_shrink",
            ]
        )  # fmt: skip

    def sides(self, x: Tensor) -> tuple[int, int]:
        return tuple(x.shape[1:3] if self.format == "channels_last" else x.shape[2:4])

    def maps(self, x: Tensor) -> int:
        return x.shape[self.channel_axis]

    def window(self, x: Tensor, most: int = 5) -> tuple[tuple[int, int], str]:
        padding = self.rng.choice(["same", "valid"])
        size = tuple(self.rng.randint(1, min(most, side)) for side in self.sides(x))
        return size, padding

    def stride(self) -> int | tuple[int, int]:
        return self.rng.choice([1, 1, 2, 3, (2, 2), (1, 1)])

    def conv(self, x: Tensor) -> Tensor:
        size, padding = self.window(x)
        groups = self.rng.choice([1, 1, 1, 2 if self.maps(x) % 2 == 0 else 1])
        strides = self.stride()
        return kl.Conv2D(
            groups * self.rng.randint(1, 5), size, strides=strides, padding=padding,
            groups=groups, activation=self.activation(), use_bias=self.rng.random() < 0.8,
            data_format=self.format,
        )(x)  # fmt: skip

    def dilated(self, x: Tensor) -> Tensor:
        if min(self.sides(x)) < 5:
            return x
        padding = self.rng.choice(["same", "valid"])
        return kl.Conv2D(3, 3, dilation_rate=2, padding=padding, data_format=self.format)(x)

    def separable(self, x: Tensor) -> Tensor:
        size, padding = self.window(x)
        size = (min(size),) * 2
        strides = self.rng.choice([1, 2])
        return kl.SeparableConv2D(
            self.rng.randint(1, 5), size, strides=strides, padding=padding,
            depth_multiplier=self.rng.randint(1, 2), activation=self.activation(),
            use_bias=self.rng.random() < 0.8, data_format=self.format,
        )(x)  # fmt: skip

    def depthwise(self, x: Tensor) -> Tensor:
        size, padding = self.window(x)
        return kl.DepthwiseConv2D(
            (min(size),) * 2, strides=self.rng.choice([1, 2]), padding=padding,
            depth_multiplier=self.rng.randint(1, 2), activation=self.activation(),
            use_bias=self.rng.random() < 0.8, data_format=self.format,
        )(x)  # fmt: skip

    def transposed(self, x: Tensor) -> Tensor:
        if max(self.sides(x)) > 20:
            return x
        strides = self.rng.choice([1, 2])
        even = self.is_torch  # whose transposed convolution is another where this is not so
        size = self.rng.choice([2, 4] if even and strides == 2 else [1, 2, 3, 4, 5])
        if even and strides == 1:
            size = self.rng.choice([1, 3, 5])
        return kl.Conv2DTranspose(
            self.rng.randint(1, 4), size, strides=strides,
            padding=self.rng.choice(["same", "valid"]), activation=self.activation(),
            data_format=self.format,
        )(x)  # fmt: skip

    def pool(self, x: Tensor) -> Tensor:
        size, padding = self.window(x, 4)
        kind = self.rng.choice([kl.MaxPooling2D, kl.AveragePooling2D])
        if self.is_torch and kind is kl.AveragePooling2D:  # it may count padding there
            padding = "valid"
        strides = self.rng.choice([None, 1, 2, 3])
        return kind(size, strides=strides, padding=padding, data_format=self.format)(x)

    def normalize(self, x: Tensor) -> Tensor:
        axis = self.channel_axis if len(x.shape) == 4 else -1
        return self.rng.choice(
            [
                kl.BatchNormalization(axis=axis, epsilon=self.rng.choice([1e-3, 1e-5])),
                kl.BatchNormalization(axis=axis, scale=False),
                kl.BatchNormalization(axis=axis, center=False),
                kl.LayerNormalization(axis=-1),
                kl.LayerNormalization(axis=-1, center=False, scale=False),
                kl.GroupNormalization(groups=-1 if len(x.shape) == 4 else 1, axis=axis),
                kl.GroupNormalization(groups=1, axis=axis, scale=False),
                kl.LayerNormalization(axis=[*range(1, len(x.shape))]),
            ]
        )(x)

    def activate(self, x: Tensor) -> Tensor:
        image = len(x.shape) == 4
        return self.rng.choice(
            [
                kl.ReLU(),
                kl.ReLU(max_value=6.0),
                kl.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.3),
                kl.ReLU(negative_slope=0.2),
                kl.ReLU(threshold=0.5),
                kl.LeakyReLU(negative_slope=0.17),
                kl.ELU(alpha=0.7),
                kl.PReLU(),
                kl.PReLU(shared_axes=[1, 2] if image and self.channel_axis == -1 else None),
                kl.PReLU(shared_axes=[2, 3] if image and self.channel_axis == 1 else None),
                kl.Softmax(axis=self.channel_axis if image else -1),
                kl.Softmax(axis=2 if image else -1),
                kl.Activation(self.activation() or "linear"),
            ]
        )(x)

    def inert(self, x: Tensor) -> Tensor:
        return self.rng.choice(
            [
                kl.Dropout(0.3),
                kl.GaussianNoise(0.1),
                kl.GaussianDropout(0.2),
                kl.AlphaDropout(0.2),
                kl.SpatialDropout2D(0.2, data_format=self.format)
                if len(x.shape) == 4
                else kl.Dropout(0.1),
            ]
        )(x)

    def move(self, x: Tensor) -> Tensor:
        height, width = self.sides(x)
        choice = self.rng.randrange(6)
        if choice == 0:
            pads = ((1, 2), (0, 1))
            return kl.ZeroPadding2D(pads, data_format=self.format)(x)
        if choice == 1 and min(height, width) > 4:
            return kl.Cropping2D(((1, 0), (0, 2)), data_format=self.format)(x)
        if choice == 2 and max(height, width) < 12:
            return kl.UpSampling2D((2, 1), data_format=self.format)(x)
        if choice == 3 and max(height, width) < 12:
            return kl.UpSampling2D(2, interpolation="bilinear", data_format=self.format)(x)
        if choice == 4:
            return kl.Permute((2, 1, 3) if self.format == "channels_last" else (1, 3, 2))(x)
        if choice == 5:
            a, b, c = x.shape[1:]
            return kl.Reshape((b, a, c) if self.format == "channels_last" else (a, c, b))(x)
        return x

    def again(self, x: Tensor) -> Tensor:
        """A layer, or a network, that is called twice."""
        key = tuple(x.shape[1:])
        if key not in self.shared:
            maps = self.maps(x)
            conv = kl.Conv2D(maps, 3, padding="same", data_format=self.format)
            if self.rng.random() < 0.5:
                inner = keras.Input(key)
                y = kl.BatchNormalization(axis=self.channel_axis)(conv(inner))
                if self.rng.random() < 0.5:
                    y = kl.Add()([y, inner])
                self.shared[key] = keras.Model(inner, y)
            else:
                self.shared[key] = conv
        return self.shared[key](self.shared[key](x))

    def branch(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        y = kl.Conv2D(maps, 3, padding="same", data_format=self.format)(x)
        kind = self.rng.choice(
            [
                kl.Add,
                kl.Multiply,
                kl.Subtract,
                kl.Average,
                kl.Maximum,
                kl.Minimum,
                None,
                "gate",
                "op",
            ]
        )
        if kind is None:
            return kl.Concatenate(axis=self.channel_axis)([x, y])
        if kind == "gate":
            g = kl.GlobalAveragePooling2D(keepdims=True, data_format=self.format)(x)
            g = kl.Conv2D(maps, 1, activation="sigmoid", data_format=self.format)(g)
            if self.rng.random() < 0.5 and self.format == "channels_last":
                g = kl.GlobalMaxPooling2D()(x)
                g = kl.Dense(maps, activation="sigmoid")(g)
                if self.rng.random() < 0.7:
                    g = kl.Reshape((1, 1, maps))(g)
            return kl.Multiply()([y, g])
        if kind == "op":
            return (2.0 - x) * y / 3.0 + 0.5
        return kind()([x, y])

    def dense_on_maps(self, x: Tensor) -> Tensor:
        return kl.Dense(self.rng.randint(1, 4), activation=self.activation())(x)

    def head(self, x: Tensor) -> Tensor:
        choice = self.rng.randrange(5)
        if choice == 0:
            x = kl.GlobalAveragePooling2D(data_format=self.format)(x)
        elif choice == 1:
            x = kl.GlobalMaxPooling2D(data_format=self.format)(x)
        elif choice == 2 and self.format == "channels_last":
            a = kl.Flatten()(x)
            b = kl.GlobalAveragePooling2D()(x)
            x = kl.Concatenate()([a, b])
        else:
            x = kl.Flatten(data_format=self.format)(x)
        for _ in range(self.rng.randint(0, 3)):
            step = self.rng.choice([self.normalize, self.activate, self.inert, "dense", "sum"])
            if step == "dense":
                x = kl.Dense(self.rng.randint(2, 9), activation=self.activation())(x)
            elif step == "sum":
                x = kl.Add()([x, kl.Activation("tanh")(x)])
            else:
                x = step(x)
        end = self.rng.choice(["softmax", "sigmoid", None, "none"])
        if end == "none" and x.shape[1] > 1:
            return x
        return kl.Dense(self.rng.choice([1, 3, 7]), activation=None if end == "none" else end)(x)

    def model(self) -> keras.Model:
        channels, height, width = (
            self.rng.choice([1, 3]),
            self.rng.randint(6, 17),
            self.rng.randint(6, 17),
        )
        last = (height, width, channels)
        inputs = keras.Input(last if self.format == "channels_last" else (channels, height, width))
        x = inputs
        if self.rng.random() < 0.4:
            x = kl.Rescaling(1 / 127.5, offset=-1)(x)
        if self.rng.random() < 0.2 and self.format == "channels_last":
            x = kl.Normalization(mean=[0.3] * channels, variance=[2.0] * channels)(x)
        if self.rng.random() < 0.2:
            x = kl.Normalization(axis=self.channel_axis)(x)
        steps = [
            self.conv, self.conv, self.dilated, self.separable, self.depthwise, self.transposed,
            self.pool, self.pool, self.normalize, self.activate, self.inert, self.move, self.branch,
            self.branch, self.again, self.dense_on_maps,
        ]  # fmt: skip
        for _ in range(self.rng.randint(1, 8)):
            step = self.rng.choice(steps)
            if step == self.dense_on_maps and self.format == "channels_first":
                continue
            x = step(x)
        return keras.Model(inputs, self.head(x))


def compare(seed: int, suffix: str, folder: Path) -> str:
    """What differs between Keras and what was read of a network; empty if nothing does."""
    keras.utils.set_random_seed(seed)
    maker = Maker(seed)
    model = maker.model()
    random_weights(model, np.random.default_rng(seed))
    path = folder / f"network{suffix}"
    model.save(path)
    images = (
        np.random.default_rng(seed).uniform(-1, 2, (2, *model.input_shape[1:])).astype("float32")
    )
    expected = np.asarray(model.predict(images, verbose=0))
    read = read_network(path)
    given = images if maker.format == "channels_first" else images.transpose(0, 3, 1, 2)
    with torch.no_grad():
        found = read.net(torch.from_numpy(np.ascontiguousarray(given))).numpy()
    if expected.shape[1] == 1:
        found = found[:, 1:]
    if found.shape != expected.shape:
        return f"seed {seed}: {found.shape} is not {expected.shape}"
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(found - expected).max()) / scale
    return "" if difference < TOLERANCE else f"seed {seed}: differs by {difference:.2e}"


def main() -> int:
    first, count = map(int, sys.argv[1:3])
    suffix = sys.argv[3] if len(sys.argv) > 3 else ".keras"
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            try:
                problem = compare(seed, suffix, Path(folder))
            except Exception as error:  # noqa: BLE001 -- named, and the others are compared too
                line = (str(error).splitlines() or [""])[0][:300]
                problem = f"seed {seed}: {type(error).__name__}: {line}"
            if problem:
                problems.append(problem)
                print(problem)
    print(f"{count - len(problems)} of {count} networks agree")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
