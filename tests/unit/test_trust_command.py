"""``zoo trust``, and what registries say of trust: whose word counts."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import pytest

import zoo
import zoo_frozen
import zoo_saved_model
from zoo import catalogue, origins, trusted
from zoo.cli import run
from zoo.errors import TrustError
from zoo.findings import USUAL
from zoo.library import Library
from zoo.located import Located
from zoo.model import Model
from zoo.nodes import node, text
from zoo.protos import MetaGraphDef
from zoo.samples import sample_model


def reader(path="/etc/hostname"):
    """Return a model that reads a file."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 1000
    read = node("read", "ReadFile", ["path"])
    meta_graph.graph_def.node.extend([text("path", path), read])
    return Model(meta_graph, {})


def judge(ref, **options):
    """Have the model `ref` judged, as a call of it is."""
    model = zoo.load(ref, **options)
    model.guard.require_call(["read:0"], [])
    return model


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Return the path of a file that reads another, in the folder one stands in."""
    monkeypatch.chdir(tmp_path)
    zoo_frozen.save(reader(), tmp_path / "net.pb")
    return tmp_path / "net.pb"


def test_a_model_is_trusted_as_it_is(net, capsys):
    """Whoever calls it, by whatever path; what is changed is another model, and it is said."""
    with pytest.raises(TrustError, match="ReadFile"):
        judge(net)

    assert run(["trust", "net.pb"]) == 0
    assert "ReadFile" in capsys.readouterr().out
    judge(net)
    shutil.copy(net, "copy.pb")
    judge("copy.pb")

    zoo_frozen.save(reader("/etc/passwd"), net)
    with pytest.raises(TrustError) as caught:
        judge(net)
    assert "what was trusted under this name on 20" in caught.value.found
    assert "had other bytes" in caught.value.found


def test_trust_for_once(net):
    """In Python by an argument, which is not remembered."""
    judge(net, trust=True)
    zoo.load(net).trusted().guard.require_whole()

    with pytest.raises(TrustError):
        judge(net)
    assert trusted.listed() == []


def test_nothing_is_hashed_unless_something_is_refused(net, monkeypatch):
    """To read a large file for nothing would cost as much as to run it."""
    read = []
    trusted.add(trusted.Trusted.now("1" * 64, "another", []))
    monkeypatch.setattr(trusted, "digest", lambda parts: read.append(parts) or "0" * 64)

    zoo.load(net).guard.require_call(["path:0"], [])
    zoo.load(net).guard.require_call(["read:0"], ["read:0"])
    assert read == []
    with pytest.raises(TrustError):
        judge(net)
    assert len(read) == 1


def test_the_json_has_the_digest_and_what_was_found(net, capsys):
    """For scripts."""
    assert run(["trust", "net.pb", "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["sha256"] == hashlib.sha256(net.read_bytes()).hexdigest()
    assert (facts["name"], facts["levels"]) == (str(net), ["io"])
    assert facts["file"] == str(trusted.path())
    (found,) = facts["findings"]
    assert {"op", "node", "function", "level", "why", "path"} == set(found)
    assert (found["op"], found["node"], found["level"]) == ("ReadFile", "read", "io")


def test_the_list_and_what_is_taken_out(net, capsys):
    """By name, by how the digest begins, by what the file is now."""
    digest = hashlib.sha256(net.read_bytes()).hexdigest()
    assert run(["trust", "--list"]) == 0
    assert capsys.readouterr().out == "no model is trusted\n"
    for word in ("net.pb", digest[:10], "other.pb"):
        run(["trust", "net.pb"])
        capsys.readouterr()
        assert run(["trust", "--list"]) == 0
        assert digest[:12] in capsys.readouterr().out
        shutil.copy(net, "other.pb")
        assert run(["trust", "--remove", word]) == 0
        assert "trusted no longer" in capsys.readouterr().out
        assert trusted.listed() == []

    assert run(["trust", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == []
    assert run(["trust", "--remove", "net.pb"]) == 66
    assert run(["trust", "--remove", digest]) == 66
    run(["trust", "net.pb"])
    capsys.readouterr()
    assert run(["trust", "--remove", "net.pb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"][0]["sha256"] == digest


@pytest.mark.parametrize("words", [[], ["--list", "net.pb"], ["--list", "--remove"], ["--remove"]])
def test_a_model_or_the_list(net, words):
    """One of the two."""
    assert run(["trust", *words]) == 2


def test_what_a_plugin_builds_has_no_digest(capsys):
    """Nothing could be compared."""
    assert run(["trust", "vgg16"]) == 2
    assert "--trust" in capsys.readouterr().err


def test_a_model_that_needs_no_trust(net, capsys):
    """It is said, and remembered: a later release may find more."""
    zoo_frozen.save(sample_model(), net)

    assert run(["trust", "net.pb"]) == 0
    assert "nothing was found" in capsys.readouterr().err
    assert len(trusted.listed()) == 1


def test_a_folder_is_all_its_files(tmp_path):
    """One more, or one that is changed, makes another model of it."""
    zoo_saved_model.save(reader(), tmp_path / "m")
    assert run(["trust", str(tmp_path / "m")]) == 0
    judge(tmp_path / "m")

    (tmp_path / "m" / "assets").mkdir()
    (tmp_path / "m" / "assets" / "words.txt").write_text("a")
    with pytest.raises(TrustError):
        judge(tmp_path / "m")


def test_links_to_folders_cannot_be_trusted(tmp_path, capsys):
    """What is behind them changes without the model."""
    zoo_saved_model.save(reader(), tmp_path / "m")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "m" / "assets").symlink_to(tmp_path / "elsewhere")

    assert run(["trust", str(tmp_path / "m")]) == 65
    assert "links to folders" in capsys.readouterr().err
    with pytest.raises(TrustError):
        judge(tmp_path / "m")


def test_a_graph_that_lies_elsewhere_is_part_of_it(tmp_path):
    """Weights are trusted with the graph that they were given."""
    zoo.save(sample_model(), tmp_path / "w", "checkpoint")
    graph = sample_model().meta_graph
    graph.graph_def.node.extend(reader().graph.node)
    (tmp_path / "g.meta").write_bytes(graph.SerializeToString())
    given = {"graph": tmp_path / "g.meta"}

    assert run(["trust", str(tmp_path / "w"), "--graph", str(tmp_path / "g.meta")]) == 0
    judge(tmp_path / "w", **given)
    (tmp_path / "g.meta").write_bytes(graph.SerializeToString() + b"\x0a\x00")
    with pytest.raises(TrustError):
        judge(tmp_path / "w", **given)


def test_a_secret_of_an_address_is_not_shown():
    """Neither in the hint of an error nor in the user's file."""
    url = "https://me:password@example.org/net.pb?key=signature#sha256=00"
    trust = origins.trust_in(Located("frozen", None), url, None, None, None)

    with pytest.raises(TrustError) as caught:
        replace(reader(), trust=trust).guard.require_whole()
    for told in (str(caught.value), trust.origin.place):
        assert "example.org/net.pb" in told
        assert "password" not in told
        assert "signature" not in told


