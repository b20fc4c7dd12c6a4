"""The networks: the smallest of every module and family of timm, the families of torchvision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.torchvision_operators import TORCHVISION

Library = Literal["timm", "torchvision", "torchvision.backbone", "torchvision.video"]


@dataclass(frozen=True)
class Row:
    """A network: where it comes from, the shape of an image for it, arguments of its builder."""

    library: Library
    model: str
    sides: tuple[int, ...] = (64, 64)
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        return f"{self.library}:{self.model}"


_TIMM = """
    lambda_resnet26t
    test_byobnet mobileone_s1 mobileone_s0 gernet_s repvgg_a0 regnetz_b16 resnext26ts
    eca_resnext26ts seresnext26ts gcresnext26ts resnet32ts seresnet33ts gcresnet33ts
    convmixer_768_32
    test_convnext test_convnext3 test_convnext2 convnext_zepto_rms convnextv2_atto
    cpubone_nano
    crossvit_tiny_240 crossvit_9_dagger_240
    csatv2
    cs3darknet_focus_s darknet17 cspresnext50 sedarknet21 cspresnet50 cspdarknet53 darknetaa53
    cspnext_tiny
    davit_tiny
    densenet121 densenetblur121d
    dla46x_c dla34
    dpn48b dpn68
    edgenext_xx_small
    test_efficientnet mobilenetv2_035 mnasnet_small tinynet_e semnasnet_050 mobilenet_edgetpu_100
    mixnet_s tf_mixnet_s spnasnet_100 efficientnet_lite0 efficientnet_b0 efficientnet_b0_gn
    efficientnet_blur_b0 fbnetc_100 tf_efficientnetv2_b0 efficientnetv2_rw_t gc_efficientnetv2_rw_t
    efficientvim_m1
    efficientvit_b0
    efficientvit_m0
    vit_tiny_patch16_dinov3_qkvb
    fasternet_t0
    fastvit_t8
    focalnet_tiny_srf
    ghostnet_050 ghostnetv3_050 ghostnetv2_100
    hardcorenas_b
    hgnetv2_b0 hgnet_tiny
    sam2_hiera_tiny hieradet_small
    hrnet_w18_small
    iformer_t
    inception_next_atto
    lcnetv2_small
    lowformer_b0
    test_mambaout mambaout_femto
    poolformerv2_s12 poolformer_s12 caformer_s18 convformer_s18
    mobilenetv3_small_050 lcnet_035 tf_mobilenetv3_small_075 mobilenetv4_conv_small fbnetv3_b
    mobilenetv4_hybrid_medium
    mobilenetv5_base
    mobilevit_xxs mobilevitv2_050
    mvitv2_tiny
    naflexvit_base_patch16_parfac_gap naflexvit_base_patch16_gap
    nasnetalarge
    nextvit_small
    test_nfnet nf_regnet_b0 nf_resnet26 nf_ecaresnet26 nfnet_f0 dm_nfnet_f0
    pnasnet5large
    pvt_v2_b0
    rdnet_tiny
    regnetx_002 regnety_002 regnetz_005 regnetv_040
    repghostnet_050
    repvit_m1
    res2next50 res2net50_14w_8s res2net50d
    resnest14d
    test_resnet resnet10t resnet14t resnet18 resnetblur18 seresnet18 ecaresnext26t_32x4d resnet26t
    ecaresnet26t seresnext26t_32x4d resnetaa34d resnext50_32x4d resnet50_gn seresnetaa50d
    ecaresnetlight resnetrs50 wide_resnet50_2
    resnetv2_18 resnetv2_50x1_bit
    rexnet_100 rexnetr_100
    selecsls42
    legacy_seresnet18
    sequencer2d_s
    shvit_s1
    skresnet18 skresnext50_32x4d
    starnet_s050
    swiftformer_xs
    tiny_vit_5m_224
    tresnet_m
    twins_svt_small twins_pcpvt_small
    vgg11 vgg11_bn
    test_vit test_vit2 test_vit4
    samvit_base_patch16_224
    ese_vovnet19b_slim_dw vovnet39a eca_vovnet39b
    legacy_xception
    xception41p
    xcit_nano_12_p8_224 xcit_nano_12_p16_224
"""
"""On images of 64x64; a line holds those of one module of timm's."""

_TIMM_OF_A_SIZE = """
    beit_base_patch16_224 beitv2_base_patch16_224
    eca_botnext26ts_256 lambda_resnet26rpt_256 botnet26t_256 sebotnet33ts_256
    cait_xxs24_224
    coat_tiny coat_lite_tiny
    convit_tiny
    deit_tiny_patch16_224
    efficientformerv2_s0
    eva02_tiny_patch14_224
    gcvit_xxtiny
    hiera_tiny_224
    levit_128s
    test_coatnet test_maxvit maxvit_pico_rw_256 maxvit_rmlp_pico_rw_256 coatnet_pico_rw_224
    coatnext_nano_rw_224 coatnet_rmlp_nano_rw_224 maxxvit_rmlp_nano_rw_256 maxxvitv2_nano_rw_256
    gmlp_ti16_224 gmixer_12_224 resmlp_12_224 mixer_s16_224 gmlp_s16_224
    nest_tiny
    pit_ti_224
    swin_tiny_patch4_window7_224
    swinv2_tiny_window16_256
    swinv2_cr_tiny_224
    tnt_s_legacy_patch16_224
    visformer_tiny
    test_vit3 vit_tiny_patch16_224 vit_pwee_patch16_reg1_gap_256 vit_small_patch14_dinov2
    flexivit_small beit3_base_patch16_224 vit_base_patch32_clip_224
    vit_tiny_r_s16_p8_224
    test_vit_relpos vit_srelpos_small_patch16_224 vit_relpos_small_patch16_224
    vitamin_small_224
    volo_d1_224
"""
"""Those that are built for a size of image, here 64x64."""

