"""A plugin can be wrong; the others and zoo itself cannot be stopped by it."""

import sys
import threading
import time
import warnings
from importlib.metadata import EntryPoint

import click
import pytest

import zoo
from tests.made_plugins import BUNDLED, Distribution, offers, plugin
from zoo import detect, plugins, targets
from zoo.architectures import Architecture
from zoo.errors import PluginError, UnknownNameError, UsageError
from zoo.formats import Format
from zoo.hookspecs import hookimpl
from zoo.loaded import PluginWarning, turn
from zoo.time_limits import OverdueError

pytestmark = pytest.mark.filterwarnings("ignore::zoo.loaded.PluginWarning")


def offering(*names):
    @hookimpl
    def zoo_formats():
        return [
            Format(name, "", lambda p: False, lambda p: None, lambda m, p: None) for name in names
        ]

    return zoo_formats


HOOK = "zoo_formats"


def strangely(**fields):
    """Return a hook that offers a format with these fields."""

    @hookimpl
    def zoo_formats():
        whole = {"name": "strange", "summary": "", "options": ()} | fields
        functions = (lambda p: False, lambda p: None, lambda m, p: None)
        return [Format(whole["name"], whole["summary"], *functions, whole["options"])]

    return zoo_formats


def nothing():
    return []


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


def test_the_bundled_ones_are_imported_only_for_what_they_implement():
    """What is said of them is what they do: ``zoo --help`` need not import formats to ask them."""
    loaded = plugins.load(BUNDLED)
    hooks = {hook for one in loaded.found for hook in loaded.hooks(one)}

    for one in loaded.found:
        assert set(loaded.hooks(one)) == {hook for hook in hooks if one.may_implement(hook)}
        assert not one.may_implement("zoo_sources")

    asked = plugins.load(BUNDLED)
    assert set(plugins.commands(asked)) == {"finetune", "rebuild"}
    assert {one.name for one in asked._hooks} == {"finetune"}


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
        "nonsense": plugin("nonsense", zoo_formats=hookimpl(lambda: ["text"], specname=HOOK)),
        "other kind": plugin("kind", zoo_formats=offers(HOOK, Architecture("a", "", nothing))),
        "nameless": plugin("nameless", zoo_formats=offering(None)),
        "not marked": plugin("unmarked", zoo_formats=nothing),
        "wrong options": plugin("options", zoo_formats=strangely(options=["text"])),
        "wrong summary": plugin("summary", zoo_formats=strangely(summary=None)),
        "a taken format": plugin("thief", zoo_formats=offering("frozen")),
        "a taken name": plugin("frozen", zoo_formats=offering("other")),
    }


@pytest.mark.parametrize("kind", sorted(broken_ones()))
def test_s4_s5_a_broken_plugin_costs_only_itself(kind):
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
        names(loaded)


def test_a_hook_is_asked_once():
    """What a plugin offers is collected once per process."""
    asked = []

    @hookimpl
    def zoo_architectures():
        asked.append(1)
        return [Architecture("a", "", lambda: None)]

    loaded = plugins.load([plugin("counting", zoo_architectures=zoo_architectures)])
    assert asked == []
    assert "a" in plugins.architectures(loaded)
    assert "b" not in plugins.architectures(loaded)

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

    assert list(plugins.commands(loaded, taken=["list"])) == ["train"]
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
    assert sorted(plugins.commands(loaded)) == ["finetune", "rebuild"]


