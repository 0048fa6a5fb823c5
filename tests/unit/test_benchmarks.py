"""The benchmark measures what the design promises, in turn, and says what it could not measure."""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmarks
import zoo
from benchmarks import __main__ as command
from benchmarks import growth, measure, parts, printing, report, starting, synthetic, theirs
from benchmarks.bench import Bench
from benchmarks.rows import Limit, Measured, Row
from benchmarks.works import WORKS

FILES = sorted(Path(benchmarks.__file__).parent.glob("*.py"))
PAGE = (Path(benchmarks.__file__).parents[1] / "docs" / "benchmarks.md").read_text()
INSPECT = [
    "at most 0.3 s",
    "at most 60 MB",
    "at most 1/20 of the time of saved_model_cli show",
]
TARGETS = {
    "list": ["at most 0.15 s", "at most 1/20 of the time of import tensorflow"],
    "help": ["at most 0.15 s", "at most 1/20 of the time of import tensorflow"],
    "inspect-frozen": INSPECT,
    "inspect-checkpoint": INSPECT,
    "inspect-saved-model": INSPECT,
    "freeze": [
        "at most 1/15 of the time of freeze_graph",
        "at most 1/15 of the memory of freeze_graph",
    ],
    "weights": ["at most 1/4 of the time of load_checkpoint, get_tensor"],
    "weights-copied": ["at most 1.5 x the time of numpy: a plain copy"],
    "save": [
        "at most 1 x the time of Saver.save",
        "at most 1.5 x the time of a plain write, then fsync",
    ],
    "first-output": ["at most 10 s", "at most 2500 MB", "weights that do not train, at most 0"],
    "run": ["at most 1.03 x the time of Session.run"],
    "finetune": [
        "at most 1/6 of the time of Keras fit",
        "losses apart from those without a cache, at most 0.0001",
    ],
    "fetch": ["at most 1.2 x the time of curl, then sha256sum"],
    "fetch-slow": ["at most 1/5 of the time of zoo fetch, one connection"],
    "registry-first": ["at most 4 s"],
    "registry-again": ["at most 0.3 s"],
    "scan": ["at most 0.4 s", "at most 1/10 of the time of modelscan"],
}
ROW = Row(
    "freeze",
    "checkpoint to frozen graph",
    "VGG16, 553 MB",
    Measured("zoo convert", (0.4, 0.5, 0.6), (30.0, 32.0, 31.0)),
    (Measured("freeze_graph", (8.0, 7.0), (3100.0, 3000.0)), Measured("a function", (0.25,))),
    (
        Limit("time", 1 / 15, "freeze_graph"),
        Limit("memory", 1 / 200, "freeze_graph"),
        Limit("time", 1, "not here"),
        Limit("seconds", 0.6),
    ),
    {"weights": 32},
)


@pytest.fixture
def bench(tmp_path):
    """Return a quick run without any tool of others."""
    return Bench(tmp_path, 1, theirs.Theirs.at(tmp_path), quick=True)


def test_every_promise_is_measured_with_its_target():
    """The table of the design, word for word, and no row of it is left out."""
    found = {key: [printing.in_words(one) for one in work.limits] for key, work in WORKS.items()}

    assert found == TARGETS


@pytest.mark.parametrize("key", WORKS)
def test_every_work_is_in_a_part(key):
    """What no part measures would be a promise alone."""
    modules = {parts.part_named(part)[0].removeprefix("benchmarks.") for part in parts.PARTS}
    text = "".join(path.read_text() for path in FILES if path.stem in {*modules, "inside"})

    assert f'"{key}"' in text


@pytest.mark.parametrize("part", [*parts.PARTS, *parts.FURTHER])
def test_every_part_is_a_function(part):
    """A name that is wrong would be seen after minutes."""
    module, function = parts.part_named(part)

    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("key", WORKS)
