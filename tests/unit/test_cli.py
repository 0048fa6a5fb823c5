"""Commands: their documents, their exit codes, and that no error is a traceback."""

import errno
import io
import json
import os
import shlex
import subprocess
import sys

import click
import numpy as np
import pytest

import zoo_frozen
from zoo import cli, dtypes
from zoo.cli import COMMANDS, run
from zoo.commands.running import _save_arrays
from zoo.errors import UnsupportedError
from zoo.model import Model
from zoo.samples import sample_model


@pytest.fixture
def zoo(capsys):
    """Return a function that runs a command and gives its exit code, output and errors."""

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return call


@pytest.fixture
def net(tmp_path):
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    return tmp_path / "net.pb"


def test_help_lists_every_command(zoo):
    """``zoo --help`` has a line for each, and says what it does."""
    code, out, _ = zoo("--help")

    assert code == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in out
        assert line[:30] in out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(zoo, name):
    """``zoo COMMAND --help`` explains it; commands that print facts have ``--json``."""
    code, out, _ = zoo(name, "--help")

    assert (code, "--json" in out) == (0, True)


def test_list(zoo):
    """Names and summaries; a document; nothing where nothing matches."""
    assert zoo("list", "[tv]*")[1].startswith("toy-adder   (w1 + w2) * bias")
    document = json.loads(zoo("list", "toy*", "--json")[1])
    assert document["schema"] == 1
    (model,) = document["models"]
    assert {"name", "summary", "tags", "cached"} <= set(model)
    assert (model["tags"], model["cached"]) == (["tutorial"], False)
    assert zoo("list", "no-*")[1] == "no model matches 'no-*'\n"


def test_list_knows_what_is_in_the_store(zoo):
    """A fetched model is cached, also one of several files."""
    zoo("fetch", "toy-adder")

    assert json.loads(zoo("list", "--cached", "--json")[1])["models"][0]["cached"]


def test_info(zoo):
    """The entry, as a card or as a document."""
    assert "license           Apache-2.0" in zoo("info", "toy-adder")[1]
    document = json.loads(zoo("info", "toy-adder", "--json")[1])
    assert document["weights"]["tutorial"]["format"] == "checkpoint"


def test_fetch(zoo, tmp_path):
    """The path on standard output, remarks on standard error, a document if wanted."""
    code, out, err = zoo("fetch", "toy-adder")
    assert (code, "fetched and verified" in err) == (0, True)
    document = json.loads(zoo("fetch", "toy-adder", "--json", "--offline")[1])
    (model,) = document["models"]
    assert set(model) == {"name", "tag", "path", "sha256", "bytes", "from_cache"}
    assert (model["path"], model["from_cache"]) == (out.strip(), True)
    code, out, err = zoo("fetch", "toy-adder", "-q", "--into", tmp_path)
    assert (out.strip(), err) == (str(tmp_path / "toy-adder"), "")


def test_inspect(zoo, net):
    """The contract of the document: every key that scripts rely on."""
    code, out, _ = zoo("inspect", net, "--json")

    document = json.loads(out)
    assert code == 0
    assert set(document) == {
        "schema", "format", "path", "bytes", "producer", "tensorflow_version", "tag_sets",
        "signatures", "inputs", "outputs", "weights", "parameters", "ops", "head", "findings",
        "what", "notes", "heads", "functions", "collections", "assets", "devices",
        "control_flow", "training", "optimizer_slots",
    }  # fmt: skip
    assert document["format"] == "frozen"
    (given,) = document["inputs"]
    assert (given.pop("why"), given.pop("rank")) == ("the outputs depend on it", 0)
    assert given == {"tensor": "x:0", "dtype": "float32", "shape": [None, 3]}
    output = document["outputs"][0]
    assert (bool(output.pop("why")), output.pop("rank")) == (True, 0)
    assert output == {"tensor": "probabilities:0", "dtype": "float32", "shape": None}
    assert document["weights"][0] == {
        "name": "dense/bias", "dtype": "float32", "shape": [2], "bytes": 8, "trainable": True,
    }  # fmt: skip
    assert (document["parameters"], document["ops"]["MatMul"]) == (8, 1)


