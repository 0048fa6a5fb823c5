"""What may run: findings held against trust, and graphs without what may not."""

import pytest

from zoo import dtypes, policy, stand_ins
from zoo.applying import applied
from zoo.errors import TrustError
from zoo.findings import LEVELS, Finding
from zoo.model import Model
from zoo.nodes import node, placeholder, text
from zoo.policy import Guard
from zoo.protos import GraphDef, MetaGraphDef
from zoo.samples import FLOAT, sample_model
from zoo.transforms import Transform
from zoo.trust import Origin, Trust, granted, trusting

STRING = dtypes.named("string")


def graph_of(*nodes):
    """Return a graph of `nodes`."""
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.versions.producer = 1000
    meta_graph.graph_def.node.extend(nodes)
    return meta_graph


def reader():
    """Return a graph that reads a file for one output, and computes another."""
    return graph_of(
        text("path", "/etc/hostname"),
        node("read", "ReadFile", ["path"]),
        node("length", "StringLength", ["read"]),
        placeholder("x", FLOAT, [None]),
        node("y", "Neg", ["x"], T=FLOAT),
        node("waits", "Neg", ["x", "^read"], T=FLOAT),
    )


def add_function(meta_graph, name, *nodes):
    """Add to the library a function without inputs that gives a string."""
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = name
    function.signature.output_arg.add(name="out", type=STRING.number)
    function.node_def.extend(nodes)
    function.ret["out"] = f"{nodes[-1].name}:output:0"


def calling(name, function):
    """Return a node that calls `function`."""
    made = node(name, "PartitionedCall", [], Tin=[], Tout=[STRING])
    made.attr["f"].func.name = function
    return made


def nested():
    """Return a graph that calls a function that calls one that reads a file."""
    meta_graph = graph_of(calling("call", "outer"), calling("fine", "harmless"))
    path = text("path", "/etc/hostname")
    add_function(meta_graph, "inner", path, node("read", "ReadFile", ["path:output:0"]))
    add_function(meta_graph, "outer", calling("again", "inner"))
    add_function(meta_graph, "harmless", text("out", "words"))
    return meta_graph


def test_what_a_call_needs_is_judged(tmp_path):
    """Not what stands elsewhere in the graph, nor what lies before a tensor that is fed."""
    guard = Guard(reader())

    guard.require_call(["y:0"], ["x:0"])
    guard.require_call(["length:0"], ["read:0"])
    for fetch in ("length:0", "read:0", "waits:0"):
        with pytest.raises(TrustError, match="ReadFile") as caught:
            guard.require_call([fetch], ["x:0"])
        assert "node 'read' (io)" in caught.value.found
        assert "model.trusted()" in caught.value.hint


def test_all_is_judged_where_all_comes_in():
    """A session has the whole graph, so what no call needs counts there."""
    with pytest.raises(TrustError):
        Guard(reader()).require_whole()
    Guard(reader(), Trust.FULL).require_whole()
    Guard(sample_model().meta_graph).require_whole()


def test_what_tensorflow_lacks_cannot_run():
    """It is the importer's to say which library has it."""
    guard = Guard(reader())

    guard.require_whole(lambda op: op != "ReadFile")
    with pytest.raises(TrustError):
        guard.require_whole(lambda op: op != "StringLength")


@pytest.mark.parametrize("level", LEVELS)
def test_levels_are_granted_one_by_one(level):
    """Reading a file is ``io``: that level lets it, and no other does."""
    guard = Guard(reader(), Trust(Trust.USUAL.levels | {level}))

    assert guard.is_trusted() == (level == "io")


def test_a_model_is_looked_at_once(monkeypatch):
    """However often it is called; one that is trusted, never."""
    looks = []
    monkeypatch.setattr(policy, "scan", lambda meta_graph: looks.append(meta_graph) or ())
    model = sample_model()

    for _ in range(3):
        model.guard.require_call(["probabilities:0"], ["x:0"])
        model.guard.require_part(GraphDef(), ["probabilities:0"], ["x:0"])
    model.trusted().guard.require_whole()

    assert len(looks) == 1


def test_the_error_says_who_where_and_what_to_do():
    """Operation, node, how it is reached, the command that looks and the one that trusts."""
    found = Finding("ReadFile", "f/read", "it reads a file", "io", "f", ("serving_default", "call"))
    other = Finding("PyFunc", "py", "it runs Python", "python")
    guard = Guard(reader(), Trust(origin=Origin("my net.pb", "/a/my net.pb", list)))

    with pytest.raises(TrustError) as caught:
        guard.require_nodes(["call", "py"], {"call": found, "py": other})

    assert caught.value.problem.endswith("ReadFile, which it needs: it reads a file")
    assert "node 'f/read' (io), reached by serving_default > call; and py" in caught.value.found
    assert "`zoo scan 'my net.pb'`" in caught.value.hint
    assert "`zoo trust 'my net.pb'`" in caught.value.hint
    assert "--trust" in caught.value.hint
    assert "trust=True" in caught.value.hint


def test_a_call_is_what_it_calls():
    """A node that calls a function that calls one that reads; its neighbour is none of it."""
    assert set(Guard(nested()).barred()) == {"call"}


def test_a_gradient_is_part_of_its_function():
    """Who calls the function may have the gradient run."""
    meta_graph = nested()
    meta_graph.graph_def.library.gradient.add(function_name="harmless", gradient_func="inner")

    assert set(Guard(meta_graph).barred()) == {"call", "fine"}


def test_what_may_not_run_is_not_imported():
    """Neither the node nor the functions; what comes after stays, and gets no value."""
    left = policy.harmless(nested())

    nodes = {one.name: one.op for one in left.graph_def.node}
    assert nodes == {"call": "Placeholder", "fine": "PartitionedCall"}
    assert [f.signature.name for f in left.graph_def.library.function] == ["harmless"]


