"""Models that other people wrote give their recorded answers, by command."""

import base64
import json

import numpy as np
import pytest

from zoo.cli import run

CASES = {  # folder: (path in it, record, signature keys or tensors)
    "serving-half-plus-two-v2": ("00000123/export", "expected.npz"),
    "dl4j-ckpt-simple-graph": ("data-all-1000", "expected__frozen_model.pb.npz"),
    "dl4j-ckpt-simple-graph frozen": ("frozen_model.pb", "expected__frozen_model.pb.npz"),
    "dl4j-ckpt-simple-graph text": ("frozen_graph.pbtxt", "expected__frozen_graph.pbtxt.npz"),
    "rust-addition-pb": ("model.pb", "expected__model.pb.npz"),
    "dl4j-lenet-frozen-pb": ("lenet_frozen.pb", "expected.npz"),
    "dotnet-mnist-conv-model": (".", "expected.npz"),
    "serving-sm-half-plus-two-cpu": ("00000123", "expected.npz"),
    "serving-sm-half-plus-two-cpu seeded": ("00000123", "expected__00000123.npz"),
    "serving-sm-half-plus-two-tf2-cpu": ("00000123", "expected.npz"),
    "serving-sm-half-plus-two-tf2-cpu seeded": ("00000123", "expected__00000123.npz"),
    "rust-keras-multiple-inputs-saved-model": (".", "expected.npz"),
    "mlperf-tiny-kws-savedmodel": ("kws_ref_model", "expected__kws_ref_model.npz"),
}


def command(tf, capsys, *arguments):
    """Run a command as a person does, and return its document."""
    code = run([*map(str, arguments), "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return json.loads(shown.out)


def records(path):
    """Yield (signature or None, inputs, name of an output, its value) out of a record."""
    record = np.load(path)
    for key in record.files:
        if not key.startswith("out:"):
            continue
        signature, slash, name = key.removeprefix("out:").partition("/")
        if slash and f"in:{signature}/" in "".join(record.files):
            prefix = f"in:{signature}/"
        else:
            signature, name, prefix = None, key.removeprefix("out:"), "in:"
        inputs = {k.removeprefix(prefix): record[k] for k in record.files if k.startswith(prefix)}
        yield signature, inputs, name, record[key]


def argument(name, value, folder):
    """Return the ``-i`` argument that gives `value`."""
    if value.dtype.kind == "S":
        (folder / "text.npy").unlink(missing_ok=True)
        np.save(folder / "text.npy", value)
        return f"{name}=@{folder}/text.npy"
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, value)
    return f"{name}=@{path}"


def plain_value(value):
    """Return a value of a document as Python has it."""
    if isinstance(value, list):
        return [plain_value(inner) for inner in value]
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return value


@pytest.mark.parametrize("case", sorted(CASES))
def test_recorded_answers(tf, fixtures, capsys, tmp_path, case):
    """``zoo run`` on the file as it was published."""
    path, record = CASES[case]
    folder = fixtures / case.partition(" ")[0]

    checked = 0
    for signature, inputs, name, expected in records(folder / record):
        arguments = [f"-i{argument(key, value, tmp_path)}" for key, value in inputs.items()]
        choice = ["--signature", signature] if signature else []
        document = command(tf, capsys, "run", folder / path, *arguments, "-o", name, *choice)
        value = np.array(plain_value(document["outputs"][name]))
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
        else:
            assert value.tolist() == expected.tolist()
        checked += 1
    assert checked


def test_a_net_that_hears(tf, fixtures, capsys):
    """A frozen net that takes the bytes of a sound file: all nine say what was said."""
    record = np.load(fixtures / "arm-kws" / "expected.npz")
    sound = fixtures / "arm-kws" / "right_from_wav_data_h.wav"
    words = (fixtures / "arm-kws" / "labels.txt").read_text().split()

    names = [k for k in record.files if k.startswith("out:")]
    for key in names:
        net = key.removeprefix("out:").removesuffix("/labels_softmax:0")
        document = command(
            tf, capsys, "run", fixtures / "arm-kws" / net, "-i", f"wav_data=@{sound}"
        )
        (scores,) = document["outputs"]["labels_softmax"]
        np.testing.assert_allclose([scores], record[key], rtol=1e-4, atol=1e-5)
        assert words[int(np.argmax(scores))] == "right"
    assert len(names) == 8


@pytest.mark.parametrize(
    "case", sorted({case.partition(" ")[0] for case in CASES} | {"arm-kws/CNN"})
)
def test_what_is_in_it(fixtures, tf, capsys, case):
    """``zoo inspect`` agrees with the recorded tensors, and names inputs and outputs."""
    document = command(tf, capsys, "inspect", fixtures / case)

    assert document["outputs"]
    assert document["inputs"]
    for record in (fixtures / case).glob("expected__*.tensors.json"):
        rows = {row["name"]: row for row in json.loads(record.read_text())}
        found = {weight.get("key", weight["name"]): weight for weight in document["weights"]}
        for name, row in rows.items():
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH":
                assert (found[name]["dtype"], found[name]["shape"]) == (row["dtype"], row["shape"])


def test_trainable_weights_are_those_of_the_collection(fixtures, tf, capsys):
    """A training SavedModel says which of its variables train; its momentum does not."""
    document = command(tf, capsys, "inspect", fixtures / "dotnet-mnist-conv-model")

    trained = {weight["name"] for weight in document["weights"] if weight["trainable"]}
    assert len(trained) == 10
    assert not any("Momentum" in name for name in trained)


def test_every_file_of_others_is_opened_or_refused(fixtures, tf, capsys):
    """Whatever lies in the fixtures: a document or one error, never a traceback."""
    refused = {}
    for folder in sorted(path for path in fixtures.iterdir() if path.is_dir()):
        if folder.name in ("dl4j-suite", "images"):
            continue
        for path in [folder, *sorted(p for p in folder.rglob("*") if p.is_file())]:
            if path.name.startswith("expected"):
                continue
            code = run(["inspect", str(path), "--json"])
            shown = capsys.readouterr()
            document = json.loads(shown.out)
            assert "Traceback" not in shown.err, path
            assert code in (0, 2, 65), path
            if code:
                refused[path] = document["error"]["kind"]
    assert set(refused.values()) <= {"FormatError", "UnsupportedError", "UsageError"}


def test_a_graph_without_variables_needs_no_checkpoint(tf, fixtures, capsys):
    """A ``.meta`` alone runs where it holds everything; one with variables asks for theirs."""
    path = fixtures / "tfnet-meta-cond-test" / "cond_test.meta"
    record = np.load(path.with_name("expected__cond_test.meta.npz"))

    document = command(tf, capsys, "run", path, "-o", "cond/Merge:0")

    assert document["outputs"]["cond/Merge:0"] == record["out:cond/Merge:0"].tolist()
    assert run(["run", str(fixtures / "tfnet-meta-xor" / "xor.meta")]) == 65
    assert "without its weights" in capsys.readouterr().err