def test_diff(zoo, net, tmp_path):
    """Equal: 0 and what was compared; different: 1 and where; a document for scripts."""
    zoo("convert", net, tmp_path / "other", "--to", "saved_model")
    other = sample_model()
    values = {**other.weights, "dense/bias": other.weights["dense/bias"] + 1}
    zoo_frozen.save(Model(other.meta_graph, values), tmp_path / "trained.pb")

    code, out, _ = zoo("diff", net, tmp_path / "other")
    assert (code, out.splitlines()[0]) == (0, "equal  1 output, 8 operations, 2 weights")
    assert "A states no signature: its graph shows the outputs" in out
    code, out, _ = zoo("diff", net, tmp_path / "trained.pb", "--json")
    document = json.loads(out)
    assert code == 1
    assert set(document) == {
        "schema", "equal", "a", "b", "weights", "signatures", "graph", "notes"
    }  # fmt: skip
    assert document["a"] == {"ref": str(net), "format": "frozen", "path": str(net)}
    assert set(document["weights"]) == {
        "equal", "different", "close", "renamed", "transposed", "cast", "only_a", "only_b"
    }  # fmt: skip
    (one,) = document["weights"]["different"]
    assert (one["a"], one["different"], one["at"], one["value_a"]) == ("dense/bias", 2, [0], 1.0)
    code, out, _ = zoo("diff", net, tmp_path / "trained.pb")
    assert out.startswith("different  1 of 2 weights\n")
    assert "2 of 2 values, by 1 at most, at [0]: 1.0 in A, 2.0 in B" in out
    assert zoo("diff", net, tmp_path / "trained.pb", "--atol", 2)[0] == 0
    assert zoo("diff", net, tmp_path / "gone.pb")[0] == 66


def test_inspect_for_people(zoo, net, tmp_path):
    """What goes in and out, weights, operations - and more of them if there are many."""
    out = zoo("inspect", net)[1]

    assert "in   x:0" in out
    assert "dense/kernel  float32  [3, 2]  trainable" in out
    zoo("convert", net, tmp_path / "m", "--to", "saved_model", "-q")
    assert "signature serving_default" in zoo("inspect", tmp_path / "m")[1]


def test_convert(zoo, net, tmp_path):
    """The document of a conversion, and remarks on what changed."""
    code, out, err = zoo("convert", net, tmp_path / "m", "--to", "saved_model", "--json")

    document = json.loads(out)
    assert code == 0
    assert document["source"] == {"format": "frozen", "path": str(net)}
    assert document["target"]["format"] == "saved_model"
    assert document["repairs"] == [
        "no signature says what the outputs are: took probabilities:0 (no other operation uses it,"
        " and it depends on the inputs: probabilities that add up to one); -o names others",
        "made variables of constants that are weights: 2",
    ]
    assert document["verified"] is None
    assert "note: no signature says" in err
    assert "note: made variables" in err


def test_convert_with_an_option_of_the_format(zoo, net, tmp_path):
    """Options of formats are given as NAME=VALUE."""
    code, out, _ = zoo(
        "convert", net, tmp_path / "m", "--to", "checkpoint", "--option", "global_step=9", "-q"
    )

    assert code == 0, out
    assert (tmp_path / "m-9.index").is_file()


def test_quiet_and_verbose(capsys, zoo, net, tmp_path):
    """``-q`` prints no remarks; ``-v`` shows where an error came from, and changes no code."""
    assert zoo("convert", net, tmp_path / "m", "--to", "saved_model", "-q")[2] == ""
    code = run(["inspect", str(tmp_path / "missing"), "-v"])

    assert code == 66
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "zoo: nothing lies at" in err


def test_a_format_can_be_named(zoo, net, tmp_path):
    """``--format`` takes the place of looking: what it names is asked, and nothing else."""
    assert zoo("inspect", net, "--format", "frozen")[0] == 0
    assert "checkpoint" in zoo("inspect", net, "--format", "checkpont")[2]
    code, _, err = zoo("convert", net, tmp_path / "a", "--to", "frozen", "--format", "saved_model")
    assert (code, str(net) in err) == (65, True)


def test_names_with_signs_of_a_glob(zoo, net, tmp_path):
    """A path is a path, whatever is in it."""
    target = tmp_path / "a [1]* größe"
    assert zoo("convert", net, target, "--to", "checkpoint", "-q")[0] == 0
    document = json.loads(zoo("inspect", target, "--json")[1])
    assert (document["path"], document["bytes"] > 500) == (str(target), True)


