"""Layers of the papers that torch.nn does not have."""

from convscope.layers.activation import ScaledTanh
from convscope.layers.auxiliary import AUXILIARY_WEIGHT, ModelOutput
from convscope.layers.connection_table import SparseConnectionConv2d
from convscope.layers.drop_path import DropPath, linear_decay
from convscope.layers.fractal_join import DropPathSampler, FractalJoin
from convscope.layers.locally_connected import LocallyConnected2d
from convscope.layers.normalize import LocalResponseNorm
from convscope.layers.pool import MinPool2d, Subsampling2d
from convscope.layers.rbf import RadialBasis
from convscope.layers.towers import Towers
from convscope.layers.whitening import GlobalContrastNorm, ZCAWhitening

__all__ = [
    "AUXILIARY_WEIGHT",
    "DropPath",
    "DropPathSampler",
    "FractalJoin",
    "GlobalContrastNorm",
    "LocalResponseNorm",
    "LocallyConnected2d",
    "MinPool2d",
    "ModelOutput",
    "RadialBasis",
    "ScaledTanh",
    "SparseConnectionConv2d",
    "Subsampling2d",
    "Towers",
    "ZCAWhitening",
    "linear_decay",
]
