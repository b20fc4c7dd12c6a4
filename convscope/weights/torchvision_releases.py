"""The weights that torchvision has released for networks of the zoo.

TABLE names each as torchvision does. The digits at the end of a file name are the start of its
SHA-256. The shorter side of an image is scaled to `resize` by `interpolation`, and a square of
`crop` is cropped from the center. `input` is the normalization: `imagenet` with ImageNet's mean and
standard deviation, `±1` to the range from -1 to 1, which torchvision's GoogLeNet computes from the
former (`transform_input`). The classes are ImageNet's 1,000, by number.
"""

from dataclasses import dataclass
from functools import cache
from typing import cast

from convscope.card import Card, Interpolation
from convscope.data.download import RemoteFile
from convscope.errors import RequestError, nearest

HOST = "https://download.pytorch.org/models/"

TABLE = """
    network             weights        file                                    resize  crop  input     interpolation
    alexnet             IMAGENET1K_V1  alexnet-owt-7be5be79.pth                256     224   imagenet  bilinear
    vgg11               IMAGENET1K_V1  vgg11-8a719046.pth                      256     224   imagenet  bilinear
    vgg11_bn            IMAGENET1K_V1  vgg11_bn-6002323d.pth                   256     224   imagenet  bilinear
    vgg13               IMAGENET1K_V1  vgg13-19584684.pth                      256     224   imagenet  bilinear
    vgg13_bn            IMAGENET1K_V1  vgg13_bn-abd245e5.pth                   256     224   imagenet  bilinear
    vgg16               IMAGENET1K_V1  vgg16-397923af.pth                      256     224   imagenet  bilinear
    vgg16_bn            IMAGENET1K_V1  vgg16_bn-6c64b313.pth                   256     224   imagenet  bilinear
    vgg19               IMAGENET1K_V1  vgg19-dcbb9e9d.pth                      256     224   imagenet  bilinear
    vgg19_bn            IMAGENET1K_V1  vgg19_bn-c79401a0.pth                   256     224   imagenet  bilinear
    googlenet           IMAGENET1K_V1  googlenet-1378be20.pth                  256     224   ±1        bilinear
    resnet18            IMAGENET1K_V1  resnet18-f37072fd.pth                   256     224   imagenet  bilinear
    resnet34            IMAGENET1K_V1  resnet34-b627a593.pth                   256     224   imagenet  bilinear
    resnet50            IMAGENET1K_V1  resnet50-0676ba61.pth                   256     224   imagenet  bilinear
    resnet50            IMAGENET1K_V2  resnet50-11ad3fa6.pth                   232     224   imagenet  bilinear
    resnet101           IMAGENET1K_V1  resnet101-63fe2227.pth                  256     224   imagenet  bilinear
    resnet101           IMAGENET1K_V2  resnet101-cd907fc2.pth                  232     224   imagenet  bilinear
    resnet152           IMAGENET1K_V1  resnet152-394f9c45.pth                  256     224   imagenet  bilinear
    resnet152           IMAGENET1K_V2  resnet152-f82ba261.pth                  232     224   imagenet  bilinear
    resnext50_32x4d     IMAGENET1K_V1  resnext50_32x4d-7cdf4587.pth            256     224   imagenet  bilinear
    resnext50_32x4d     IMAGENET1K_V2  resnext50_32x4d-1a0047aa.pth            232     224   imagenet  bilinear
    resnext101_32x8d    IMAGENET1K_V1  resnext101_32x8d-8ba56ff5.pth           256     224   imagenet  bilinear
    resnext101_32x8d    IMAGENET1K_V2  resnext101_32x8d-110c445d.pth           232     224   imagenet  bilinear
    resnext101_64x4d    IMAGENET1K_V1  resnext101_64x4d-173b62eb.pth           232     224   imagenet  bilinear
    wide_resnet50_2     IMAGENET1K_V1  wide_resnet50_2-95faca4d.pth            256     224   imagenet  bilinear
    wide_resnet50_2     IMAGENET1K_V2  wide_resnet50_2-9ba9bcbe.pth            232     224   imagenet  bilinear
    wide_resnet101_2    IMAGENET1K_V1  wide_resnet101_2-32ee1156.pth           256     224   imagenet  bilinear
    wide_resnet101_2    IMAGENET1K_V2  wide_resnet101_2-d733dc28.pth           232     224   imagenet  bilinear
    densenet121         IMAGENET1K_V1  densenet121-a639ec97.pth                256     224   imagenet  bilinear
    densenet161         IMAGENET1K_V1  densenet161-8d451a50.pth                256     224   imagenet  bilinear
    densenet169         IMAGENET1K_V1  densenet169-b2777c0a.pth                256     224   imagenet  bilinear
    densenet201         IMAGENET1K_V1  densenet201-c1103571.pth                256     224   imagenet  bilinear
    squeezenet1_0       IMAGENET1K_V1  squeezenet1_0-b66bff10.pth              256     224   imagenet  bilinear
    squeezenet1_1       IMAGENET1K_V1  squeezenet1_1-b8a52dc0.pth              256     224   imagenet  bilinear
    mobilenet_v2        IMAGENET1K_V1  mobilenet_v2-b0353104.pth               256     224   imagenet  bilinear
    mobilenet_v2        IMAGENET1K_V2  mobilenet_v2-7ebf99e0.pth               232     224   imagenet  bilinear
    mobilenet_v3_small  IMAGENET1K_V1  mobilenet_v3_small-047dcff4.pth         256     224   imagenet  bilinear
    mobilenet_v3_large  IMAGENET1K_V1  mobilenet_v3_large-8738ca79.pth         256     224   imagenet  bilinear
    mobilenet_v3_large  IMAGENET1K_V2  mobilenet_v3_large-5c1a4163.pth         232     224   imagenet  bilinear
    efficientnet_b0     IMAGENET1K_V1  efficientnet_b0_rwightman-7f5810bc.pth  256     224   imagenet  bicubic
    efficientnet_b1     IMAGENET1K_V1  efficientnet_b1_rwightman-bac287d4.pth  256     240   imagenet  bicubic
    efficientnet_b1     IMAGENET1K_V2  efficientnet_b1-c27df63c.pth            255     240   imagenet  bilinear
    efficientnet_b2     IMAGENET1K_V1  efficientnet_b2_rwightman-c35c1473.pth  288     288   imagenet  bicubic
    efficientnet_b3     IMAGENET1K_V1  efficientnet_b3_rwightman-b3899882.pth  320     300   imagenet  bicubic
    efficientnet_b4     IMAGENET1K_V1  efficientnet_b4_rwightman-23ab8bcd.pth  384     380   imagenet  bicubic
    efficientnet_b5     IMAGENET1K_V1  efficientnet_b5_lukemelas-1a07897c.pth  456     456   imagenet  bicubic
    efficientnet_b6     IMAGENET1K_V1  efficientnet_b6_lukemelas-24a108a5.pth  528     528   imagenet  bicubic
    efficientnet_b7     IMAGENET1K_V1  efficientnet_b7_lukemelas-c5b4e57e.pth  600     600   imagenet  bicubic
    convnext_tiny       IMAGENET1K_V1  convnext_tiny-983f1562.pth              236     224   imagenet  bilinear
    convnext_small      IMAGENET1K_V1  convnext_small-0c510722.pth             230     224   imagenet  bilinear
    convnext_base       IMAGENET1K_V1  convnext_base-6075fbad.pth              232     224   imagenet  bilinear
    convnext_large      IMAGENET1K_V1  convnext_large-ea097f82.pth             232     224   imagenet  bilinear
    regnet_x_400mf      IMAGENET1K_V1  regnet_x_400mf-adf1edd5.pth             256     224   imagenet  bilinear
    regnet_x_400mf      IMAGENET1K_V2  regnet_x_400mf-62229a5f.pth             232     224   imagenet  bilinear
    regnet_x_800mf      IMAGENET1K_V1  regnet_x_800mf-ad17e45c.pth             256     224   imagenet  bilinear
    regnet_x_800mf      IMAGENET1K_V2  regnet_x_800mf-94a99ebd.pth             232     224   imagenet  bilinear
    regnet_x_1_6gf      IMAGENET1K_V1  regnet_x_1_6gf-e3633e7f.pth             256     224   imagenet  bilinear
    regnet_x_1_6gf      IMAGENET1K_V2  regnet_x_1_6gf-a12f2b72.pth             232     224   imagenet  bilinear
    regnet_x_3_2gf      IMAGENET1K_V1  regnet_x_3_2gf-f342aeae.pth             256     224   imagenet  bilinear
    regnet_x_3_2gf      IMAGENET1K_V2  regnet_x_3_2gf-7071aa85.pth             232     224   imagenet  bilinear
    regnet_x_8gf        IMAGENET1K_V1  regnet_x_8gf-03ceed89.pth               256     224   imagenet  bilinear
    regnet_x_8gf        IMAGENET1K_V2  regnet_x_8gf-2b70d774.pth               232     224   imagenet  bilinear
    regnet_y_400mf      IMAGENET1K_V1  regnet_y_400mf-c65dace8.pth             256     224   imagenet  bilinear
    regnet_y_400mf      IMAGENET1K_V2  regnet_y_400mf-e6988f5f.pth             232     224   imagenet  bilinear
    regnet_y_800mf      IMAGENET1K_V1  regnet_y_800mf-1b27b58c.pth             256     224   imagenet  bilinear
    regnet_y_800mf      IMAGENET1K_V2  regnet_y_800mf-58fc7688.pth             232     224   imagenet  bilinear
    regnet_y_1_6gf      IMAGENET1K_V1  regnet_y_1_6gf-b11a554e.pth             256     224   imagenet  bilinear
    regnet_y_1_6gf      IMAGENET1K_V2  regnet_y_1_6gf-0d7bc02a.pth             232     224   imagenet  bilinear
    regnet_y_3_2gf      IMAGENET1K_V1  regnet_y_3_2gf-b5a9779c.pth             256     224   imagenet  bilinear
    regnet_y_3_2gf      IMAGENET1K_V2  regnet_y_3_2gf-9180c971.pth             232     224   imagenet  bilinear
    regnet_y_8gf        IMAGENET1K_V1  regnet_y_8gf-d0d0e4a8.pth               256     224   imagenet  bilinear
    regnet_y_8gf        IMAGENET1K_V2  regnet_y_8gf-dc2b1b54.pth               232     224   imagenet  bilinear
"""  # noqa: E501 -- a table

