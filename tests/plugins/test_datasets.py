from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import benchbase
from benchbase_datasets import digits as digits_module
from benchbase_datasets import pca
from benchbase_datasets.digits import Digits
from benchbase_datasets.gaussian import Gaussian
from benchbase_datasets.mnist import Mnist
from benchbase_datasets.normalised import to_unit_norm
from benchbase_datasets.patches import Patches
from benchbase_datasets.pca import coefficients, principal_components

Array = benchbase.Array


@pytest.fixture(scope="module")
def cache_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, cache_place: Path) -> None:
    monkeypatch.setenv("BENCHBASE_CACHE", str(cache_place))
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Principal components.


def whole_numbers(min_side: int = 1) -> st.SearchStrategy[Array]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=min_side, max_side=9)
    return hnp.arrays(np.uint8, shapes)


@given(images=whole_numbers(), centred=st.booleans())
def test_components_diagonalise_the_moment_matrix(images: Array, centred: bool) -> None:
    pixels = images.shape[1]
    basis = principal_components(images, pixels, centred=centred)
    x = images - images.mean(axis=0) * centred
    moment = basis.T @ (x.T @ x) @ basis
    variances = np.diag(moment)
    scale = 1e-9 * (1 + len(images) * 255.0**2 * pixels)
    np.testing.assert_allclose(basis.T @ basis, np.eye(pixels), atol=1e-12)
    np.testing.assert_allclose(moment, np.diag(variances), atol=scale)
    assert (np.diff(variances) <= scale).all()


@given(images=whole_numbers(), centred=st.booleans())
def test_largest_entry_of_each_component_is_positive(images: Array, centred: bool) -> None:
    basis = principal_components(images, images.shape[1], centred=centred)
    largest = np.abs(basis).max(axis=0)
    assert (basis.max(axis=0) >= (1 - 1e-5) * largest).all()


def test_first_of_equally_large_entries_is_positive() -> None:
    half = rng().integers(0, 256, (40, 12), dtype=np.uint8)
    # With every image its mirror image: the components are even or odd, all maxima come twice.
    images = np.concatenate([half, half[:, ::-1]])
    basis = principal_components(images, 12, centred=True)
    left = basis[np.abs(basis[:6]).argmax(axis=0), np.arange(12)]
    np.testing.assert_allclose(left, np.abs(basis).max(axis=0), atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_components_depend_on_neither_blocks_nor_order(
    centred: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = rng().integers(0, 256, (500, 20), dtype=np.uint8)
    whole = principal_components(images, 8, centred=centred)
    monkeypatch.setattr(pca, "BLOCK", 7)
    blocks = principal_components(images[rng().permutation(500)], 8, centred=centred)
    np.testing.assert_array_equal(blocks, whole)


def test_coefficients_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    images = rng().integers(0, 256, (50, 20), dtype=np.uint8)
    mean, basis = rng(1).normal(size=20), rng(2).normal(size=(20, 4))
    monkeypatch.setattr(pca, "BLOCK", 7)
    expected = (images / 255 - mean) @ basis
    found = coefficients(images, 255.0, mean, basis)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


# All of them.


@pytest.mark.parametrize("cls", [Gaussian, Digits, Mnist, Patches])
def test_data_sets_are_found_by_name(cls: type[benchbase.Dataset]) -> None:
    assert benchbase.build("dataset", {"name": cls.name}) == cls()


def test_a_parameter_out_of_range_is_named_in_the_spec() -> None:
    with pytest.raises(benchbase.SpecError, match="components: must be between 1 and the 64"):
        benchbase.build("dataset", {"name": "digits", "components": 65})


def test_slow_libraries_are_not_imported_with_the_plugin() -> None:
    code = (
        "import sys, benchbase_datasets;"
        "slow = {'sklearn', 'scipy', 'pooch', 'requests', 'pandas', 'PIL', 'rich'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Unit norm.


@given(
    signals=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1e4, 1e4, width=32).map(
            lambda value: value if abs(value) > 1e-6 else 0
        ),
    )
)
def test_unit_norm_keeps_directions_and_zeros(signals: Array) -> None:
    scaled = signals.copy()
    scale = to_unit_norm(scaled)
    norms = np.linalg.norm(signals.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), norms > 0, atol=1e-6)
    np.testing.assert_allclose(scaled * norms[:, None], signals, rtol=1e-5)
    if norms.any():
        assert scale == pytest.approx(np.sqrt(np.mean(norms**2)))
    else:
        assert scale == 1