def test_formats_and_plugins(zoo):
    """What is installed, from where."""
    assert "global_step" in zoo("formats")[1]
    assert len(json.loads(zoo("formats", "--json")[1])["formats"]) >= 3
    assert "zoo_frozen" in zoo("plugins")[1]
    plugins = json.loads(zoo("plugins", "--json")[1])["plugins"]
    assert {p["name"] for p in plugins} >= {"checkpoint", "frozen", "saved_model"}
    assert all(p["error"] is None for p in plugins)


def test_check(zoo, tmp_path):
    """A sound registry is 0, a faulty one 65 with every fault."""
    assert zoo("check")[0] == 0
    (tmp_path / "r.yaml").write_text("version: 1\nmodels:\n  a: {}\n  b: {summary: s, x: 1}\n")

    code, out, _ = zoo("check", tmp_path / "r.yaml")
    document = json.loads(zoo("check", tmp_path / "r.yaml", "--json")[1])

    assert code == 65
    assert out.count("r.yaml:") == 2
    assert len(document["faults"]) == out.count("r.yaml:")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["info", "toy-addr"], 66, "UnknownNameError"),
        (["inspect", "gone/model.pb"], 66, "UnknownNameError"),
        (["convert", "/etc/hostname", "x", "--to", "frozen"], 65, "FormatError"),
        (["frobnicate"], 2, "UsageError"),
        (["list", "--nope"], 2, "UsageError"),
        (["convert", "toy-adder", "x", "--to", "onnx"], 66, "UnknownNameError"),
        (["convert", "toy-adder"], 2, "UsageError"),
        (["fetch", "./here"], 66, "UnknownNameError"),
        (["inspect", "file:/etc/hostname"], 2, "UsageError"),
    ],
)
def test_errors_have_codes_and_documents(zoo, arguments, code, kind):
    """One error: its code, three parts on standard error, one document with ``--json``."""
    found, out, err = zoo(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("zoo: ")

    found, out, _ = zoo(*arguments, "--json")
    error = json.loads(out)["error"]
    assert (found, error["code"], error["kind"]) == (code, code, kind)
    assert set(error) == {"kind", "problem", "found", "hint", "code"}


def test_a_bug_keeps_its_traceback(capsys, monkeypatch):
    """What zoo did not raise on purpose is exit 70, with the place."""
    monkeypatch.setattr("zoo.catalogue.standard", lambda given: 1 / 0)

    code = run(["list"])

    err = capsys.readouterr().err
    assert code == 70
    assert "ZeroDivisionError" in err
    assert "this is a bug" in err


def test_ctrl_c_is_130(monkeypatch):
    """A person who stops a command gets the code of that."""

    def stop(given):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.catalogue.standard", stop)

    assert run(["list"]) == 130


def test_version(zoo):
    """The versions that matter in a report."""
    printed = zoo("--version")[1]

    assert "TensorFlow 2." in printed
    assert "Keras 3." in printed
    assert "Python 3." in printed


def every_command(group, words=()):
    """Yield each command with the words that call it, groups among them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*words, name))


def test_each_command_shows_examples_that_are_understood():
    """They are parsed as a shell and click would; what they name need not be there."""
    for words, command in every_command(cli.zoo):
        assert command.epilog, words
        lines = [line.strip() for line in command.epilog.splitlines() if " zoo " in f" {line}"]
        assert lines, words
        for line in lines:
            parts = shlex.split(line, comments=True)
            start = parts.index("zoo") if "zoo" in parts else None
            if start is not None and parts[0] == "zoo" and ">" not in parts:
                assert parts[1 : 1 + len(words)] == list(words), line
                if not isinstance(command, click.Group):
                    command.make_context(words[-1], parts[1 + len(words) :])


def test_completion_is_what_the_shell_reads(zoo, monkeypatch):
    """For the shell that is named, else for the one that runs; no other is guessed."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")

    assert "complete -o nosort" in zoo("completion", "bash")[1]
    assert "#compdef zoo" in zoo("completion", "zsh")[1]
    assert "complete --no-files --command zoo" in zoo("completion")[1]
    monkeypatch.setenv("SHELL", "/bin/ksh")
    code, _, told = zoo("completion")
    assert code == 2
    assert "SHELL is ksh" in told


def test_arrays_are_saved_under_any_name(tmp_path):
    """Also ``file``, which numpy's own function takes for itself; text and bfloat16 too."""
    values = {"file": np.ones(2), "text": np.array([b"a"], object)}
    values["brain"] = np.ones(1, dtypes.named("bfloat16").numpy)

    _save_arrays(tmp_path / "x.npz", values)

    with np.load(tmp_path / "x.npz", allow_pickle=False) as saved:
        assert {name: saved[name].tolist() for name in saved.files} == {
            "file": [1, 1],
            "text": [b"a"],
            "brain": [1],
        }


