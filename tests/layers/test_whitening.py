"""GCN and ZCA whitening: loops in NumPy, scikit-learn's PCA, and what whitening is."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import convscope
from convscope.errors import RequestError
from convscope.layers import GlobalContrastNorm, ZCAWhitening

SHAPE = (2, 4, 3)


def images(n=300, *, shape=SHAPE, seed=0):
    """Correlated images with an offset, as neighboring pixels of photographs are."""
    rng = np.random.default_rng(seed)
    size = math.prod(shape)
    mixed = rng.normal(size=(n, size)) @ (rng.normal(size=(size, size)) + 2) + 50
    return torch.from_numpy(mixed.reshape(n, *shape))


def fitted(x, bias=0.1):
    layer = ZCAWhitening(tuple(x.shape[1:]), filter_bias=bias).double()
    layer.fit(x.split(64))
    return layer


def test_contrast_is_normalized_as_a_loop_does():
    x = images(5)
    expected = []
    for image in x.numpy():
        values = [float(value) for value in image.ravel()]
        mean = sum(values) / len(values)
        length = math.sqrt(sum((value - mean) ** 2 for value in values) + 1e-6)
        expected.append([55 * (value - mean) / length for value in values])
    y = GlobalContrastNorm()(x).flatten(1)
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    np.testing.assert_allclose(y.norm(dim=1), 55, rtol=1e-6)


def test_contrast_does_not_depend_on_the_range_of_the_pixels():
    x = images(5)
    torch.testing.assert_close(GlobalContrastNorm()(x), GlobalContrastNorm()(9 * x - 3))


def test_an_image_in_one_shade_becomes_zeros_with_a_finite_gradient():
    x = torch.full((1, 3, 32, 32), 0.3).requires_grad_()
    y = GlobalContrastNorm()(x)
    assert y.abs().max() < 0.01
    y.sum().backward()
    assert x.grad.isfinite().all()


def test_whitened_images_have_the_identity_as_covariance():
    x = images()
    y = fitted(x, bias=1e-12)(x).flatten(1)
    np.testing.assert_allclose(np.cov(y.numpy(), rowvar=False, bias=True), np.eye(24), atol=1e-6)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-9)


@pytest.mark.parametrize("bias", [1e-12, 0.1, 10.0])
def test_whitening_is_scikit_learns_pca_turned_back(bias):
    x = images()
    flat = x.flatten(1).numpy()
    pca = PCA().fit(flat)
    variances = pca.explained_variance_ * (len(flat) - 1) / len(flat)
    expected = pca.transform(flat) / np.sqrt(variances + bias) @ pca.components_
    np.testing.assert_allclose(fitted(x, bias)(x).flatten(1), expected, rtol=1e-5, atol=1e-6)


def test_each_value_is_the_sum_of_a_loop():
    x = images(60, shape=(1, 2, 2))
    flat = x.flatten(1).numpy()
    mean = [sum(column) / len(flat) for column in flat.T]
    covariance = [
        [sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in flat) / len(flat) for j in range(4)]
        for i in range(4)
    ]
    values, vectors = np.linalg.eigh(np.array(covariance) + 0.1 * np.eye(4))
    matrix = sum(np.outer(vectors[:, k], vectors[:, k]) / math.sqrt(values[k]) for k in range(4))
    row = flat[7]
    expected = [sum(matrix[i][j] * (row[j] - mean[j]) for j in range(4)) for i in range(4)]
    np.testing.assert_allclose(fitted(x)(x[7:8]).flatten(), expected, rtol=1e-8)


def test_whitening_changes_images_less_than_any_other_rotation_of_it():
    x = images()
    layer = fitted(x)
    torch.testing.assert_close(layer.weight, layer.weight.T)
    assert torch.linalg.eigvalsh(layer.weight).min() > 0
    whitened, centered = layer(x).flatten(1), x.flatten(1) - x.flatten(1).mean(0)
    turned = whitened @ torch.linalg.qr(torch.randn(24, 24, dtype=torch.float64))[0]
    assert (whitened - centered).norm() < (turned - centered).norm()


def test_large_numbers_cost_no_digits():
    x = images()
    torch.testing.assert_close(fitted(x + 1e6)(x + 1e6), fitted(x)(x), rtol=1e-6, atol=1e-6)


def test_before_it_is_fitted_it_changes_nothing():
    layer, x = ZCAWhitening(SHAPE), images(3).float()
    assert not layer.is_fitted
    assert torch.equal(layer(x), x)
    layer.fit([x])
    assert layer.is_fitted


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ZCAWhitening((3, 224, 224)), r"224x224x3 needs a matrix of 150,528 x 150,528"),
        (lambda: ZCAWhitening(SHAPE, filter_bias=0), "filter_bias is 0; it must be above 0"),
        (lambda: ZCAWhitening(SHAPE).fit([]), "no images"),
        (lambda: ZCAWhitening(SHAPE)(torch.zeros(1, 2, 4, 4)), "of 4x3x2, not 4x4x2"),
    ],
)
def test_what_cannot_be_whitened_is_refused(wrong, message):
    with pytest.raises(RequestError, match=message):
        wrong()


def test_every_unit_depends_on_every_pixel_and_says_so():
    layer = fitted(images())
    net = torch.nn.Sequential(GlobalContrastNorm(), layer)
    x = images(1).requires_grad_()
    recording = convscope.record(net, x.detach())
    assert recording.names == ("0", "1")
    for name, y in (("0", net[0](x)), ("1", net(x))):
        for at in ((0, 0, 0), (1, 3, 2)):
            (slope,) = torch.autograd.grad(y[(0, *at)], x, retain_graph=True)
            assert slope.all()
            field = recording.explain(name, at).receptive_field
            assert (field.box, field.exact) == (((0, 4), (0, 3)), True)