@pytest.mark.parametrize(
    "dataset",
    [Gaussian(normalise=True), Digits(normalise=True), Digits(components=9, normalise=True)],
    ids=str,
)
def test_normalised_signals_are_those_of_the_plain_data_set_scaled(
    dataset: benchbase.Dataset,
) -> None:
    plain = type(dataset)(**{k: v for k, v in vars(dataset).items() if k != "normalise"})
    pairs = [(dataset.test(50, rng(3)), plain.test(50, rng(3)))]
    train, unscaled = dataset.train(rng()), plain.train(rng())
    if train is not None and unscaled is not None:
        assert train.dtype == np.float32
        pairs.append((train, unscaled))
    for scaled, x in pairs:
        np.testing.assert_allclose(scaled, x / np.linalg.norm(x, axis=1, keepdims=True), atol=1e-6)
    assert dataset.signal_norm == 1
    assert plain.signal_norm is None


@pytest.mark.parametrize("centred", [False, True])
def test_pictures_of_normalised_images_have_the_contrast_of_the_others(centred: bool) -> None:
    dataset, plain = (Digits(centred=centred, normalise=n) for n in (True, False))
    train, unscaled = dataset.train(rng()), plain.train(rng())
    scale = np.sqrt(np.mean(np.sum(np.square(unscaled, dtype=np.float64), axis=1)))
    mean = plain.picture(np.zeros(64))
    expected = mean + (scale * train[:20]).reshape(20, 8, 8)
    np.testing.assert_allclose(dataset.picture(train[:20]), expected, atol=1e-5)


def test_the_signal_norm_reaches_solvers() -> None:
    spec = {"name": "gaussian", "n": 3, "normalise": True}
    assert benchbase.build("dataset", spec).signal_norm == 1


# Gaussian vectors.


@given(n=st.integers(1, 9), size=st.integers(0, 20), longer=st.integers(0, 20), seed=st.integers(0))
def test_gaussian_draws_are_prefixes(n: int, size: int, longer: int, seed: int) -> None:
    dataset = Gaussian(n=n)
    short = dataset.test(size, rng(seed))
    assert short.shape == (size, n)
    np.testing.assert_array_equal(short, dataset.test(size + longer, rng(seed))[:size])


def test_gaussian_is_white_and_has_no_training_signals() -> None:
    x = Gaussian().test(20_000, rng())
    assert Gaussian().train(rng()) is None
    assert Gaussian().n == 40
    # An entry of the sample covariance has a standard error of at most 0.01.
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(40), atol=0.05)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.035)
    assert np.mean(x**4) == pytest.approx(3, abs=0.06)


def test_gaussian_refuses_no_dimension() -> None:
    with pytest.raises(benchbase.ParameterError, match="n must be at least 1, not 0"):
        Gaussian(n=0)


# Digits.


def test_digits_are_those_of_scikit_learn_in_two_parts() -> None:
    from sklearn.datasets import load_digits

    dataset = Digits()
    everything = dataset.test(510, rng())
    parts = np.concatenate([dataset.train(rng()), everything])
    theirs = (load_digits().data / 16).astype(np.float32)
    assert dataset.n == 64
    assert parts.dtype == np.float32
    # All images are different, so that equal sets also mean disjoint parts.
    assert {row.tobytes() for row in parts} == {row.tobytes() for row in theirs}
    assert len(parts) == len(theirs) == 1797
    np.testing.assert_array_equal(dataset.train(rng()), theirs[:1287])


def test_digits_are_cut_where_a_form_begins() -> None:
    from sklearn.datasets import load_digits

    labels = load_digits().target[digits_module.TRAINING :]
    np.testing.assert_array_equal(labels[:30], np.tile(np.arange(10), 3))


