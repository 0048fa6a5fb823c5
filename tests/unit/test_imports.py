"""What stays out: TensorFlow from all but running and training, numpy from looking."""

import json
import subprocess
import sys

import pytest

from zoo.samples import sample_model

HEAVY = ("tensorflow", "keras", "numpy", "requests", "pydantic", "rich", "yaml", "pluggy")
PROGRAM = """
import json, sys
from zoo.cli import run
code = run(sys.argv[1:]) if len(sys.argv) > 1 else __import__("zoo") and 0
heavy = {heavy!r}
print("\\n" + json.dumps([code, [name for name in heavy if name in sys.modules]]))
"""


def brought_in(*arguments):
    """Return the exit code of a command in its own process, and its heavy modules."""
    program = PROGRAM.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert "Traceback" not in done.stderr
    return code, set(modules)


@pytest.fixture
def models(tmp_path):
    """Return one model in each of the formats that are written."""
    import zoo_checkpoint
    import zoo_frozen
    import zoo_npz
    import zoo_safetensors
    import zoo_saved_model

    zoo_checkpoint.save(sample_model(), tmp_path / "variables" / "model")
    zoo_frozen.save(sample_model(), tmp_path / "frozen.pb")
    zoo_saved_model.save(sample_model(), tmp_path / "saved_model")
    zoo_safetensors.save(sample_model(), tmp_path / "net.safetensors")
    zoo_npz.save(sample_model(), tmp_path / "net.npz")
    names = ("frozen.pb", "saved_model", "net.safetensors", "net.npz")
    return [tmp_path / "variables" / "model", *(tmp_path / name for name in names)]


def test_importing_zoo_brings_in_nothing_heavy():
    """``import zoo`` is a matter of milliseconds."""
    assert brought_in() == (0, set())


def test_listing_needs_neither_yaml_nor_pydantic_the_second_time():
    """A registry is compiled once; after that its index answers."""
    brought_in("list")

    assert brought_in("list") == (0, set())


@pytest.mark.parametrize(
    "arguments",
    [["info", "toy-adder"], ["fetch", "toy-adder"], ["formats"], ["plugins"], ["check"]],
)
def test_s6_looking_around_needs_no_tensorflow(arguments):
    """Commands about the registry and the environment never import TensorFlow or numpy."""
    code, modules = brought_in(*arguments)

    assert code == 0
    assert modules & {"tensorflow", "keras", "numpy", "rich", "requests"} == set()


@pytest.mark.long
def test_inspecting_needs_neither_tensorflow_nor_numpy(models):
    """Looking into a model reads its graph and its index, and no values."""
    for path in models:
        assert brought_in("inspect", path, "--json") == (0, {"pluggy"})


def test_scanning_needs_neither_tensorflow_nor_numpy(models):
    """Nothing of a model is run, and no value of it read."""
    for path in models:
        code, modules = brought_in("scan", path, "--json")

        assert (code, modules & {"tensorflow", "keras", "numpy", "rich", "requests"}) == (0, set())


def test_comparing_needs_no_tensorflow(models):
    """Values are compared without it, from any format."""
    for path in models[1:]:
        code, modules = brought_in("diff", models[0], path)

        assert (code, modules & {"tensorflow", "keras"}) == (0, set())


@pytest.mark.long
def test_converting_needs_neither_tensorflow_nor_numpy(models, tmp_path):
    """All conversions pass bytes on, and interpret none."""
    for number, path in enumerate(models):
        for form in ("checkpoint", "frozen", "saved_model", "safetensors", "npz"):
            target = tmp_path / f"{number}-{form}"
            code, modules = brought_in("convert", path, target, "--to", form)

            assert code == 0
            assert modules & {"tensorflow", "keras", "numpy"} == set()
