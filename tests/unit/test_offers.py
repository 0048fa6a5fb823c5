"""What plugins offer is used, and where it fails, it is said whose it is."""

import hashlib
import threading

import pytest

import zoo
from tests.made_plugins import BUNDLED, offers, plugin
from zoo import applying, bringing, doctor, fetching, opinions, plugins, sources
from zoo.errors import FetchError, PluginError, UnknownNameError, UnsupportedError, UsageError
from zoo.fetching import Wanted
from zoo.library import Library
from zoo.loaded import _words_aside
from zoo.names import Reference
from zoo.registry import Registry
from zoo.samples import sample_model
from zoo.store import Pin, Store

pytestmark = pytest.mark.filterwarnings("ignore::zoo.loaded.PluginWarning")
DATA = b"the bytes of a model"
PIN = Pin((("sha256", hashlib.sha256(DATA).hexdigest()),), len(DATA))


@pytest.fixture
def offered(monkeypatch):
    """Return what has plugins of the test in the place of those that are installed."""

    def install(*entries):
        loaded = plugins.load([*BUNDLED, *entries])
        monkeypatch.setattr(plugins, "installed", lambda: loaded)
        return loaded

    return install


def transforms(**functions):
    things = [zoo.Transform(name, "a change", function) for name, function in functions.items()]
    return plugin("changing", zoo_transforms=offers("zoo_transforms", *things))


def test_transforms_are_made_in_their_order(offered):
    """Each of what the one before it returned; the model that was given stays."""
    seen = []

    def first(model):
        seen.append(model)
        return model.placed(None)

    offered(transforms(first=first, second=lambda model: seen.append(model) or model))
    model = sample_model()
    changed = zoo.apply(model, "first", "second")

    assert seen == [model, changed]
    assert changed is not model