def test_digits_do_not_depend_on_where_scikit_learn_keeps_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sklearn.datasets  # noqa: F401 # before its search is broken

    grey = digits_module._grey_levels()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fallback = digits_module._grey_levels.__wrapped__()
    np.testing.assert_array_equal(fallback, grey)


@settings(max_examples=30)
@given(size=st.integers(0, 510), shorter=st.integers(0, 510), seed=st.integers(0, 2**32))
def test_digits_are_drawn_once_and_draws_are_prefixes(size: int, shorter: int, seed: int) -> None:
    drawn = Digits().test(size, rng(seed))
    assert len({row.tobytes() for row in drawn}) == size
    shorter = min(shorter, size)
    np.testing.assert_array_equal(Digits().test(shorter, rng(seed)), drawn[:shorter])


def test_digits_draws_differ_between_streams() -> None:
    assert not np.array_equal(Digits().test(20, rng(0)), Digits().test(20, rng(1)))


def test_training_signals_use_no_randomness() -> None:
    stream = rng()
    Digits().train(stream)
    assert stream.random() == rng().random()


def test_more_digits_than_there_are_is_an_error() -> None:
    with pytest.raises(benchbase.ParameterError, match=r"points must be at most 510, .*, not 511"):
        Digits().test(511, rng())


def up_to_sign(found: Array, expected: Array, atol: float) -> None:
    signs = np.sign(np.sum(found * expected, axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=atol)


def test_centred_components_agree_with_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    pixels = np.asarray(Digits().train(rng()), dtype=np.float64)
    theirs = PCA(20, svd_solver="full").fit(pixels)
    dataset = Digits(components=20, centred=True)
    assert dataset.n == 20
    up_to_sign(dataset.train(rng()), theirs.transform(pixels), atol=1e-5)
    up_to_sign(dataset.test(100, rng(3)), theirs.transform(Digits().test(100, rng(3))), atol=1e-5)
    np.testing.assert_allclose(np.mean(dataset.train(rng()), axis=0), 0, atol=1e-5)


def test_uncentred_components_agree_with_a_singular_value_decomposition() -> None:
    pixels = np.asarray(Digits().train(rng()), dtype=np.float64)
    u, s, _ = np.linalg.svd(pixels, full_matrices=False)
    found = Digits(components=20).train(rng())
    up_to_sign(found, (u * s)[:, :20], atol=1e-5)
    assert np.mean(found, axis=0)[0] > 0


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("components", [None, 64])
def test_picture_inverts_a_complete_basis(components: int | None, centred: bool) -> None:
    dataset = Digits(components=components, centred=centred)
    drawn = dataset.test(12, rng()).reshape(3, 4, 64)
    pictures = dataset.picture(drawn)
    assert pictures.shape == (3, 4, 8, 8)
    expected = Digits().test(12, rng()).reshape(3, 4, 8, 8)
    np.testing.assert_allclose(pictures, expected, atol=1e-6)


@pytest.mark.parametrize("centred", [False, True])
def test_picture_loses_what_the_left_out_components_hold(centred: bool) -> None:
    pixels = np.asarray(Digits().train(rng()), dtype=np.float64)
    spectrum = np.linalg.svd(pixels - pixels.mean(axis=0) * centred, compute_uv=False) ** 2
    dataset = Digits(components=10, centred=centred)
    lost = dataset.picture(dataset.train(rng())).reshape(-1, 64) - pixels
    assert np.sum(lost**2) == pytest.approx(spectrum[10:].sum(), rel=1e-5)


@pytest.mark.parametrize(("cls", "pixels"), [(Digits, 64), (Mnist, 784)])
def test_components_are_between_one_and_the_pixels(cls: type[Any], pixels: int) -> None:
    assert cls(components=pixels).n == cls(components=None).n == pixels
    for wrong in (-1, 0, pixels + 1):
        with pytest.raises(benchbase.ParameterError, match="components must be between") as info:
            cls(components=wrong)
        assert str(pixels) in str(info.value)


def test_digits_have_a_fingerprint() -> None:
    assert len(Digits().fingerprint()) == 64
    assert Digits().fingerprint() == Digits(components=3).fingerprint()
    assert Gaussian().fingerprint() == ""