def test_every_work_and_target_is_on_the_page(key):
    """People read there what was promised."""
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{key}` |"))

    assert WORKS[key].work in line
    assert all(target in line for target in TARGETS[key])


def test_a_row_for_people():
    """Medians, what the others take as multiples, and each target with what was found."""
    assert printing.block(ROW).splitlines() == [
        "checkpoint to frozen graph: VGG16, 553 MB",
        "  zoo convert                                       0.50 s, 31 MB",
        "  freeze_graph                                    7.50 s, 3050 MB"
        "  15 x the time, 98.4 x the memory",
        "  a function                                               0.25 s  0.5 x the time",
        "  weights: 32",
        "  target: at most 1/15 of the time of freeze_graph: met, 1/15",
        "  target: at most 1/200 of the memory of freeze_graph: missed, 1/98",
        "  target: at most 1 x the time of not here: not measured",
        "  target: at most 0.6 s: met, 0.5 s",
    ]


def test_the_table():
    """One line for each tool beside zoo, ready for a page in Markdown."""
    assert printing.table([ROW]).splitlines() == [
        "| work | zoo | beside | takes | time | memory | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| checkpoint to frozen graph (VGG16, 553 MB) | 0.50 s, 31 MB | freeze_graph |"
        " 7.50 s, 3050 MB | 1/15 | 1/98 | at most 1/15 of the time of freeze_graph: met;"
        " at most 1/200 of the memory of freeze_graph: missed;"
        " at most 1 x the time of not here: not measured; at most 0.6 s: met |",
        "|  |  | a function | 0.25 s | 2 x |  |  |",
    ]


def test_a_quick_run_says_so():
    """Nobody takes the figures of small models for those of the table."""
    about = {"cpu": "c", "architecture": "a", "cores": 2, "memory_gb": 1, "kernel": "k", "load": 0}

    assert "quick" in printing.header(about, {}, quick=True, runs=2)
    assert "quick" not in printing.header(about, {}, quick=False, runs=5)


def test_the_document_is_the_one_that_is_described(bench):
    """Each key of it is on the page, and a row comes back out of it as it was."""
    about = {"machine": {"cores": 2}, "versions": {"zoo": "0.1.0"}}
    document = json.loads(json.dumps(report.document(bench, about, [ROW], {"freeze": 1.5})))

    assert document["schema"] == 1
    assert document["quick"] is True
    assert document["rows"][0]["theirs"][0]["time_ratio"] == pytest.approx(1 / 15)
    assert document["rows"][0]["targets"][1]["met"] is False
    assert Row.of(document["rows"][0]) == ROW
    assert [key for key in _keys(document) if f'"{key}"' not in PAGE] == []


def _keys(document):
    """Return the keys of the document that are the same in every one."""
    row = document["rows"][0]
    return {
        *document, *row, *row["ours"], *row["ours"]["runs"], *row["theirs"][0], *row["targets"][0],
    }  # fmt: skip


def test_memory_is_that_of_the_whole_tree():
    """A tool that has its work done by a child does not look small."""
    child = "import time; x = b'x' * 60_000_000; time.sleep(0.3)"
    parent = (
        "import subprocess, sys; x = b'x' * 60_000_000;"
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )

    alone = measure.once([sys.executable, "-c", child])
    both = measure.once([sys.executable, "-c", parent])

    assert 60 < alone.megabytes < 110
    assert both.megabytes > 120


def test_the_memory_of_a_small_process_is_not_that_of_this_one():
    """Before it is another program, a child has the memory of its parent."""
    assert measure.once(["sleep", "0.05"]).megabytes < 10


def test_processes_that_end_while_they_are_looked_at_are_left_out(monkeypatch):
    """What is gone has no children and no memory; the look at the others goes on."""

    def gone(*_):
        raise ProcessLookupError

    monkeypatch.setattr(Path, "glob", gone)

    assert list(measure._tree(1)) == [1]
    assert measure._resident(2**30) == 0


def test_commands_are_run_in_turn(tmp_path):
    """What slows the machine down for a while slows all of them down."""
    said = tmp_path / "said"
    commands = {one: ["sh", "-c", f"echo {one} >> {said}"] for one in ("ours", "theirs", "slow")}

    found = measure.in_turn(commands, 2, seldom=["slow"])

    assert said.read_text().split() == ["ours", "theirs", "slow", "ours", "theirs"]
    assert [len(one.seconds) for one in found.values()] == [2, 2, 1]


def test_a_tool_that_fails_is_named_and_the_rest_is_measured():
    """What another tool cannot do is no reason to measure nothing."""
    lost = {}
    commands = {"broken": ["sh", "-c", "echo no such model >&2; exit 3"], "whole": ["true"]}

    found = measure.in_turn(commands, 2, lost=lost)

    assert list(found) == ["whole"]
    assert lost == {"broken": "no such model"}


def test_zoo_may_not_fail():
    """That would be a table without zoo."""
    with pytest.raises(measure.Failed, match="zoo ended with 3"):
        measure.in_turn({"zoo": ["sh", "-c", "exit 3", "zoo"]}, 1, lost={})


def test_tools_that_are_not_installed_are_named(tmp_path):
    """All of them, and what installs them."""
    found = theirs.Theirs.at(tmp_path / "nothing")

    assert set(found.missing) == set(theirs.TOOLS)
    assert "make bench" in found.missing["pooch"]
    assert not found.has("pooch")


@pytest.mark.long
def test_a_tool_that_cannot_be_installed_is_named(monkeypatch):
    """With what pip said."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    assert "zoo-no-such-tool" in theirs._install(Path(sys.executable), "zoo-no-such-tool")


def test_the_command_prints_rows_and_what_is_missing(monkeypatch, capsys, tmp_path):
    """And writes the document; a part that is not in the checkout ends nothing."""
    monkeypatch.setattr(starting, "rows", lambda _: iter([ROW]))
    monkeypatch.setitem(parts.PARTS, "absent", "no_such_module:rows")

    command.main(["start", "absent", "--json", str(tmp_path / "a" / "b.json"), *_others(tmp_path)])

    printed = capsys.readouterr().out
    assert printing.block(ROW) in printed
    assert printing.table([ROW]) in printed
    assert "missing: absent: benchmarks.no_such_module is not in this checkout" in printed
    assert "missing: pooch: not installed" in printed
    assert json.loads((tmp_path / "a" / "b.json").read_text())["rows"][0]["key"] == "freeze"


def test_a_part_that_fails_is_named_and_the_command_fails(monkeypatch, capsys, tmp_path):
    """What came before it is printed, and what comes after it is measured."""

    def fails(_):
        yield ROW
        raise measure.Failed("zoo list ended with 70:\nit broke")

    monkeypatch.setattr(starting, "rows", fails)

    with pytest.raises(SystemExit) as ended:
        command.main(["start", *_others(tmp_path)])

    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert printing.table([ROW]) in printed.out
    assert "missing: start: failed: it broke" in printed.out


def _others(folder):
    return ["--others", str(folder), "--room", str(folder)]


@pytest.mark.parametrize("hole", [True, False])
def test_a_checkpoint_of_any_size_is_one(tmp_path, hole):
    """Plots are of real files: zoo reads all of it and finds every checksum right."""
    synthetic.write(tmp_path / "model", tensors=12, columns=5, hole=hole)

    model = zoo.load(str(tmp_path / "model"))

    values = [np.array(model.weights[name]) for name in model.weights]
    assert [value.shape for value in values] == [(1, 5)] * 12
    assert all((value == 0).all() == hole for value in values)


def test_the_plots_show_all_sizes():
    """From 10 MB to 6 GB, and from 10 to 100,000, with the figures that they are made of."""
    folder = Path(benchmarks.__file__).parents[1] / growth._FIGURES.parent
    series = json.loads((folder / growth._FIGURES.name).read_text())["series"]

    for name, least, most in (
        ("bytes", 10**7, 6 * 10**9), ("tensors", 10, 10**5), ("entries", 10, 10**5)
    ):  # fmt: skip
        sizes = [point["size"] for point in series[name]["points"]]
        assert (min(sizes), max(sizes)) == (least, most)
        assert f"](growth/growth-{name}.svg)" in PAGE
        assert (folder / f"growth-{name}.svg").stat().st_size < 50_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_benchmark_keeps_to_the_sizes_of_the_house(path):
    """No file over 300 lines, no function over 40."""
    text = path.read_text()

    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40, node.name
