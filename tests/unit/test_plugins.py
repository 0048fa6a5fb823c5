"""A plugin can be wrong; the others and zoo itself cannot be stopped by it."""

import sys
import threading
import time
import types
from importlib.metadata import EntryPoint, entry_points

import click
import pytest

from zoo import plugins
from zoo.architectures import Architecture
from zoo.errors import PluginError, UnknownNameError
from zoo.formats import Format
from zoo.hookspecs import hookimpl

BUNDLED = list(entry_points(group="zoo"))


class Distribution:
    def __init__(self, name):
        self.name, self.version = name, "1"


def plugin(name, distribution="strange", **members):
    """Return the entry point of a module that is made here."""
    module = types.ModuleType(f"made_{name}_{distribution}")
    module.zoo_api = 1
    for key, value in members.items():
        setattr(module, key, value)
    sys.modules[module.__name__] = module
    return EntryPoint(name, module.__name__, "zoo")._for(Distribution(distribution))


def offering(*names):
    @hookimpl
    def zoo_formats():
        return [
            Format(name, "", lambda p: False, lambda p: None, lambda m, p: None) for name in names
        ]

    return zoo_formats


def raising(error):
    @hookimpl
    def zoo_formats():
        raise error

    return zoo_formats


def names(loaded):
    return set(plugins.formats(loaded))


OURS = {"checkpoint", "frozen", "keras", "npz", "safetensors", "saved_model"}


def test_the_bundled_ones_come_in_by_the_same_door():
    """Formats and architectures of zoo are plugins like any other."""
    loaded = plugins.load(BUNDLED)

    assert names(loaded) == OURS
    assert "toy-adder" in plugins.architectures(loaded)
    assert loaded.broken == {}


def test_a_strangers_format_comes_beside_them():
    """One more entry point, one more format."""
    loaded = plugins.load([*BUNDLED, plugin("onnx", zoo_formats=offering("onnx"))])

    assert names(loaded) == OURS | {"onnx"}
    assert plugins.format_named(loaded, "onnx").name == "onnx"


def broken_ones():
    @hookimpl
    def zoo_formats(unexpected):
        return []

    missing = EntryPoint("gone", "no_such_module", "zoo")._for(Distribution("strange"))
    return {
        "not there": missing,
        "other hooks": plugin("old", zoo_api=99),
        "no version": plugin("older", zoo_api=None),
        "wrong signature": plugin("wrong", zoo_formats=zoo_formats),
        "raises": plugin("raises", zoo_formats=raising(ValueError("boom"))),
        "exits": plugin("exits", zoo_formats=raising(SystemExit(3))),
        "nonsense": plugin("nonsense", zoo_formats=hookimpl(lambda: ["text"])),
        "a taken format": plugin("thief", zoo_formats=offering("frozen")),
        "a taken name": plugin("frozen", zoo_formats=offering("other")),
    }


@pytest.mark.parametrize("kind", sorted(broken_ones()))
def test_a_broken_plugin_costs_only_itself(kind):
    """It is set aside with the reason; ours work, whatever order they come in."""
    bad = broken_ones()[kind]
    good = plugin("good", zoo_formats=offering("good"))

    loaded = plugins.load([bad, good, *BUNDLED])
    kept = names(loaded)

    assert kept == OURS | {"good"}
    assert [p.name for p in loaded.broken] == [bad.name]


def test_broken_at_import(tmp_path, monkeypatch):
    """A module that raises, or leaves, while it is imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "leaves.py").write_text("raise SystemExit('bye')")
    (tmp_path / "wrong.py").write_text("def (:")
    bad = [EntryPoint(n, n, "zoo")._for(Distribution("strange")) for n in ("leaves", "wrong")]

    loaded = plugins.load([*bad, *BUNDLED])

    assert names(loaded) == OURS
    kinds = {p.name: type(error) for p, error in loaded.broken.items()}
    assert kinds == {"leaves": SystemExit, "wrong": SyntaxError}


def test_ctrl_c_passes():
    """Only the person at the keyboard stops everything."""
    loaded = plugins.load([plugin("slow", zoo_formats=raising(KeyboardInterrupt()))])

    with pytest.raises(KeyboardInterrupt):
        plugins.formats(loaded)


def test_a_hook_is_asked_once():
    """What a plugin offers is collected once per process."""
    asked = []

    @hookimpl
    def zoo_architectures():
        asked.append(1)
        return [Architecture("a", "", lambda: None)]

    loaded = plugins.load([plugin("counting", zoo_architectures=zoo_architectures)])
    plugins.architectures(loaded)
    plugins.architectures(loaded)

    assert asked == [1]


def test_commands_are_added_and_not_stolen():
    """A plugin adds commands; one that takes the name of another is set aside."""

    def adding(name):
        @hookimpl
        def zoo_commands(cli):
            cli.add_command(click.Command(name))

        return zoo_commands

    loaded = plugins.load(
        [plugin("a", zoo_commands=adding("train")), plugin("b", zoo_commands=adding("list"))]
    )

    assert list(plugins.commands(loaded, taken=["list"]).commands) == ["train"]
    assert [p.name for p in loaded.broken] == ["b"]
    assert isinstance(next(iter(loaded.broken.values())), PluginError)


def test_an_unknown_format_gets_its_neighbours():
    """The names there are, and the nearest."""
    with pytest.raises(UnknownNameError) as caught:
        plugins.format_named(plugins.load(BUNDLED), "frozn")

    assert caught.value.found == "checkpoint, frozen, keras, npz, safetensors, saved_model"
    assert "'frozen'" in caught.value.hint


def test_what_was_set_aside_is_not_asked_again():
    """A plugin that fails at one hook does not take the others down."""

    @hookimpl
    def zoo_architectures():
        return [Architecture("a", "", lambda: None)]

    bad = plugin(
        "bad", zoo_formats=raising(ValueError("boom")), zoo_architectures=zoo_architectures
    )
    loaded = plugins.load([bad, *BUNDLED])

    assert names(loaded) == OURS
    assert "a" not in plugins.architectures(loaded)
    assert sorted(plugins.commands(loaded).commands) == ["finetune", "rebuild"]


def test_a_plugin_that_leaves_while_it_adds_commands():
    """SystemExit is a failure like any other; only the person at the keyboard stops everything."""
    loaded = plugins.load([plugin("exits", zoo_commands=raising(SystemExit(3)))])

    assert list(plugins.commands(loaded).commands) == []
    assert [p.name for p in loaded.broken] == ["exits"]


def test_c10_threads_ask_hooks_one_at_a_time():
    """A hook need not be fit for threads: it is asked once, whoever asks first."""
    asked = []

    @hookimpl
    def zoo_formats():
        asked.append(threading.get_ident())
        time.sleep(0.05)
        return []

    loaded = plugins.load([plugin("slow", zoo_formats=zoo_formats)])
    threads = [threading.Thread(target=plugins.formats, args=(loaded,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(asked) == 1


def test_c10_plugins_are_loaded_by_one_thread(monkeypatch):
    """The others wait for it, and get what it loaded."""
    loads, found = [], []

    def load(_):
        loads.append(1)
        time.sleep(0.05)
        return object()

    monkeypatch.setattr(plugins, "load", load)
    plugins._installed.cache_clear()
    try:
        threads = [
            threading.Thread(target=lambda: found.append(plugins.installed())) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        plugins._installed.cache_clear()

    assert (len(loads), len(set(map(id, found)))) == (1, 1)
