from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import benchbase
from benchbase_datasets import sampling
from benchbase_datasets.patches import Patches
from benchbase_datasets.photographs import Photograph

Array = benchbase.Array


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


SHAPES = [(17, 23), (12, 12), (30, 9), (25, 25), (9, 40), (8, 8), (31, 14), (16, 16), (20, 11)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of small images, all grey levels of which are random."""
    place = tmp_path / "images"
    (place / "more").mkdir(parents=True)
    for number, shape in enumerate(SHAPES):
        name = f"more/{number}.PNG" if number % 2 else f"{number}.png"
        contrast = 60 + 8 * number
        grey = rng(number).integers(128 - contrast, 128 + contrast, shape)
        Image.fromarray(grey.astype(np.uint8)).save(place / name)
    return place


def small(folder: Path, **parameters: Any) -> Patches:
    defaults = {"source": str(folder), "size": 8, "sampled": 600, "n_train": 90, "n_test": 40}
    return Patches(**{**defaults, **parameters})


def levels(folder: Path) -> dict[str, Array]:
    """Return the grey levels of the images by name, as Pillow gives them."""
    files = [file for file in folder.rglob("*") if file.suffix.lower() in (".png", ".jpg")]
    return {
        str(file.relative_to(folder)): np.asarray(Image.open(file).convert("L")) for file in files
    }


def places(folder: Path, size: int) -> dict[bytes, list[tuple[str, int, int]]]:
    """Return where each patch less its mean is found, by the bytes of what it should be."""
    found: dict[bytes, list[tuple[str, int, int]]] = {}
    for name, grey in levels(folder).items():
        for y in range(grey.shape[0] - size + 1):
            for x in range(grey.shape[1] - size + 1):
                window = grey[y : y + size, x : x + size].astype(np.float64).ravel()
                patch = ((window - window.mean()) / 255).astype(np.float32)
                found.setdefault(patch.tobytes(), []).append((name, y, x))
    return found


def both(dataset: Patches) -> tuple[Array, Array]:
    return dataset.train(rng()), dataset.test(dataset.n_test, rng())


# What the patches are.


@pytest.mark.parametrize("split", ["image", "random"])
def test_patches_are_windows_of_the_images_less_their_mean(folder: Path, split: Any) -> None:
    known = places(folder, 8)
    train, test = both(small(folder, split=split))
    assert (train.shape, test.shape) == ((90, 64), (40, 64))
    assert train.dtype == test.dtype == np.float32
    found = [known[row.tobytes()] for row in np.concatenate([train, test])]
    assert len({place for each in found for place in each}) == 130  # none was drawn twice


def test_no_image_is_for_training_and_testing(folder: Path) -> None:
    known = places(folder, 8)
    train, test = both(small(folder))
    names = [{known[row.tobytes()][0][0] for row in part} for part in (train, test)]
    assert names[0].isdisjoint(names[1])
    # 40 of 130 patches are for testing, and so should be 3 of the 9 images (each has patches).
    assert len(names[1]) <= 3


def test_a_random_split_has_the_same_images_on_both_sides(folder: Path) -> None:
    known = places(folder, 8)
    train, test = both(small(folder, split="random"))
    names = [{known[row.tobytes()][0][0] for row in part} for part in (train, test)]
    assert len(names[0] & names[1]) >= 3


def test_all_patches_are_equally_likely(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = places(folder, 8)
    total = sum(len(each) for each in known.values())
    counts = dict.fromkeys((place for each in known.values() for place in each), 0)
    photographs = [Photograph(name, folder / name) for name in sorted(levels(folder))]
    for seed in range(60):
        monkeypatch.setattr(sampling, "STREAM", seed)
        plan = sampling.Sampling(size=8, sampled=400, n_train=300, n_test=100, by_image=False)
        for part in sampling.sample(photographs, plan, lambda: None)[:2]:
            for row in part:
                counts[known[row.tobytes()][0]] += 1
    hits, expected = np.array(list(counts.values())), 60 * 400 / total
    assert hits.sum() == 60 * 400
    # Each count is binomial, and nearly independent of the others: about a chi-squared of `total`.
    statistic = np.sum((hits - expected) ** 2) / (expected * (1 - 400 / total))
    assert abs(statistic - total) < 5 * np.sqrt(2 * total)


def test_the_patches_of_highest_variance_are_kept(folder: Path) -> None:
    # Where all patches are drawn, the kept ones are known.
    known = places(folder, 8)
    windows = np.array([np.frombuffer(key, np.float32) for key in known])
    everything = sum(len(each) for each in known.values())
    dataset = small(folder, split="random", sampled=everything)
    kept = np.concatenate(both(dataset)).var(axis=1, dtype=np.float64)
    brute = np.sort(windows.var(axis=1, dtype=np.float64))[::-1][:130]
    np.testing.assert_allclose(np.sort(kept)[::-1], brute, rtol=1e-5)


def test_rows_are_in_random_order(folder: Path) -> None:
    known = places(folder, 8)
    names = [known[row.tobytes()][0][0] for row in small(folder, split="random").train(rng())]
    changes = sum(first != second for first, second in itertools.pairwise(names))
    assert changes > 2 * len(set(names))


def test_preparation_does_not_depend_on_blocks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = both(small(folder))
    monkeypatch.setattr(sampling, "BLOCK", 7)
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "another"))
    again = both(small(folder, n_test=39, n_train=91)), both(fresh(small(folder)))
    assert not np.array_equal(again[0][0][:90], whole[0])
    for first, second in zip(whole, again[1], strict=True):
        np.testing.assert_array_equal(first, second)


def fresh(dataset: Patches) -> Patches:
    """Make the process forget what it has prepared, as a new process would have."""
    from benchbase_datasets import patches

    patches._cached_patches.cache_clear()
    return dataset


def test_signals_depend_on_no_generator_but_draws_do(folder: Path) -> None:
    dataset = small(folder)
    stream = rng()
    first = dataset.train(stream)
    assert stream.random() == rng().random()
    np.testing.assert_array_equal(dataset.train(rng(5)), first)
    drawn = dataset.test(40, rng(1))
    np.testing.assert_array_equal(dataset.test(7, rng(1)), drawn[:7])
    assert not np.array_equal(dataset.test(40, rng(2)), drawn)
    assert len({row.tobytes() for row in drawn}) == 40
    with pytest.raises(benchbase.ParameterError, match=r"points must be at most 40, .*, not 41"):
        dataset.test(41, rng())


def test_training_patches_are_mapped_and_read_only(folder: Path) -> None:
    train = small(folder).train(rng())
    assert isinstance(train, np.memmap)
    assert not train.flags.writeable


@pytest.mark.parametrize("split", ["image", "random"])
def test_normalised_patches_are_the_others_scaled(folder: Path, split: Any) -> None:
    plain, dataset = (small(folder, split=split, normalise=n) for n in (False, True))
    for x, scaled in zip(both(plain), both(dataset), strict=True):
        norms = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(scaled, x / norms, atol=1e-6)
    assert dataset.signal_norm == 1
    assert plain.signal_norm is None


def test_pictures_are_the_windows_about_mid_grey(folder: Path) -> None:
    plain, dataset = (small(folder, normalise=n) for n in (False, True))
    train = plain.train(rng())
    pictures = plain.picture(train[:6].reshape(2, 3, 64))
    assert pictures.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(pictures.reshape(6, 64) - 0.5, train[:6], atol=1e-6)
    scale = np.sqrt(np.mean(np.sum(train**2, axis=1)))
    scaled = dataset.train(rng())[:6]
    expected = 0.5 + scale * scaled.reshape(6, 8, 8)
    np.testing.assert_allclose(dataset.picture(scaled), expected, atol=1e-5)


# What is left out, and what is refused.


def test_what_is_left_out_is_counted(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "notes.txt").write_text("no image")
    (folder / "more" / ".index").write_bytes(b"\x00")
    Image.new("L", (40, 40), 77).save(folder / "flat.png")
    Image.new("RGB", (7, 300)).save(folder / "narrow.jpg")
    Image.new("RGB", (300, 7)).save(folder / "low.jpg")
    shapes = [grey.shape for grey in levels(folder).values()]
    total = sum(max(h - 7, 0) * max(w - 7, 0) for h, w in shapes)
    dataset = small(folder, split="random", sampled=total)
    assert not (both(dataset)[0].var(axis=1) == 0).any()
    assert dataset.skipped() == {"small": 2, "others": 2, "flat": 33 * 33}
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err == (
        "patches: 10 photographs are used; 2 smaller than 8×8 pixels, "
        "2 files that are not images, and 1089 patches of one grey level are left out\n"
    )
    small(folder, split="random", sampled=total).train(rng())
    assert capfd.readouterr().err == ""


def test_more_patches_than_there_are_is_an_error(folder: Path) -> None:
    shapes = [grey.shape for grey in levels(folder).values()]
    total = sum((h - 7) * (w - 7) for h, w in shapes)
    small(folder, split="random", sampled=total).train(rng())
    with pytest.raises(benchbase.ParameterError, match=f"sampled .* {total + 1} .* only {total}"):
        small(folder, split="random", sampled=total + 1).train(rng())
    with pytest.raises(benchbase.ParameterError, match="sampled must be fewer"):
        small(folder, sampled=total + 100).train(rng())


def test_too_few_patches_that_are_not_flat_is_an_error(tmp_path: Path) -> None:
    grey = np.zeros((20, 20), np.uint8)
    grey[0, 0] = 255
    Image.fromarray(grey).save(tmp_path / "dot.png")
    dataset = Patches(source=str(tmp_path), split="random", sampled=25, n_train=1, n_test=1)
    with pytest.raises(
        benchbase.ParameterError, match="24 of the 25 patches have only one grey level"
    ):
        dataset.train(rng())


def test_one_image_cannot_be_split(tmp_path: Path) -> None:
    Image.fromarray(rng().integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / "one.png")
    dataset = Patches(source=str(tmp_path), sampled=200, n_train=10, n_test=10)
    with pytest.raises(benchbase.ParameterError, match="split must be 'random'"):
        dataset.train(rng())
    alone = Patches(source=str(tmp_path), sampled=200, n_train=10, n_test=10, split="random")
    assert alone.train(rng()).shape == (10, 256)


def test_images_that_are_all_too_small_are_an_error(folder: Path) -> None:
    with pytest.raises(benchbase.DataError, match="none of the 9 photographs has 99×99 pixels"):
        small(folder, size=99).train(rng())


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"size": 1}, "size must be between 2 and 256, not 1"),
        ({"size": 257}, "size must be between 2 and 256, not 257"),
        ({"n_train": 0}, "n_train must be at least 1, not 0"),
        ({"n_test": 0}, "n_test must be at least 1, not 0"),
        ({"sampled": 19_999}, "sampled must be at least n_train .* = 20000, not 19999"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], problem: str) -> None:
    with pytest.raises(benchbase.ParameterError, match=problem):
        Patches(**parameters)  # type: ignore[arg-type] # whole numbers all


def test_a_split_of_another_name_is_refused() -> None:
    with pytest.raises(benchbase.SpecError, match="split: must be 'image' or 'random'"):
        benchbase.build("dataset", {"name": "patches", "split": "images"})


# The two photographs.


def test_photographs_of_scikit_learn_need_no_folder(capfd: pytest.CaptureFixture[str]) -> None:
    from sklearn.datasets import load_sample_images

    dataset = Patches()
    train, test = both(dataset)
    assert (dataset.n, train.shape, test.shape) == (256, (18_000, 256), (2_000, 256))
    china, flower = (
        np.asarray(Image.fromarray(image).convert("L")).astype(np.float64)
        for image in load_sample_images().images
    )
    for grey, part, drawn in ((china, train, 90_000), (flower, test, 10_000)):
        windows = np.lib.stride_tricks.sliding_window_view(grey, (16, 16))
        sums, squares = windows.sum(axis=(2, 3)), np.square(grey)
        energy = np.lib.stride_tricks.sliding_window_view(squares, (16, 16)).sum(axis=(2, 3))
        variances = energy / 256 - (sums / 256) ** 2
        kept = part.var(axis=1, dtype=np.float64) * 255**2
        # The kept ones are the best fifth of a sample: a quantile with the error of its size.
        share = np.mean(variances >= kept.min())
        assert share == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / drawn))
        assert kept.mean() == pytest.approx(variances[variances >= kept.min()].mean(), rel=0.05)
    told = capfd.readouterr()
    assert told.out == ""


# Files that change, and processes that are killed.


def test_other_images_are_prepared_again(folder: Path) -> None:
    dataset = small(folder)
    before, old = dataset.fingerprint(), both(dataset)
    assert fresh(dataset).fingerprint() == before
    file = folder / "8.png"
    time_before = file.stat().st_mtime_ns
    grey = np.asarray(Image.open(file))
    Image.fromarray(grey[::-1]).save(file)
    os.utime(file, ns=(time_before + 1, time_before + 1))
    assert dataset.fingerprint() != before
    known = places(folder, 8)
    new = both(dataset)
    assert all(row.tobytes() in known for part in new for row in part)
    assert not np.array_equal(np.concatenate(new), np.concatenate(old))


def test_images_that_change_as_they_are_read_are_not_believed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = Photograph.grey

    def change(self: Photograph) -> Array:
        if self.name == "8.png":
            Image.fromarray(np.roll(grey(self), 1)).save(self.path)
        return grey(self)

    before = small(folder)
    monkeypatch.setattr(Photograph, "grey", change)
    with pytest.raises(benchbase.DataError, match="changed while they were read"):
        small(folder, sampled=500).train(rng())
    monkeypatch.undo()
    assert before.train(rng()).shape == (90, 64)


def test_the_order_of_images_counts_but_not_where_their_folder_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = small(folder)
    before, train = dataset.fingerprint(), dataset.train(rng())
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(Photograph, "grey", None)  # what is prepared is not read again
    assert small(moved).fingerprint() == before
    np.testing.assert_array_equal(small(moved).train(rng()), train)
    (moved / "0.png").rename(moved / "x.png")
    assert small(moved).fingerprint() != before


KILLED = """
import sys
import numpy as np
from benchbase_datasets import patches, photographs

grey, calls = photographs.Photograph.grey, []

def stall(self):
    calls.append(self)
    if len(calls) == {call}:
        print("stalled", flush=True)
        sys.stdin.read()
    return grey(self)

photographs.Photograph.grey = stall
dataset = patches.Patches(source={source!r}, size=8, sampled=600, n_train=90, n_test=40)
dataset.train(np.random.default_rng(0))
"""


@pytest.mark.parametrize("call", [2, 17], ids=["drawing", "keeping"])
def test_a_killed_preparation_leaves_nothing_that_is_believed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    expected = both(small(folder))
    place = tmp_path / "cache"
    monkeypatch.setenv("BENCHBASE_CACHE", str(place))
    script = KILLED.format(call=call, source=str(folder))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stalled\n"
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not list(place.rglob("*.npy"))
    for found, right in zip(both(fresh(small(folder))), expected, strict=True):
        np.testing.assert_array_equal(found, right)