def test_a_transform_that_fails_is_a_plugins_fault(offered):
    """Whatever it raises, or returns in the place of a model; a refusal is a refusal."""

    def refuses(model):
        raise UnsupportedError("not this one")

    offered(transforms(fails=lambda model: 1 // 0, text=lambda model: "text", refuses=refuses))

    with pytest.raises(PluginError, match="'fails' failed") as caught:
        zoo.apply(sample_model(), "fails")
    assert "ZeroDivisionError" in caught.value.found
    assert "changing (strange 1)" in caught.value.hint
    with pytest.raises(PluginError, match="it returned str"):
        zoo.apply(sample_model(), "text")
    with pytest.raises(UnsupportedError, match="not this one"):
        zoo.apply(sample_model(), "refuses")


def test_an_unknown_transform_stops_before_any_change(offered):
    """It is looked for before the first one is made."""
    loaded = offered(transforms(fails=lambda model: 1 // 0))

    with pytest.raises(UnknownNameError, match="'other'") as caught:
        applying.applied(loaded, ["fails", "other"], sample_model())
    assert caught.value.found == "fails"


def test_convert_applies_and_says_so(offered, tmp_path):
    """The file has the changed model, and the notes name the change."""
    offered(transforms(bare=lambda model: model.prune(["w1:0"])))

    done = zoo.convert("toy-adder", tmp_path / "a.pb", "frozen", apply=["bare"])

    assert "applied bare: a change" in done.repairs
    assert [node.name for node in zoo.load(tmp_path / "a.pb").graph.node] == ["w1"]


@pytest.fixture
def adder(tmp_path):
    return zoo.convert("toy-adder", tmp_path / "adder.pb", "frozen").target.path


def question(ask, name="asked"):
    return plugin(name, zoo_diagnoses=offers("zoo_diagnoses", zoo.Question(name, "", ask)))


def rule(find, name="ruled"):
    return plugin(name, zoo_scan_rules=offers("zoo_scan_rules", zoo.ScanRule(name, "", find)))


def examined(path, *entries):
    loaded = plugins.load([*BUNDLED, *entries])
    document = doctor.examine(path, plugins.formats(loaded), opinions.of_plugins(loaded))
    return document["diagnoses"], [p.name for p in loaded.broken]


def test_questions_and_rules_speak_in_doctor(adder):
    """Diagnoses as they are, findings as warnings; the worst first."""
    note = question(lambda case: [zoo.Diagnosis("n", "note", case.format)])
    adds = rule(lambda model: (zoo.Finding(n.op, n.name, "adds") for n in model.graph.node[:1]))
    found, broken = examined(adder, note, adds)

    assert [(one["name"], one["severity"]) for one in found] == [
        ("ruled", "warning"),
        ("n", "note"),
    ]
    assert found[0]["found"].startswith("Placeholder w1")
    assert found[1]["cause"] == "frozen"
    assert broken == []


def bad_ones():
    return {
        "raises": question(lambda case: 1 // 0, "bad"),
        "exits": question(lambda case: exit(3), "bad"),
        "text": question(lambda case: ["text"], "bad"),
        "severity": question(lambda case: [zoo.Diagnosis("a", "awful", "b")], "bad"),
        "late": question(lambda case: (1 // n for n in (1, 0)), "bad"),
        "rule raises": rule(lambda model: 1 // 0, "bad"),
        "rule returns text": rule(lambda model: ["text"], "bad"),
    }


@pytest.mark.parametrize("kind", sorted(bad_ones()))
def test_a_bad_question_costs_itself(kind, adder):
    """The others are asked, and doctor answers."""
    good = question(lambda case: [zoo.Diagnosis("good", "note", "c")], "good")
    found, broken = examined(adder, bad_ones()[kind], good)

    assert [one["name"] for one in found] == ["good"]
    assert broken == ["bad"]


def test_advice_on_an_error_asks_no_plugins_questions(offered, adder):
    """What fails to load is explained by zoo alone: doctor is there to be asked by hand."""
    asked = []
    offered(question(asked.append))
    adder.write_bytes(adder.read_bytes()[:-40])

    with pytest.raises(zoo.ZooError):
        zoo.load(adder)
    assert asked == []


def source(open_, name="opening", **fields):
    return plugin(name, zoo_sources=offers("zoo_sources", zoo.Source("box", open_, **fields)))


def fetched(tmp_path, loaded, url="box://a", **how):
    store = Store(tmp_path / "store")
    others = lambda: plugins.sources(loaded)  # noqa: E731
    return fetching.fetch([Wanted((url,), PIN)], store, tmp_path, others=others, **how)


def test_a_source_opens_and_the_store_judges(tmp_path):
    """Chunks of any size are put together, hashed and kept; other bytes are refused."""
    loaded = plugins.load([source(lambda url: (DATA[i : i + 3] for i in range(0, len(DATA), 3)))])

    assert fetched(tmp_path, loaded).path.read_bytes() == DATA
    other = plugins.load([source(lambda url: [DATA, b"more"])])
    with pytest.raises(FetchError):
        fetched(tmp_path / "other", other)


def test_a_source_that_fails(tmp_path):
    """Whatever it raises or yields is an error on fetching that names the scheme."""
    for bad in (lambda url: 1 // 0, lambda url: [DATA[:3], "text"], lambda url: None):
        with pytest.raises(FetchError, match="could not be read") as caught:
            fetched(tmp_path, plugins.load([source(bad)]))
        assert "box:" in caught.value.hint
    with pytest.raises(UnsupportedError, match="the scheme crate:") as caught:
        fetched(tmp_path, plugins.load([source(lambda url: [DATA])]), "crate://a")
    assert "box:" in caught.value.hint


def test_offline_only_local_sources_are_asked(tmp_path):
    """Where a source does not say that it is local, it is on another machine."""
    far = plugins.load([source(lambda url: [DATA], "far")])
    near = plugins.load([source(lambda url: [DATA], "near", local=True)])

    with pytest.raises(FetchError, match="offline"):
        fetched(tmp_path, far, offline=True)
    assert fetched(tmp_path, near, offline=True).size == len(DATA)
    assert sources.needs_network("box://a", lambda: plugins.sources(far))
    assert not sources.needs_network("box://a", lambda: plugins.sources(near))


REGISTRY = f"""\
version: 1
models:
  boxed:
    summary: from a box
    license: Apache-2.0
    weights:
      one:
        format: frozen
        urls: ["box://a"]
        sha256: {PIN.sha256}
        size: {len(DATA)}
"""


def test_a_registry_of_another_machine_names_no_local_source(tmp_path):
    """As it may not name files: what it says is not said by this machine's owner."""
    loaded = plugins.load([source(lambda url: [DATA], local=True)])
    how = {"others": lambda: plugins.sources(loaded)}
    store, name = Store(tmp_path / "store"), Reference("boxed", "one")
    path = tmp_path / "r.yaml"
    path.write_text(REGISTRY)

    def pinned(**given):
        registry = Registry(path, tmp_path, **given)
        return bringing.of_entry(name, registry.entry("boxed"), registry, None)

    elsewhere = {"url": "https://example.org/r.yaml", "data": path.read_bytes()}
    with pytest.raises(UnsupportedError, match="the scheme box:"):
        bringing.bring(pinned(**elsewhere), store, **how)
    assert bringing.bring(pinned(), store, **how).size == len(DATA)


def test_check_knows_whose_schemes_are_opened(offered, tmp_path):
    """An address that nobody here opens is a fault; with the plugin it is none."""
    (tmp_path / "r.yaml").write_text(REGISTRY)
    registry = Registry(tmp_path / "r.yaml", tmp_path)

    offered()
    (fault,) = registry.faults(Library().sources)
    assert "must begin with one of" in fault.problem
    offered(source(lambda url: [DATA]))
    assert registry.faults(Library().sources) == []
    assert registry.entry("boxed").weights["one"].urls == ["box://a"]


def test_urls_of_plugins_are_references(offered):
    """A bare one needs a digest, like any other; a name with a tag is no URL."""
    offered(source(lambda url: [DATA]))

    with pytest.raises(UsageError, match="is not pinned"):
        Library().fetch("box://a")
    assert Library().fetch(f"box://a#sha256={PIN.sha256}")[1].path.read_bytes() == DATA
    assert not sources.is_url("vgg16:imagenet")
    assert not sources.is_url("a/b://c")


def test_words_go_aside_while_any_thread_is_asked(capsys):
    """The last one that leaves puts standard output back."""
    inside, over = threading.Barrier(2), threading.Event()

    def first():
        with _words_aside:
            inside.wait()
            over.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with _words_aside:
        over.set()
        thread.join()
        print("aside")  # noqa: T201
    print("said")  # noqa: T201

    assert capsys.readouterr() == ("said\n", "aside\n")