def test_functions_that_nobody_calls_are_not_imported_either():
    """Others are, as they were."""
    meta_graph = nested()
    del meta_graph.graph_def.node[0]

    left = policy.harmless(meta_graph)

    assert [one.name for one in left.graph_def.node] == ["fine"]
    assert [f.signature.name for f in left.graph_def.library.function] == ["harmless"]


def test_a_graph_that_may_run_stays_as_it_is():
    """Nothing is copied."""
    meta_graph = reader()

    assert policy.harmless(meta_graph, Trust.FULL) is meta_graph
    assert policy.harmless(graph_of(text("a", "b"))).graph_def.node[0].op == "Const"


@pytest.mark.parametrize(
    ("one", "ops"),
    [
        (node("n", "WriteFile", ["a", "b"]), ["NoOp"]),
        (node("n", "ReadFile", ["a"]), ["Placeholder"]),
        (node("n", "PyFunc", ["a"], Tin=[], Tout=[]), ["NoOp"]),
        (node("n", "PyFunc", ["a"], Tin=[], Tout=[FLOAT, STRING]),
         ["Placeholder", "Placeholder", "IdentityN"]),
        (node("n", "TFRecordReader"), ["VariableV2"]),
        (node("n", "TextLineDataset", ["a", "b", "c"]), ["Placeholder"]),
        (node("n", "FromElsewhere", ["a"]), []),
    ],
)  # fmt: skip
def test_a_stand_in_gives_what_the_node_gave(one, ops):
    """As many outputs of the same kinds, but no values; what nobody knows goes."""
    left = stand_ins.without(graph_of(one, placeholder("a", FLOAT)), ["n"])

    others = [each for each in left.graph_def.node if each.name != "a"]
    assert [each.op for each in others] == ops
    assert not others or others[-1].name == "n"


def test_a_call_by_the_functions_name():
    """TensorFlow 1 calls a function by an operation of its name; its results are known."""
    meta_graph = nested()
    meta_graph.graph_def.node.append(node("old", "outer"))

    left = {n.name: n for n in policy.harmless(meta_graph).graph_def.node}

    assert left["old"].op == "Placeholder"
    assert left["old"].attr["dtype"].type == STRING.number


def test_what_needs_a_node_without_a_stand_in_goes_too():
    """An edge from nowhere would keep all of the graph from being imported."""
    after = node("after", "Identity", ["n"], T=FLOAT)
    left = stand_ins.without(graph_of(node("n", "FromElsewhere"), after, node("b", "NoOp")), ["n"])

    assert [one.name for one in left.graph_def.node] == ["b"]


def test_a_part_is_judged_for_itself():
    """What a rewrite left out of the part cannot run; a path of its own files is no longer one."""
    guard = Guard(reader())

    guard.require_part(graph_of(placeholder("x", FLOAT)).graph_def, ["waits:0"], ["x:0"])
    with pytest.raises(TrustError):
        guard.require_part(reader().graph_def, ["waits:0"], ["x:0"])


def test_a_part_does_not_know_the_files_of_its_model(monkeypatch):
    """A file is the model's only where its path is fed."""
    real = policy.scan

    def whole(meta_graph):
        """Find the reading of a file to be that of an asset, where there are assets."""
        level = "assets" if meta_graph.asset_file_def else "io"
        return tuple(Finding(f.op, f.node, f.why, level) for f in real(meta_graph))

    monkeypatch.setattr(policy, "scan", whole)
    meta_graph = reader()
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
    guard = Guard(meta_graph)

    guard.require_call(["length:0"], [])
    with pytest.raises(TrustError):
        guard.require_part(meta_graph.graph_def, ["length:0"], [])


def test_trust_survives_every_edit():
    """An edited model came from where it came from."""
    trust = Trust(Trust.USUAL.levels | {"io"}, Origin("net", "net", list))
    model = sample_model()
    model = Model(model.meta_graph, model.weights, trust=trust)
    edits = [
        model.freeze("probabilities:0"),
        model.freeze("probabilities:0").thaw(),
        model.prune("dense/BiasAdd:0"),
        model.with_signature({"a": "x:0"}, {"b": "probabilities:0"}),
        model.with_signature({"a": "x:0"}, {"b": "probabilities:0"}).renamed({"a": "c"}),
        model.with_weights_as("float16"),
        model.placed("/cpu:0"),
        model.replace_head(5),
        model.replace_head(0),
        model.with_shapes({"x": (1, 3)}),
    ]

    assert all(one.trust == trust for one in edits)
    assert model.trusted().freeze("probabilities:0").trust == trust.full()
    assert model.trust == trust


def test_a_change_by_a_plugin_keeps_trust(monkeypatch):
    """Also where it makes a model of its own."""
    transform = Transform("again", "the same", lambda one: Model(one.meta_graph, one.weights))
    monkeypatch.setattr("zoo.plugins.transform_named", lambda *_: transform)

    for model in (sample_model(), sample_model().trusted()):
        assert applied(None, ["again"], model)[0].trust == model.trust


def test_full_trust_is_every_level():
    """Also such as come later."""
    assert Trust.FULL.is_full
    assert not Trust.USUAL.is_full
    assert Trust.USUAL.full().levels == frozenset(LEVELS)
    assert Trust() == Trust.USUAL


def test_what_is_opened_by_others_is_trusted_in_a_block():
    """And no longer."""
    assert granted() is Trust.USUAL
    with trusting():
        assert granted() is Trust.FULL
    with pytest.raises(ValueError, match="left"), trusting():
        raise ValueError("left by an error")
    assert granted() is Trust.USUAL