_TORCHVISION = """
    alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s mnasnet0_5 mobilenet_v2
    mobilenet_v3_small mobilenet_v3_large regnet_x_400mf regnet_y_400mf resnet18 resnet50
    resnext50_32x4d shufflenet_v2_x0_5 squeezenet1_0 squeezenet1_1 swin_t swin_v2_t vgg11 vgg11_bn
    wide_resnet50_2
"""

_SEGMENTATION = """
    fcn_resnet50 deeplabv3_resnet50 deeplabv3_mobilenet_v3_large lraspp_mobilenet_v3_large
"""

_DETECTION = """
    fasterrcnn_resnet50_fpn fasterrcnn_resnet50_fpn_v2 fasterrcnn_mobilenet_v3_large_fpn
    fcos_resnet50_fpn keypointrcnn_resnet50_fpn maskrcnn_resnet50_fpn retinanet_resnet50_fpn
    retinanet_resnet50_fpn_v2 ssdlite320_mobilenet_v3_large
"""
"""The backbones alone: what comes after them draws boxes and keeps the best."""

_SIZED = {"img_size": 64}
_RANDOM = {"init_weights": False}  # with the default initialization they take seconds to build
_NO_BACKBONE = {"weights_backbone": None}

NETWORKS = (
    *(Row("timm", name) for name in _TIMM.split()),
    *(Row("timm", name, options=_SIZED) for name in _TIMM_OF_A_SIZE.split()),
    Row("timm", "haloregnetz_b", (224, 224)),
    Row("timm", "halonet26t", (256, 256)),
    Row("timm", "sehalonet33ts", (256, 256)),
    Row("timm", "lamhalobotnet50ts_256", (128, 128), {"img_size": 128}),
    Row("timm", "halo2botnet50ts_256", (128, 128), {"img_size": 128}),
    Row("timm", "bat_resnext26ts", (256, 256)),
    Row("timm", "deepseek_vit_412m", (56, 56), {"img_size": 56, "depth": 2}),
    Row("timm", "efficientformer_l1", (224, 224)),
    Row("timm", "gemma4_vit_167m", (64, 64), {"depth": 2}),
    Row("timm", "inception_resnet_v2", (96, 96)),
    Row("timm", "inception_v3", (96, 96)),
    Row("timm", "inception_v4", (96, 96)),
    Row("timm", "qwen3_vit_88m", (64, 64), {"depth": 2}),
    Row("timm", "aimv2_1b_patch14_224", (64, 64), {"img_size": 64, "depth": 2}),
    *(Row("torchvision", name) for name in _TORCHVISION.split()),
    Row("torchvision", "googlenet", options=_RANDOM),
    Row("torchvision", "inception_v3", (96, 96), _RANDOM),
    Row("torchvision", "maxvit_t", (224, 224)),
    Row("torchvision", "vit_b_16", options={"image_size": 64}),
    Row("torchvision", "vit_b_32", options={"image_size": 64}),
    *(Row("torchvision", name, options=_NO_BACKBONE) for name in _SEGMENTATION.split()),
    *(Row("torchvision.backbone", name, options=_NO_BACKBONE) for name in _DETECTION.split()),
    Row("torchvision.backbone", "ssd300_vgg16", (300, 300), _NO_BACKBONE),
    Row("torchvision.video", "r3d_18", (8, 32, 32)),
    Row("torchvision.video", "mc3_18", (8, 32, 32)),
    Row("torchvision.video", "r2plus1d_18", (8, 32, 32)),
    Row("torchvision.video", "s3d", (16, 224, 224)),
    Row("torchvision.video", "swin3d_t", (8, 64, 64)),
)


def import_libraries() -> None:
    """Import timm and torchvision, which takes seconds."""
    import timm  # noqa: PLC0415, F401
    import torchvision  # noqa: PLC0415, F401

    assert TORCHVISION is None or TORCHVISION.ns == "torchvision"  # it is what was imported first


def build(row: Row, *, seed: int) -> tuple[nn.Module, Tensor]:
    """The network with random weights in eval mode, and an image for it, (1, 3, h, w)."""
    torch.manual_seed(seed)
    net = _created(row)
    for weight in net.parameters():  # scales and biases, which begin as 0 and 1 and hide mistakes
        if max(weight.shape, default=1) == weight.numel():
            weight.data += 0.1 * torch.randn_like(weight)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.8, 1.5)
    return net.eval(), torch.randn(1, 3, *row.sides)


def _created(row: Row) -> nn.Module:
    if row.library == "timm":
        import timm  # noqa: PLC0415 -- seconds

        return timm.create_model(row.model, pretrained=False, **row.options)
    from torchvision import models  # noqa: PLC0415 -- seconds

    net: Any = models.get_model(row.model, weights=None, **row.options)
    return net.backbone if row.library == "torchvision.backbone" else net