MEAN_AND_STD = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "±1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class Release:
    """One file of weights, and the card of the network that was trained."""

    network: str
    weights: str
    file: str
    card: Card

    @property
    def sha256(self) -> str:
        """The start of the file's digest."""
        return self.file.removesuffix(".pth").rpartition("-")[2]

    @property
    def remote(self) -> RemoteFile:
        """Where to download the file."""
        return RemoteFile(self.file, None, (HOST + self.file,), sha256=self.sha256)


@cache
def releases() -> tuple[Release, ...]:
    """Return every row of TABLE."""
    rows = [line.split() for line in TABLE.strip().splitlines()[1:]]
    return tuple(
        Release(
            network,
            weights,
            file,
            imagenet_card(int(resize), int(crop), values, cast("Interpolation", interpolation)),
        )
        for network, weights, file, resize, crop, values, interpolation in rows
    )


def imagenet_card(
    resize: int = 256,
    crop: int = 224,
    values: str = "imagenet",
    interpolation: Interpolation = "bilinear",
) -> Card:
    """Return the card of an ImageNet network; the defaults are the usual preprocessing."""
    mean, std = MEAN_AND_STD[values]
    return Card(
        classes=tuple(map(str, range(1000))),
        input_size=(crop, crop),
        in_channels=3,
        resize_mode="crop",
        resize_size=resize,
        interpolation=interpolation,
        mean=mean,
        std=std,
    )


def release(name: str) -> Release:
    """Return the first release of NETWORK, or the release NETWORK.WEIGHTS.

    Raises RequestError, with the nearest name, for an unknown one.

        >>> release("resnet50").file, release("resnet50.IMAGENET1K_V2").file
        ('resnet50-0676ba61.pth', 'resnet50-11ad3fa6.pth')
    """
    known = {f"{row.network}.{row.weights}": row for row in releases()}
    known = {row.network: row for row in reversed(releases())} | known
    if name not in known:
        raise RequestError(
            f"torchvision has no weights {name!r} for a network of the zoo."
            f"{nearest(name, known)} Known: {', '.join(key for key in known if '.' not in key)}; "
            "name a later release as in resnet50.IMAGENET1K_V2."
        )
    return known[name]
