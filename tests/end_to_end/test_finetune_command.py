"""``zoo finetune`` and ``zoo rebuild``, as scripts and people call them."""

import json
import os
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import yaml

import zoo
from zoo import protos
from zoo.cli import run

DIGITS = pytest.importorskip("sklearn.datasets").load_digits()
X = DIGITS.images[:200, ..., None].astype(np.float32)
ODD = (DIGITS.target[:200] % 2).astype(np.int64)
USUAL = ("--outputs", 2, "--to", "frozen", "--learning-rate", 0.01)


def png(pixels):
    """Return the bytes of a gray picture, pixels (height, width) from 0 to 255."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", *pixels.shape[::-1], 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Work in a folder with a table of digits."""
    monkeypatch.chdir(tmp_path)
    np.savez("digits.npz", x=X, y=ODD)
    return tmp_path


@pytest.fixture
def pictures(place):
    """Return a folder of pictures whose name, and whose classes' names, are those of people."""
    folder = place / "meine Bilder ü"
    for number, image in enumerate(DIGITS.images[:200]):
        path = folder / ("ungerade Zahlen" if ODD[number] else "gerade") / f"bild {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image * 15.9))
    return folder


@pytest.fixture
def called(tf, capfd):
    """Return what calls a command and gives its exit code, standard output and error."""

    def call(*arguments):
        code = run([str(one) for one in arguments])
        return code, *capfd.readouterr()

    return call


