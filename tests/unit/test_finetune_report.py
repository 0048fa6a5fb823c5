"""A report tells people and programs how a fine-tuning went, and shows it where it can."""

import json
import struct
import sys
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from zoo_finetune import plots, report, report_page, thumbnails
from zoo_finetune.recipe import Recipe

RECORD = {
    "base": {"model": "vgg-digits", "format": "checkpoint", "sha256": "a" * 64},
    "data": {"path": "/data/digits", "sha256": "b" * 64, "examples": 20},
    "result": {"format": "frozen", "path": "out/net.pb"},
    "made_by": {"numpy": "2.0"},
}


@dataclass(frozen=True)
class Epoch:
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class Held:
    names: list
    labels: np.ndarray
    classes: tuple = ()
    digest: str = ""
    paths: list | None = None
    values: dict | None = None


def trained(**changes):
    held = Held(
        names=["even/1.png", "even/2.png", "odd/a|b.png"],
        labels=np.array([0, 0, 1]),
        values={"": np.arange(3 * 8 * 8, dtype=np.float32).reshape(3, 8, 8, 1)},
    )
    facts = {
        "head": SimpleNamespace(features="fc7:0", logits="fc8:0", outputs=2),
        "epochs": [Epoch(0.7, 0.5, 0.8, 0.4, 1.5), Epoch(0.1, 1.0, 0.2, 2 / 3, 0.25)],
        "best_epoch": 1,
        "trained_weights": 2,
        "classes": ("even", "odd"),
        "validation": held,
        "predictions": np.array([[0.9, 0.1], [0.25, 0.75], [0.99, 0.01]], np.float32),
        "notes": ["the Relu after the logits went"],
    }
    return SimpleNamespace(**facts | changes)


@pytest.fixture
def no_matplotlib(monkeypatch):
    """Hide matplotlib, where it is installed."""
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)


def written(folder, run=None, recipe=None):
    notes = report.write(folder / "net.pb", run or trained(), recipe or Recipe(outputs=2), RECORD)
    document = json.loads((folder / "report.json").read_text())
    return notes, document, (folder / "report.md").read_text()


def test_a_report_for_programs(tmp_path, no_matplotlib):
    """All epochs, measures, mistakes, and what they were made with."""
    _, document, _ = written(tmp_path)

    assert document["schema"] == 1
    assert document["base"]["model"] == "vgg-digits"
    assert document["epochs"] == [asdict(epoch) for epoch in trained().epochs]
    assert document["best_epoch"] == 1
    assert document["metrics"]["accuracy"] == pytest.approx(1 / 3)
    assert document["metrics"]["confusion"] == [[1, 1], [1, 0]]
    assert [one["recall"] for one in document["metrics"]["classes"]] == [0.5, 0.0]
    assert document["metrics"]["confused"][0] == {"true": "even", "said": "odd", "examples": 1}
    first, second = document["mistakes"]
    assert first == {
        "name": "odd/a|b.png",
        "true": "odd",
        "said": "even",
        "confidence": pytest.approx(0.99),
        "picture": "report/mistake-01.png",
    }
    assert second["name"] == "even/2.png"


def test_a_report_for_people(tmp_path, no_matplotlib):
    """What was trained on what, each epoch, each class, the mistakes and the notes."""
    _, _, page = written(tmp_path)

    assert "| base model | vgg-digits |" in page
    assert "| **2** | 0.1 | 1 | 0.2 | 0.6667 | 0.25 |" in page
    assert "| even | 0.5 | 0.5 | 0.5 | 2 |" in page
    assert "| true \\ said | even | odd |" in page
    assert "| even | 1 | 1 |" in page
    assert "| ![](report/mistake-01.png) | odd/a\\|b.png | odd | even | 0.99 |" in page
    assert "- the Relu after the logits went" in page


def test_without_matplotlib_the_report_says_what_is_missing(tmp_path, no_matplotlib):
    """The extra that brings it is named; everything else is there."""
    notes, document, page = written(tmp_path)

    assert notes == document["missing"] == [plots.MISSING]
    assert "pip install 'zoo\\[plots\\]'" in page
    assert document["plots"] == []
    assert "curves.png" not in page
    assert (tmp_path / "report" / "mistake-01.png").is_file()