def registry(net, place, policy="", own="    policy: {allow: [io]}\n"):
    """Write a registry with the model at `net` to `place`."""
    data = net.read_bytes()
    pin = f"sha256: {hashlib.sha256(data).hexdigest()}, size: {len(data)}"
    place.write_text(
        f"version: 1\n{policy}models:\n  net:\n    summary: A net\n{own}"
        f"    weights: {{a: {{format: frozen, urls: ['{net.as_uri()}'], {pin}}}}}\n"
    )
    place.chmod(0o600)
    return place


@pytest.mark.parametrize(
    ("policy", "own"), [("", "    policy: {allow: [io]}\n"), ("policy: {allow: [io]}\n", "")]
)
def test_the_users_own_registry_may_allow(net, home, policy, own, capsys):
    """A model, or all of them; what it does not allow stays refused."""
    registry(net, home / "registry.yaml", policy, own)

    model = judge("net")
    assert "io" in model.trust.levels
    assert "python" not in model.trust.levels
    assert run(["info", "net"]) == 0
    assert re.search("^policy +allows io$", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(TrustError):
        judge(net)  # by its path it is nobody's


def test_the_bundled_registry_may_allow(net, tmp_path, monkeypatch):
    """It comes with zoo; its models are looked at all the same."""
    place = registry(net, tmp_path / "bundled.yaml")
    monkeypatch.setattr(catalogue, "bundled", lambda: place)

    judge("net")
    registry(net, place, own="")
    with pytest.raises(TrustError, match="ReadFile"):
        judge("net")


@pytest.mark.parametrize("way", ["given", "environment", "folder", "writable"])
def test_no_other_registry_may(net, home, tmp_path, monkeypatch, way, capsys):
    """A folder must not trust itself; that it would like to is said."""
    place = home / "registry.yaml" if way == "writable" else tmp_path / "registry.yaml"
    registry(net, place, "policy: {allow: [python]}\n")
    if way == "writable":
        place.chmod(0o666)
    if way == "environment":
        monkeypatch.setenv("ZOO_REGISTRY", str(place))
    given = ["--registry", str(place)] if way == "given" else []

    with pytest.warns(UserWarning, match="the policy for net is ignored"):
        model = Library(place if given else None).open("net").model
    with pytest.raises(TrustError):
        model.guard.require_call(["read:0"], [])
    assert run(["info", "net", *given]) == 0
    assert "allows io, python; ignored" in capsys.readouterr().out
    if way == "given":
        assert run(["check", str(place)]) == 0
        told = capsys.readouterr().err
        assert "the policy for all models is ignored" in told
        assert "the policy for net is ignored" in told


def test_a_policy_of_the_usual_levels_says_nothing_new(net, tmp_path):
    """So nobody is told of it: a warning would be an error here."""
    place = registry(net, tmp_path / "registry.yaml", own="    policy: {allow: [assets]}\n")

    assert Library(place).open("net").model.trust.levels == USUAL


@pytest.mark.parametrize(
    ("policy", "own", "line", "what"),
    [
        ("policy: {allow: [everything]}\n", "", 2, "everything"),
        ("policy: {}\n", "", 2, "policy.allow"),
        ("policy: {allow: []}\n", "", 2, "policy.allow"),
        ("policy: {allow: [io], deny: [python]}\n", "", 2, "policy.deny"),
        ("policy: io\n", "", 2, "policy"),
        ("", "    policy: {allow: [IO]}\n", 5, "'IO'"),
        ("", "    policy: {allows: [io]}\n", 5, "did you mean 'allow'"),
    ],
)
def test_a_wrong_policy_is_a_fault(net, tmp_path, capsys, policy, own, line, what):
    """With its line, as any other."""
    place = registry(net, tmp_path / "registry.yaml", policy, own)

    assert run(["check", str(place)]) == 65
    told = "".join(capsys.readouterr())
    assert f"{place}:{line}: " in told
    assert what in told
