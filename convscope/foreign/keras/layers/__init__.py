"""The table of Keras's layers that can be read, and what to say of the others."""

from collections.abc import Callable, Mapping

from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.keras.layers import activations, preprocessing, shapes, units, windows
from convscope.foreign.layer import Layer

Build = Callable[[Layer, Value, GraphBuilder], Value]

LAYERS: Mapping[str, Build] = {
    "Activation": activations.activation,
    "ActivityRegularization": units.identity,
    "AlphaDropout": units.dropout,
    "AveragePooling2D": windows.average_pooling2d,
    "BatchNormalization": units.batch_normalization,
    "CenterCrop": shapes.center_crop,
    "Conv2D": windows.conv2d,
    "Conv2DTranspose": windows.conv2d_transpose,
    "Cropping2D": shapes.cropping2d,
    "Dense": units.dense,
    "DepthwiseConv2D": windows.depthwise_conv2d,
    "Dropout": units.dropout,
    "ELU": activations.elu,
    "Flatten": shapes.flatten,
    "GaussianDropout": units.identity,
    "GaussianNoise": units.identity,
    "GlobalAveragePooling2D": windows.global_pooling2d,
    "GlobalMaxPooling2D": windows.global_pooling2d,
    "GroupNormalization": units.group_normalization,
    "Identity": units.identity,
    "LayerNormalization": units.layer_normalization,
    "LayerScale": units.layer_scale,
    "LeakyReLU": activations.leaky_relu,
    "MaxPooling2D": windows.max_pooling2d,
    "Normalization": preprocessing.normalization,
    "PReLU": activations.prelu,
    "Permute": shapes.permute,
    "ReLU": activations.relu,
    "Rescaling": preprocessing.rescaling,
    "Reshape": shapes.reshape,
    "Resizing": shapes.resizing,
    "SeparableConv2D": windows.separable_conv2d,
    "Softmax": activations.softmax,
    "SpatialDropout2D": units.dropout,
    "StochasticDepth": units.identity,
    "UpSampling2D": shapes.up_sampling2d,
    "ZeroPadding2D": shapes.zero_padding2d,
    # what does nothing when it predicts
    "RandomBrightness": units.identity,
    "RandomColorDegeneration": units.identity,
    "RandomColorJitter": units.identity,
    "RandomContrast": units.identity,
    "RandomElasticTransform": units.identity,
    "RandomErasing": units.identity,
    "RandomFlip": units.identity,
    "RandomGaussianBlur": units.identity,
    "RandomGrayscale": units.identity,
    "RandomHue": units.identity,
    "RandomInvert": units.identity,
    "RandomPerspective": units.identity,
    "RandomPosterization": units.identity,
    "RandomRotation": units.identity,
    "RandomSaturation": units.identity,
    "RandomSharpness": units.identity,
    "RandomShear": units.identity,
    "RandomTranslation": units.identity,
    "RandomZoom": units.identity,
}
"""What builds a layer of one value, by the name of its class."""

PREPARED = ("Rescaling", "Normalization")
"""Layers that say by their numbers which pixels a network takes."""