def files(folder):
    """Return the names of all files and folders in `folder`."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_the_document_is_what_the_design_says(called, place):
    """Its keys, one entry an epoch; standard output is the document, the rest goes beside it."""
    code, out, err = called(
        "finetune", "vgg-digits", "digits.npz", "new/odd.pb", *USUAL, "--epochs", 2, "--json"
    )
    document = json.loads(out)

    assert code == 0, err
    assert document["schema"] == 1
    assert document["target"] == {"format": "frozen", "path": "new/odd.pb"}
    assert document["outputs"] == 2
    assert document["head"].items() >= {"features": "fc7:0", "logits": "fc8:0"}.items()
    assert sorted(document["head"]["weights"]) == ["fc8/bias", "fc8/kernel"]
    assert document["trained_weights"] == 2
    keys = {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert [set(one) for one in document["epochs"]] == [keys, keys]
    assert all(isinstance(value, float) for one in document["epochs"] for value in one.values())
    assert [line[:12] for line in err.splitlines()[:2]] == ["epoch 1 of 2", "epoch 2 of 2"]
    beside = {path for path in files(place / "new") if not path.startswith("report/")}
    assert beside == {"odd.pb", "recipe.yaml", "report", "report.md", "report.json", "README.md"}


def test_a_person_reads_one_line(called):
    """Standard output is the result alone; with -q notes and progress are gone."""
    code, out, err = called(
        "finetune", "vgg-digits", "digits.npz", "odd.pb", *USUAL, "--epochs", 1, "-q"
    )

    assert code == 0, err
    assert out.startswith("odd.pb: 119.5 kB, accuracy 0.")
    assert out.endswith(" after epoch 1\n")
    assert err == ""


def test_a_recipe_is_followed_and_the_command_line_counts_more(called, place):
    """Options of the file, options beside it, and what neither says."""
    (place / "mine.yaml").write_text("outputs: 2\nepochs: 3\nbatch_size: 64\nseed: 7\n")

    code, out, err = called(
        "finetune", "vgg-digits", "digits.npz", "odd.pb", "--to", "frozen",
        "--config", "mine.yaml", "--epochs", 1, "--json",
    )  # fmt: skip

    assert code == 0, err
    assert len(json.loads(out)["epochs"]) == 1
    kept = yaml.safe_load((place / "recipe.yaml").read_text())
    found = {key: kept[key] for key in ("outputs", "epochs", "batch_size", "seed", "optimizer")}
    assert found == {"outputs": 2, "epochs": 1, "batch_size": 64, "seed": 7, "optimizer": "adam"}


def test_pictures_become_a_name_that_runs(called, pictures, place):
    """The result is registered with its labels, and reads a photo as it was trained to."""
    code, _, err = called(
        "finetune", "vgg-digits", pictures, "neue netze/gerade.pb", *USUAL, "--epochs", 8,
        "--register", "even-odd",
    )  # fmt: skip
    assert code == 0, err

    photo = pictures / "gerade" / "bild 0.png"
    code, out, err = called("run", "even-odd", "-i", f"images=@{photo}", "--json")

    assert code == 0, err
    said = json.loads(out)["labels"]["probabilities"][0]
    assert {one["label"] for one in said} == {"gerade", "ungerade Zahlen"}
    assert said[0]["label"] == "gerade"
    code, out, _ = called("info", "even-odd", "--json")
    assert (json.loads(out)["base_model"], code) == ("vgg-digits", 0)


def test_a_result_is_rebuilt_from_its_folder(called, place, monkeypatch):
    """Byte for byte, from any working folder; not from other data, not from other data to judge."""
    np.savez("other.npz", x=X[100:], y=ODD[100:])
    options = (*USUAL, "--epochs", 2, "--validation", "other.npz")
    code, _, err = called("finetune", "vgg-digits", "digits.npz", "new/odd.pb", *options)
    assert code == 0, err
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")

    code, out, err = called("rebuild", "../new")
    assert (code, out) == (0, "all 14 weights came out byte for byte as before\n"), err
    code, out, _ = called("rebuild", "../new/recipe.yaml", "--json")
    assert (code, json.loads(out)["equal"]) == (0, True)

    np.savez(place / "other.npz", x=X[99:], y=ODD[99:])
    code, out, err = called("rebuild", "../new")
    assert (code, out) == (76, "")
    assert "is not what it was when the model was made" in err


def test_the_tags_that_a_source_was_opened_by_are_kept(called, place):
    """A SavedModel of two MetaGraphs is rebuilt from the one it was."""
    model = zoo.load("vgg-digits")
    zoo.save(model, place / "two", "saved_model", tags=["serve", "gpu"])
    stored = protos.SavedModel.FromString((place / "two" / "saved_model.pb").read_bytes())
    stored.meta_graphs.add().CopyFrom(stored.meta_graphs[0])
    stored.meta_graphs[1].meta_info_def.tags[:] = ["train"]
    (place / "two" / "saved_model.pb").write_bytes(stored.SerializeToString())

    _, out, err = called(
        "finetune", "two", "digits.npz", "new/odd.pb", *USUAL, "--epochs", 1, "--tags", "serve,gpu"
    )
    code, told, _ = called("rebuild", "new", "-q")

    assert yaml.safe_load((place / "new" / "recipe.yaml").read_text())["base"]["tags"] == [
        "serve",
        "gpu",
    ], (out, err)
    assert (code, told) == (0, "all 14 weights came out byte for byte as before\n")


def test_a_result_that_came_out_otherwise_is_told(called, place):
    """It ends with 1, and names the weights."""
    called("finetune", "vgg-digits", "digits.npz", "odd.pb", *USUAL, "--epochs", 1)
    path = place / "recipe.yaml"
    facts = yaml.safe_load(path.read_text())
    facts["weights"]["fc8/bias"] = "0" * 64
    path.write_text(yaml.safe_dump(facts))

    code, out, _ = called("rebuild", ".")

    assert (code, out.splitlines()[0]) == (1, "of 14 weights 1 differ (fc8/bias)")


def test_what_lies_there_is_kept_or_replaced(called, place):
    """Refused before training starts; --force replaces it, with its record."""
    begun = ("finetune", "vgg-digits", "digits.npz", "odd.pb", *USUAL, "--epochs")
    assert called(*begun, 1)[0] == 0
    before = (place / "odd.pb").read_bytes()

    code, out, err = called(*begun, 2)
    assert (code, out) == (73, "")
    assert "odd.pb exists" in err
    assert "epoch" not in err
    assert (place / "odd.pb").read_bytes() == before

    code, _, err = called("finetune", "vgg-digits", "digits.npz", "b.pb", *USUAL)
    assert (code, "epoch" in err) == (73, False)
    assert "the recipe of odd.pb" in err

    assert called(*begun, 2, "--force")[0] == 0
    assert (place / "odd.pb").read_bytes() != before
    assert yaml.safe_load((place / "recipe.yaml").read_text())["epochs"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--outputs N"),
        (("--outputs", -1), "outputs is 0 or more"),
        (("--outputs", 2, "--optimizer", "adagrad"), "'adagrad' is not one of"),
        (("--outputs", 2, "--epochs", "many"), "'many' is not a valid integer"),
        (("--outputs", 2, "--learning-rate", "nan"), "learning-rate is a finite number"),
        (("--outputs", 2, "--validation-split", 1), "validation-split is 0 or more and below 1"),
        (("--outputs", 2, "--train", "conv9/*"), "no weight is called"),
        (("--outputs", 2, "--train", "all", "--last-layers", 1), "do not go together"),
        (("--outputs", 2, "--epoch", 3), "No such option"),
    ],
)
def test_options_that_nobody_takes(called, place, options, said):
    """Ended with 2, and nothing is written."""
    before = files(place)

    code, out, err = called("finetune", "vgg-digits", "digits.npz", "odd.pb", *options)

    assert (code, out) == (2, "")
    assert said in err
    assert files(place) == before


def test_all_that_is_wrong_with_the_data_is_said_at_once(called, pictures, place):
    """Broken pictures and a class too many; nothing of a result is left behind."""
    even = pictures / "gerade"
    (even / "bild 0.png").write_bytes(b"<html><title>404</title></html>")
    (even / "bild 2.png").write_bytes((even / "bild 2.png").read_bytes()[:60])
    (pictures / "leer").mkdir()
    (pictures / "leer" / "a.png").write_bytes(b"")
    before = files(place)

    code, out, err = called("finetune", "vgg-digits", pictures, "new/odd.pb", *USUAL)

    assert (code, out) == (65, "")
    assert "3 classes for 2 outputs: gerade, leer, ungerade Zahlen" in err
    for line in ("gerade/bild 0.png: it is an HTML page\n", "gerade/bild 2.png: ",
                 "leer/a.png: it is empty"):  # fmt: skip
        assert line in err
    assert "--skip-broken" in err
    assert "epoch" not in err
    assert {path for path in files(place) - before if path != "new"} == set()


def test_a_training_that_comes_to_nothing_leaves_nothing(called, place):
    """A rate far too large: the loss is no number, and no model of NaN is written."""
    code, out, err = called(
        "finetune", "vgg-digits", "digits.npz", "odd.pb", "--outputs", 2, "--to", "frozen",
        "--train", "all", "--optimizer", "sgd", "--learning-rate", 1e38,
    )  # fmt: skip

    assert (code, out) == (65, "")
    assert "a smaller --learning-rate" in err
    assert not {"odd.pb", "recipe.yaml", "report"} & files(place)


def test_a_training_that_was_interrupted_goes_on(called, place):
    """Ctrl-C ends with 130 and no result; --resume ends as if nothing had been."""
    options = [*map(str, USUAL), "--epochs", "40"]
    command = [sys.executable, "-m", "zoo", "finetune", "vgg-digits", "digits.npz", "a/odd.pb"]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("epoch 3 "):
            os.kill(process.pid, signal.SIGINT)
            break
    told = process.communicate(timeout=30)[1]
    assert process.returncode in (130, -signal.SIGINT), told
    assert "Traceback" not in told
    assert not (place / "a" / "odd.pb").exists()

    code, out, err = called(
        "finetune", "vgg-digits", "digits.npz", "a/odd.pb", *options, "--resume", "--json"
    )
    assert code == 0, err
    assert not err.startswith("epoch 1 of")
    again = json.loads(out)["epochs"]
    assert len(again) == 40
    called("finetune", "vgg-digits", "digits.npz", "b/odd.pb", *options)
    assert (place / "a/odd.pb").read_bytes() == (place / "b/odd.pb").read_bytes()
    assert {path.name for path in (place / "a").iterdir()} == {
        path.name for path in (place / "b").iterdir()
    }


def test_a_table_of_words_names_the_classes(called, place):
    """A CSV of numbers with labels in words; the folder of a SavedModel holds its record."""
    rows = [",".join([*map(str, x.ravel()), "odd" if y else "even"])
            for x, y in zip(X, ODD, strict=True)]  # fmt: skip
    (place / "digits.csv").write_text("\n".join(rows))

    code, out, err = called(
        "finetune", "vgg-digits", "digits.csv", "served", "--outputs", 2, "--to", "saved_model",
        "--epochs", 1, "--json",
    )  # fmt: skip

    assert code == 0, err
    assert json.loads(out)["classes"] == ["even", "odd"]
    assert (place / "served" / "recipe.yaml").is_file()
    assert zoo.inspect("served")["head"]["outputs"] == 2
    assert called("rebuild", "served")[0] == 0


def test_a_format_that_is_not_written_is_refused_before_training(called, place):
    """No epoch is lost on it."""
    code, _, err = called(
        "finetune", "vgg-digits", "digits.npz", "new/odd.h5", "--outputs", 2, "--to", "keras"
    )

    assert code == 65
    assert "not written" in err
    assert "epoch" not in err
    assert files(place) == {"digits.npz"}


def test_a_keras_file_becomes_a_saved_model(called, fixtures, place):
    """Where nothing is said of the format, and that of the source is only read."""
    (source,) = (fixtures / "mlperf-tiny-resnet-cifar10-h5").glob("*.h5")
    colours = np.random.default_rng(0).random((20, 32, 32, 3)).astype(np.float32)
    np.savez("colours.npz", x=colours, y=np.arange(20) % 2)

    code, _, err = called(
        "finetune", source, "colours.npz", "served", "--outputs", 2, "--epochs", 1
    )

    assert code == 0, err
    assert zoo.inspect("served")["format"] == "saved_model"


def test_what_a_format_cannot_hold_is_refused_before_training(called, place):
    """Found by writing the model once, which leaves nothing."""
    model = zoo.load("vgg-digits")
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    meta_graph.collection_def["sizes"].int64_list.value.append(8)
    zoo.save(zoo.Model(meta_graph, model.weights), place / "net", "saved_model")
    before = files(place)

    code, _, err = called("finetune", "net", "digits.npz", "new/odd.pb", "--outputs", 2,
                          "--to", "frozen")  # fmt: skip

    assert code == 65, err
    assert "drop_collections" in err
    assert "epoch" not in err
    assert files(place) - before <= {"new"}


def test_two_at_one_result(called, place):
    """The second ends at once, and the first with its bytes."""
    command = [sys.executable, "-m", "zoo", "finetune", "vgg-digits", "digits.npz", "new/odd.pb"]
    options = [*map(str, USUAL), "--epochs", "2000", "--patience", "3000"]
    first = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    try:
        while "epoch 2 of" not in first.stderr.readline():
            assert first.poll() is None

        code, _, err = called("finetune", "vgg-digits", "digits.npz", "new/odd.pb", *USUAL)

        assert code == 75, err
        assert "new" in err
    finally:
        first.send_signal(signal.SIGINT)
        with first.stderr as rest:
            rest.read()
        assert first.wait(60) == 130
    assert (place / "new" / ".odd.pb.training" / "state.npz").is_file()


def test_checkpoints_on_the_way_stay_as_wanted(called, place):
    """The latest of them, each a model that runs."""
    code, _, err = called(
        "finetune", "vgg-digits", "digits.npz", "odd.pb", *USUAL, "--epochs", 4, "--max-to-keep", 2
    )

    assert code == 0, err
    kept = sorted(path.stem for path in (place / "odd.pb.checkpoints").glob("*.index"))
    assert kept == ["model-3", "model-4"]
    assert zoo.load(place / "odd.pb.checkpoints" / "model-4").signature().outputs