def test_a_plugin_that_leaves_while_it_adds_commands():
    """SystemExit is a failure like any other; only the person at the keyboard stops everything."""
    loaded = plugins.load([plugin("exits", zoo_commands=raising(SystemExit(3)))])

    assert list(plugins.commands(loaded)) == []
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
    threads = [threading.Thread(target=names, args=(loaded,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(asked) == 1


def test_c10_plugins_are_loaded_by_one_thread(monkeypatch):
    """The others wait for it, and get what it loaded."""
    loads, found = [], []

    def load(*_):
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


def test_the_name_of_a_hook_may_not_be_guessed():
    """What looks like a hook of zoo and is none is not passed over in silence."""

    @hookimpl
    def zoo_format():
        return []

    loaded = plugins.load([plugin("typo", zoo_format=zoo_format)])
    names(loaded)

    (error,) = loaded.broken.values()
    assert "zoo_format" in error.found


def test_nothing_is_imported_before_something_is_wanted():
    """Where the bundled plugins answer, a stranger's is not imported."""
    sys.modules.pop("nobody_imports_this", None)
    stranger = EntryPoint("s", "nobody_imports_this", "zoo")._for(Distribution("strange"))
    loaded = plugins.load([stranger, *BUNDLED])

    assert plugins.format_named(loaded, "frozen").name == "frozen"
    assert plugins.architecture_named(loaded, "toy-adder").name == "toy-adder"
    assert plugins.commands(loaded)["finetune"].name == "finetune"
    assert loaded.broken == {}
    with pytest.raises(UnknownNameError):
        plugins.format_named(loaded, "zarr")
    assert [p.name for p in loaded.broken] == ["s"]


def test_one_warning_names_the_culprit():
    """It says who was set aside and why, and is not repeated."""
    loaded = plugins.load([plugin("bad", zoo_formats=raising(ValueError("boom")))])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names(loaded)
        names(loaded)
        list(plugins.architectures(loaded))
        loaded.set_aside(loaded.found[0], ValueError("later"))

    (said,) = (str(one.message) for one in caught if one.category is PluginWarning)
    assert "bad (strange 1)" in said
    assert "ValueError: boom" in said


def test_a_plugin_that_hangs_is_left_behind(monkeypatch):
    """A hook, or a file that it should recognise: it has a time limit, and is not asked again."""
    monkeypatch.setenv("ZOO_PLUGIN_TIMEOUT", "0.2")
    asked = []

    def recognises(path):
        asked.append(path)
        time.sleep(60)

    def slow():
        time.sleep(60)

    @hookimpl
    def zoo_formats():
        return [Format("idle", "", recognises, lambda p: None, lambda m, p: None)]

    hook, file = plugin("hook", zoo_formats=hookimpl(slow, specname=HOOK)), plugin("file")
    sys.modules[file.value].zoo_formats = zoo_formats
    loaded = plugins.load([hook, file])
    begun = time.monotonic()
    form = plugins.format_named(loaded, "idle")

    assert [form.recognises(name) for name in "abc"] == [False] * 3
    assert asked == ["a"]
    assert time.monotonic() - begun < 10
    assert {p.name: type(e) for p, e in loaded.broken.items()} == {
        "hook": OverdueError,
        "file": OverdueError,
    }


def test_what_a_plugin_prints_is_no_answer(capsys):
    """A command prints its document and nothing else: a plugin's words go to standard error."""

    @hookimpl
    def zoo_formats():
        sys.stdout.write("hello from a plugin")
        return []

    names(plugins.load([plugin("talks", zoo_formats=zoo_formats)]))

    assert capsys.readouterr().out == ""


def test_a_plugin_that_asks_while_it_is_asked():
    """It hears that this cannot be, at once: it would wait for its own end."""
    loaded = None

    @hookimpl
    def zoo_formats():
        return list(plugins.architectures(loaded))

    loaded = plugins.load([plugin("curious", zoo_formats=zoo_formats)])
    names(loaded)

    (error,) = loaded.broken.values()
    assert "while it is asked" in error.problem
    with turn():
        pass


def test_only_those_that_are_chosen():
    """``ZOO_PLUGINS=a,b``: besides the bundled ones only these, by name or distribution."""
    found = [
        plugin(n, d, zoo_formats=offering(n)) for n, d in (("a", "x"), ("b", "Y_y"), ("c", "z"))
    ]

    def with_choice(choice):
        loaded = plugins.load([*BUNDLED, *found], choice)
        kept = names(loaded) - OURS
        assert loaded.broken == {}
        return kept

    assert with_choice(None) == {"a", "b", "c"}
    assert with_choice("") == set()
    assert with_choice(" a , y-Y") == {"a", "b"}
    with pytest.warns(PluginWarning, match="'d'"):
        assert with_choice("c,d") == {"c"}


def test_a_time_limit_must_be_one(monkeypatch):
    """What is no number of seconds is said to be none."""
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("ZOO_PLUGIN_TIMEOUT", wrong)
        with pytest.raises(UsageError, match="ZOO_PLUGIN_TIMEOUT"):
            names(plugins.load([plugin("a", zoo_formats=offering("a"))]))


def test_the_bundled_ones_have_no_time_limit(monkeypatch):
    """A slow disk does not take formats away."""
    monkeypatch.setenv("ZOO_PLUGIN_TIMEOUT", "0.000001")

    loaded = plugins.load(BUNDLED)

    assert names(loaded) == OURS
    assert loaded.guarded(loaded.found[0], threading.get_ident) == threading.get_ident()


def test_a_file_of_ours_is_recognised_without_strangers(tmp_path):
    """They are imported for a file that none of ours takes."""
    stranger = EntryPoint("s", "nobody_imports_this", "zoo")._for(Distribution("strange"))
    loaded = plugins.load([stranger, *BUNDLED])
    zoo.convert("toy-adder", tmp_path / "a.pb", "frozen")
    (tmp_path / "text").write_text("no model")

    assert detect.find(tmp_path / "a.pb", plugins.formats(loaded)).form.name == "frozen"
    assert loaded.broken == {}
    assert detect.find(tmp_path / "text", plugins.formats(loaded)) is None
    assert [p.name for p in loaded.broken] == ["s"]


def test_writing_where_nothing_lies_imports_nobody(tmp_path):
    """A stranger's plugin is asked about a target only where a model of its own may lie."""
    stranger = EntryPoint("s", "nobody_imports_this", "zoo")._for(Distribution("strange"))
    loaded = plugins.load([stranger, *BUNDLED])
    frozen = plugins.format_named(loaded, "frozen")

    targets.refuse_taken(loaded, frozen, tmp_path / "a.pb", tmp_path / "a.pb", force=False)
    assert loaded.broken == {}
    (tmp_path / "a.pb.index").touch()
    targets.refuse_taken(loaded, frozen, tmp_path / "a.pb", tmp_path / "a.pb", force=False)
    assert [p.name for p in loaded.broken] == ["s"]


def test_whose_bug_it_is():
    """An error in a stranger's code is the stranger's; one of ours is ours."""
    stranger = plugin("guilty", zoo_formats=offering("a"))
    module = sys.modules[stranger.value]
    exec("def fail():\n    raise ValueError", vars(module))  # noqa: S102  (a module of the test)
    loaded = plugins.load([stranger, *BUNDLED])

    with pytest.raises(ValueError) as caught:  # noqa: PT011
        module.fail()
    assert str(plugins.culprit(loaded, caught.value)) == "guilty (strange 1)"
    with pytest.raises(UnknownNameError) as caught:
        plugins.format_named(loaded, "b")
    assert plugins.culprit(loaded, caught.value) is None