def test_pictures_of_files_are_copied_or_linked(tmp_path, no_matplotlib):
    """Small ones are copied, large ones linked where they lie, sounds left out."""
    data = tmp_path / "my data"
    data.mkdir()
    (data / "1.PNG").write_bytes(b"small")
    (data / "2.jpg").write_bytes(bytes((1 << 20) + 1))
    (data / "3.wav").write_bytes(b"sound")
    paths = [data / "1.PNG", data / "2.jpg", data / "3.wav"]
    held = Held(["1", "2", "3"], np.array([1, 1, 1]), paths=paths)
    run = trained(validation=held, predictions=np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]))
    (tmp_path / "out").mkdir()

    _, document, page = written(tmp_path / "out", run)

    assert [one["picture"] for one in document["mistakes"]] == [
        "report/mistake-01.png",
        "../my%20data/2.jpg",
        None,
    ]
    assert (tmp_path / "out" / "report" / "mistake-01.png").read_bytes() == b"small"
    assert "![](../my%20data/2.jpg)" in page


def test_pictures_may_lie_elsewhere(tmp_path, no_matplotlib):
    """As they do where examples are arrays made of them."""
    (tmp_path / "x.png").write_bytes(b"x")

    report.write(tmp_path, trained(), Recipe(outputs=2), RECORD, [tmp_path / "x.png"] * 3)

    assert (tmp_path / "report" / "mistake-01.png").read_bytes() == b"x"


def test_values_are_reported_as_values(tmp_path, no_matplotlib):
    """Errors in the unit of the targets, and no classes."""
    held = Held(["row 1", "row 2"], np.array([1.0, 2.0], np.float32), values={"": np.ones((2, 5))})
    run = trained(validation=held, predictions=np.array([[1.5], [2.0]], np.float32), classes=())

    _, document, page = written(tmp_path, run, Recipe(outputs=1, task="regression"))

    assert document["metrics"]["mae"] == pytest.approx(0.25)
    assert document["mistakes"] == [
        {"name": "row 1", "true": [1.0], "said": [1.5], "error": 0.5, "picture": None}
    ]
    assert "## Classes" not in page
    assert "| example | true | said | error |" in page


def test_nothing_held_out_and_no_epochs(tmp_path, no_matplotlib):
    """What is not there is not told."""
    run = trained(validation=None, predictions=None, epochs=[], best_epoch=0, notes=[])

    _, document, page = written(tmp_path, run)

    assert document["metrics"] == {}
    assert document["mistakes"] == []
    assert "## Epochs" not in page
    assert "## Worst" not in page


def test_numbers_that_json_lacks(tmp_path, no_matplotlib):
    """A loss that became NaN is told, and the document stays JSON."""
    run = trained(epochs=[Epoch(float("nan"), None, None, None, 1.0)], best_epoch=0)

    _, document, page = written(tmp_path, run)

    assert document["epochs"][0]["loss"] == "NaN"
    assert "| **1** | nan | - | - | - | 1 |" in page


def test_many_classes_stay_readable(tmp_path, no_matplotlib):
    """A page has the worst of them; the document has all, but for an endless matrix."""
    count = 300
    labels = np.arange(count)
    said = np.eye(count)[np.where(labels == 7, 8, labels)]
    held = Held([f"{n}" for n in labels], labels, values={"": np.ones((count, 4))})
    run = trained(validation=held, predictions=said, classes=tuple(f"c{n}" for n in labels))

    _, document, page = written(tmp_path, run)

    assert len(document["metrics"]["classes"]) == count
    assert document["metrics"]["confusion"] is None
    assert document["metrics"]["confused"] == [{"true": "c7", "said": "c8", "examples": 1}]
    assert "| c7 | c8 | 1 |" in page
    assert "50 of 300 classes" in page
    assert page.count("\n") < 150


def test_of_many_epochs_some_are_shown():
    """The first, the last and the kept among them."""
    epochs = [asdict(Epoch(1 / n, None, None, None, 1.0)) for n in range(1, 502)]
    facts = {"epochs": epochs, "best_epoch": 333}

    rows = list(report_page._epochs(facts))

    assert len(rows) < 30
    assert [rows[0][0], rows[-1][0]] == ["1", "501"]
    assert "**334**" in [row[0] for row in rows]