def test_arrays_go_through_a_pipe(tmp_path):
    """The pipe stays one, and its reader gets the archive."""
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["/bin/cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        try:
            _save_arrays(tmp_path / "pipe", {"y": np.arange(9.0)})
            read, _ = reader.communicate(timeout=20)
        finally:
            reader.kill()

    assert np.load(io.BytesIO(read))["y"].tolist() == [*range(9)]
    assert (tmp_path / "pipe").is_fifo()


def test_tensorflow_is_quiet_before_a_model_is_opened(zoo, monkeypatch):
    """A Keras file brings it in when it is opened, and it looks for devices at once."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "")  # so that it is set back afterwards
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")

    def opened(*_, **__):
        raise UnsupportedError(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "none"))

    monkeypatch.setattr("zoo.located.Located.opened", opened)

    assert "zoo: 3" in zoo("run", "toy-adder")[2]


def test_arrays_need_a_folder(zoo, net, tmp_path):
    """It is missed before the model runs, and not made."""
    code, _, said = zoo("run", net, "--save", tmp_path / "no" / "y.npz")

    assert (code, "hint:  make the folder first" in said) == (73, True)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    "options",
    [["-o", "probabilities", "--to", "frozen"], ["--to", "saved_model"], ["--to", "checkpoint"]],
)
def test_no_model_replaces_a_pipe(zoo, net, tmp_path, options):
    """Who waits at it would wait for ever."""
    for name in ("m", "m.index"):
        os.mkfifo(tmp_path / name)

    code, _, said = zoo("convert", net, tmp_path / "m", *options, "--force")

    assert (code, "is a pipe" in said) == (73, True)
    assert {path.name for path in tmp_path.iterdir() if path.is_fifo()} == {"m", "m.index"}


@pytest.mark.parametrize("stream", [">&-", "2>&-"])
def test_streams_that_are_closed(stream):
    """A script may close what it does not read."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m zoo list {stream}"], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("output", "code"), [("/dev/full", 74), ("closed", 0)], ids=["full disk", "closed pipe"]
)
def test_what_cannot_be_printed(output, code):
    """A full disk is an error; a reader that has seen enough is none."""
    if output == "closed":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(output, os.O_WRONLY)
    command = [sys.executable, "-m", "zoo", "list", "--json"]

    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)

    os.close(writer)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


@pytest.mark.parametrize(
    ("number", "code", "kind"),
    [
        (errno.ENAMETOOLONG, 2, "UsageError"),
        (errno.EACCES, 77, "AccessError"),
        (errno.EIO, 74, "DiskError"),
    ],
)
def test_what_the_system_says_of_a_file_is_no_bug(zoo, monkeypatch, number, code, kind):
    """With the file, and without a traceback."""

    def fail(given):
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr("zoo.catalogue.standard", fail)

    found, out, err = zoo("list", "--json")

    assert (found, json.loads(out)["error"]["kind"]) == (code, kind)
    assert "/some/file" in err


def test_a_disk_that_fails_while_it_is_read_is_no_bug(zoo, monkeypatch):
    """The system does not say then of which file."""

    def fail(given):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("zoo.catalogue.standard", fail)

    found, out, _ = zoo("list", "--json")

    assert (found, json.loads(out)["error"]["kind"]) == (74, "DiskError")


def test_a_card_is_shown_as_far_as_a_page_goes(zoo, tmp_path):
    """A card of a gigabyte is not read into memory; one that is missing is an error."""
    with (tmp_path / "card.md").open("wb") as file:
        file.write(b"# a net")
        file.truncate(1 << 30)
    entry = "summary: x\n    architecture: vgg16\n    card: file:card.md"
    (tmp_path / "r.yaml").write_text(f"version: 1\nmodels:\n  net:\n    {entry}\n")

    code, out, _ = zoo("info", "net", "--registry", tmp_path / "r.yaml", "--json")
    card = json.loads(out)["card_text"]
    assert (code, card[:7], len(card)) == (0, "# a net", 1 << 20)

    (tmp_path / "card.md").unlink()
    assert zoo("info", "net", "--registry", tmp_path / "r.yaml")[0] == 69
