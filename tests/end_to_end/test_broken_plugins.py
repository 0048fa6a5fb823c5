"""Plugins that are broken in every way, installed together, stop no command and are named."""

import json
import resource

import pytest

from tests.strange_plugins import ALSO_BROKEN, BROKEN, OFFERING, SOUND, install, zoo

WHY = {
    "raises": "ValueError: boom on import",
    "exits": "SystemExit: 3",
    "lacks": "ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
    "hangs": "it was not done after 1 s",
    "signature": "a hook has another form than zoo asks for",
    "other-api": "zoo_api = 99, where this zoo has 1",
    "thief": "the name 'frozen' is taken in zoo_formats",
    "hangs-in-hook": "it was not done after 1 s",
    "unmarked": "a hook is not marked with @zoo.hookimpl",
    "nonsense": "a hook must return Transform objects",
    "nameless": "a Format must have a name",
    "takes-list": "the name 'list' is taken in zoo_commands",
    "takes-https": "the name 'https' is taken in zoo_sources",
    "unspeakable": "Odd",
}
LIMIT = {"ZOO_PLUGIN_TIMEOUT": "1"}
BUNDLED = ("checkpoint", "frozen", "keras", "saved_model")


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Return a folder in which all of them are installed, and a sound one."""
    folder = tmp_path_factory.mktemp("broken")
    for name, source in {**BROKEN, **ALSO_BROKEN}.items():
        install(folder, name, source)
    install(folder, "namesake", SOUND, entry="frozen")
    install(folder, "sound", OFFERING.format(name="sound"))
    return folder


def run(*arguments, broken, at):
    done = zoo(*arguments, beside=broken, at=at, **LIMIT)
    assert done.returncode == 0, done.stderr
    return done


def test_s5_zoo_plugins_names_each_with_its_reason(broken, tmp_path):
    """Name, distribution, version, reason; the others are there; no warning repeats it."""
    done = run("plugins", "--json", broken=broken, at=tmp_path)
    facts = json.loads(done.stdout)["plugins"]
    told = {one["distribution"]: one for one in facts if one["distribution"] != "zoo"}

    assert done.stderr == ""
    assert {one["name"] for one in facts if one["bundled"]} >= set(BUNDLED)
    assert all(one["error"] is None for one in facts if one["bundled"])
    for name, why in WHY.items():
        assert why in told[f"zoo-{name}"]["error"]
        assert told[f"zoo-{name}"]["version"] == "1.0"
    assert "the name 'frozen' is taken" in told["zoo-namesake"]["error"]
    assert told["zoo-sound"]["error"] is None
    assert told["zoo-sound"]["offers"] == {"formats": ["sound"]}


def test_zoo_plugins_shows_where_each_broke(broken, tmp_path):
    """The traceback begins in the plugin's own file, also for one that hangs."""
    text = run("plugins", "--traceback", broken=broken, at=tmp_path).stdout

    for name in ("raises", "exits", "lacks", "hangs", "hangs-in-hook"):
        part = text.partition(f"\n{name} (zoo-{name} 1.0):\n")[2].partition("\n\n")[0]
        assert f"made_{name.replace('-', '_')}.py" in part, name
    assert "import_module" not in text.partition("\nraises")[2].partition("\n\n")[0]


def test_s4_core_commands_work_beside_them_in_silence(broken, tmp_path):
    """Where the bundled plugins answer, no other is imported: not even a warning is due."""
    commands = [
        ("--version",),
        ("list",),
        ("info", "toy-adder"),
        ("convert", "toy-adder", "adder.pb", "--to", "frozen", "-q"),
        ("inspect", "adder.pb"),
        ("convert", "adder.pb", "adder", "--to", "checkpoint", "-q"),
        ("inspect", "adder"),
        ("convert", "adder", "saved", "--to", "saved_model", "-q"),
        ("inspect", "saved", "--json"),
        ("diff", "saved", "adder"),
        ("check",),
        ("cache", "ls"),
        ("fetch", "toy-adder"),
        ("finetune", "--help"),
    ]
    for command in commands:
        done = zoo(*command, beside=broken, at=tmp_path, **LIMIT)
        assert "plugin" not in done.stderr, (command, done.stderr)
        assert done.returncode == (command[0] == "diff" and done.returncode), command


@pytest.mark.parametrize(
    "command", [("--help",), ("formats",), ("doctor", "text"), ("inspect", "text")]
)
def test_elsewhere_a_warning_names_each_once(broken, tmp_path, command):
    """What needs all plugins works with those that do, and says which do not."""
    (tmp_path / "text").write_text("no model")
    done = zoo(*command, beside=broken, at=tmp_path, **LIMIT)

    assert done.returncode == (command[0] == "doctor"), done.stderr
    for name in ("raises", "exits", "lacks", "hangs", "signature", "other-api"):
        (line,) = (line for line in done.stderr.splitlines() if f"(zoo-{name} 1.0)" in line)
        assert WHY[name] in line
    assert "zoo-sound" not in done.stderr


def test_formats_of_sound_plugins_are_there(broken, tmp_path):
    """The bundled ones and the sound one's, and one document on standard output."""
    document = json.loads(run("formats", "--json", broken=broken, at=tmp_path).stdout)

    assert {one["name"] for one in document["formats"]} >= {*BUNDLED, "sound"}


def test_without_plugins_none_is_imported(broken, tmp_path):
    """``--no-plugins`` and ``ZOO_PLUGINS=``: the bundled ones alone; ``zoo plugins`` says so."""
    silent = run("--no-plugins", "formats", broken=broken, at=tmp_path)
    same = zoo("formats", beside=broken, at=tmp_path, ZOO_PLUGINS="")
    one = zoo("formats", beside=broken, at=tmp_path, ZOO_PLUGINS="sound")
    listed = run("--no-plugins", "plugins", "--json", broken=broken, at=tmp_path)
    facts = json.loads(listed.stdout)["plugins"]

    assert silent.stderr == same.stderr == one.stderr == ""
    assert "sound" not in silent.stdout
    assert silent.stdout == same.stdout
    assert "sound" in one.stdout
    assert {one["distribution"] for one in facts if one["left_out"]} >= {"zoo-hangs", "zoo-sound"}


def test_a_strangers_bug_is_the_strangers(tmp_path):
    """A command of a plugin that fails says whose bug it is, and leaves with 70."""
    source = f"{SOUND}\n\n@zoo.hookimpl\ndef zoo_commands(cli):\n    cli.command('fail')(fail)\n"
    install(tmp_path, "buggy", source + "\n\ndef fail():\n    [][0]\n")
    done = zoo("fail", beside=tmp_path, at=tmp_path)

    assert done.returncode == 70
    assert "this is a bug in the plugin buggy (zoo-buggy 1.0)" in done.stderr


def test_fifty_plugins_cost_the_list_nothing(tmp_path):
    """It imports none: each would leave a file."""
    note = "import pathlib\npathlib.Path(__file__).with_suffix('.imported').touch()\n"
    many, none = tmp_path / "many", tmp_path / "none"
    many.mkdir()
    for number in range(50):
        install(many, f"p{number}", note + OFFERING.format(name=f"format{number}"))

    def seconds(beside):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = zoo("list", beside=beside, at=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (done.returncode, done.stderr) == (0, "")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    times = [(seconds(many), seconds(none)) for _ in range(5)]
    with_many, with_none = map(min, zip(*times, strict=True))

    assert list(many.glob("*.imported")) == []
    assert with_many < 1.2 * with_none
    assert zoo("formats", beside=many, at=tmp_path).stderr == ""
    assert len(list(many.glob("*.imported"))) == 50