def test_names_cannot_steer_the_page():
    """Markup, HTML, line ends and what steers a terminal stand as what they are."""
    assert report_page.text("<img src=x>|a\nb\x1b[0m") == ("\\<img src=x\\>\\|a\\\\nb\\\\x1b\\[0m")


def test_a_report_is_replaced_as_a_whole(tmp_path, no_matplotlib):
    """Pictures of an older one do not stay; a file of someone's own beside it does."""
    written(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    right = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    _, document, page = written(tmp_path, trained(predictions=right))

    assert document["mistakes"] == []
    assert "every held-out example came out right" in page
    assert not (tmp_path / "report" / "mistake-01.png").exists()
    assert (tmp_path / "mine.txt").is_file()


def test_pixels_of_arrays():
    """Stretched to black and white, large enough to be seen; what is no picture is none."""
    shown = thumbnails.pixels(np.array([[0.0, 0.5], [0.25, 1.0]]))

    assert shown.shape == (64, 64, 1)
    assert shown[0, 0, 0] == 0
    assert shown[-1, -1, 0] == 255
    assert shown[0, -1, 0] == 128
    assert thumbnails.pixels(np.zeros((1024, 512, 3))).shape == (256, 128, 3)
    assert thumbnails.pixels(np.full((8, 8), np.nan)).max() == 0
    for none in (np.zeros(8), np.zeros((8, 8, 2)), np.zeros((1, 8)), np.array([["a"] * 2] * 2)):
        assert thumbnails.pixels(none) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_has_its_pixels(channels):
    """Taken apart as the PNG specification says: chunks with checksums, rows behind a filter."""
    image = np.arange(4 * 5 * channels, dtype=np.uint8).reshape(4, 5, channels)

    data = thumbnails.png(image)

    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += size + 12
    assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (5, 4, 8, {1: 0, 3: 2}[channels])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(4, -1)
    assert (rows[:, 0] == 0).all()
    assert (rows[:, 1:].reshape(image.shape) == image).all()


@pytest.mark.tensorflow
def test_tensorflow_reads_the_png():
    """The oracle of what a picture is."""
    import tensorflow as tf

    image = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)

    assert (tf.io.decode_png(thumbnails.png(image)).numpy() == image).all()


class Canvas:
    """What stands for each object of matplotlib: it takes any call, and saves an empty file."""

    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        return Canvas()

    def __call__(self, *args, **kwargs):
        return Canvas()

    def subplots(self, rows=1, columns=1, squeeze=True):
        return Canvas() if squeeze else [[Canvas() for _ in range(columns)]]

    def savefig(self, path, **kwargs):
        Path(path).write_bytes(b"drawn")


@pytest.fixture
def fake_matplotlib(monkeypatch):
    """Put a matplotlib in place that draws nothing."""
    package, figure = ModuleType("matplotlib"), ModuleType("matplotlib.figure")
    figure.Figure = Canvas
    monkeypatch.setitem(sys.modules, "matplotlib", package)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", figure)
    monkeypatch.setattr(plots, "available", lambda: True)


def test_figures_are_shown_where_they_can_be_drawn(tmp_path, fake_matplotlib):
    """Curves, confusion matrix and scores, in the folder and on the page."""
    notes, document, page = written(tmp_path)

    names = ["report/curves.png", "report/confusion.png", "report/classes.png"]
    assert notes == []
    assert document["plots"] == names
    assert all((tmp_path / name).read_bytes() == b"drawn" for name in names)
    assert all(f"]({name})" in page for name in names)


def test_figures_without_anything_held_out(tmp_path, fake_matplotlib):
    """The curves of the training alone; none where there were no epochs."""
    _, document, _ = written(tmp_path, trained(validation=None, predictions=None))
    assert document["plots"] == ["report/curves.png"]

    _, document, _ = written(tmp_path, trained(validation=None, predictions=None, epochs=[]))
    assert document["plots"] == []


def test_matplotlib_draws(tmp_path):
    """The figures are PNG files with something on them, and the same values give the same bytes."""
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    odd = trained(classes=("$x$ 日本", "b" * 80))

    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, odd)
        files = sorted((tmp_path / name / "report").glob("[a-l]*.png"))
        found.append([file.read_bytes() for file in files])

    assert len(found[0]) == 3
    assert found[0] == found[1]
    assert all(data.startswith(b"\x89PNG") and len(data) > 5000 for data in found[0])
