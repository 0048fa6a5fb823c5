"""What a graph would do is found wherever it hides, and what only computes or saves is let be."""

import pytest

from tests import hostile_graphs as hostile
from zoo import op_levels, ops, protos, scanning
from zoo.errors import FormatError
from zoo.findings import LEVELS, USUAL
from zoo.nodes import node, placeholder, strings, text


def found(meta_graph, wanted=None):
    """Return the operations beyond what is usual, with their levels."""
    return [(f.op, f.level) for f in scanning.scan(meta_graph, wanted) if f.level not in USUAL]


def levels(meta_graph, wanted=None):
    return {f.op: f.level for f in scanning.scan(meta_graph, wanted)}


def test_the_table_has_each_operation_of_the_release_and_a_reason():
    """A new release needs a decision for each of its operations; a level alone says little."""
    assert set(op_levels.table()) == set(ops._lines())
    judged = [op_levels.judgement(op) for op in op_levels.table()]
    assert all(one.level in LEVELS and len(one.why) > 10 for one in judged if one)
    assert sum(one is not None for one in judged) == len(hostile.HARMFUL) > 150


@pytest.mark.parametrize("op", hostile.HARMFUL)
def test_m01_each_operation_that_reaches_out_is_found(op):
    """In a signature and in a function, at its own level, and with what leads to it."""
    direct, nested = hostile.in_signature(op), hostile.in_function(op)

    assert found(direct) == found(nested) == [(op, hostile.level(op))]
    (one,) = (f for f in scanning.scan(nested) if f.level not in USUAL)
    assert (one.node, one.function) == ("evil/harm", "evil")
    assert one.path == ("signature serving_default", "call")


@pytest.mark.parametrize("place", hostile.PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("op", ["WriteFile", "PyFunc", "RpcCall", "SaveV2", "TextLineDataset"])
def test_m02_it_is_found_wherever_it_hides(place, op):
    """Functions that nothing calls, gradients, what runs at loading, collections of messages."""
    assert (op, hostile.level(op)) in found(place(op))


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (hostile.three_functions_deep,
         ("signature serving_default", "call", "outer/call", "inner/call")),
        (hostile.as_an_argument_of_an_argument, ("signature serving_default", "call")),
        (hostile.in_gradient, ("gradient of good",)),
        (hostile.at_loading, ("init",)),
        (hostile.when_restored, ("restore",)),
        (hostile.in_objects, ("function evil of the object graph",)),
        (hostile.in_collection_of_nodes, ("collection train_op",)),
        (hostile.beside_the_signature, ("the graph",)),
        (hostile.in_a_function_that_nothing_calls, ()),
        (hostile.as_bytes_in_collection, ("collection while_context",)),
    ],
)  # fmt: skip
def test_a_finding_says_how_it_is_reached(place, path):
    """What starts it, then each node that calls a function on the way."""
    (one,) = scanning.scan(place())

    assert one.path == path


def test_m03_what_nobody_knows_is_not_clean():
    """An operation of another library, of no library, and programs kept in attributes."""
    strange = {
        "Addons>Gelu": "custom-op",
        "SentencepieceOp": "custom-op",
        "BrandNewOp": "unknown",
        "XlaCallModule": "unknown",
        "XlaCustomCallV2": "unknown",
        "MlirPassthroughOp": "unknown",
        "DatasetFromGraph": "unknown",
    }
    graph = hostile.meta_graph(*(node(f"n{i}", op) for i, op in enumerate(strange)))

    assert dict(found(graph)) == strange


def test_m03_a_function_by_the_name_of_an_operation_hides_nothing():
    """Whichever of the two TensorFlow takes, both are looked at."""
    graph = hostile.with_functions(
        hostile.meta_graph(node("call", "ReadFile")),
        hostile.function("ReadFile", *hostile.harm("WriteFile", inside=True)),
    )
    primitive = hostile.meta_graph(hostile.calling("SymbolicGradient", "f", "PyFunc"))

    assert {op for op, _ in found(graph)} == {"ReadFile", "WriteFile"}
    assert found(primitive) == [("PyFunc", "python")]


def test_a_saver_is_one_where_only_it_saves():
    """What its own MetaGraph says saves and restores, to where it is told."""
    graph = hostile.saver(hostile.meta_graph())

    assert levels(graph) == {"SaveV2": "saver", "RestoreV2": "saver"}
    assert found(graph) == []


def test_a_saver_that_nobody_names_is_known_by_its_form():
    """Several savers leave all but one unnamed; a frozen graph names none."""
    two = hostile.saver(hostile.saver(hostile.meta_graph()), name="save_1", stated=False)
    alone = hostile.saver(hostile.meta_graph(), stated=False)

    assert found(two) == found(alone) == []


def _used(meta, *inputs, op="Identity"):
    meta.graph_def.node.append(node("used", op, inputs))
    meta.signature_def["used"].outputs["used"].name = "used:0"
    return meta


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize(
    "spoilt",
    [
        lambda s: _used(hostile.saver(hostile.meta_graph(), stated=s), "y", "^save/SaveV2"),
        lambda s: _used(hostile.saver(hostile.meta_graph(), stated=s), "save/done"),
        lambda s: hostile.saver(hostile.meta_graph(), stated=s, prefix="/etc/cron.d/x")
        if not s else _spoilt_restore(),
        lambda s: _waiting(hostile.saver(hostile.meta_graph(), stated=s)),
    ],
    ids=["in a signature", "its end in a signature", "to a file of its own", "before an output"],
)  # fmt: skip
def test_saving_that_somebody_else_starts_is_no_savers(spoilt, stated):
    """Where a signature or an output of the graph waits for it, or it names the file itself."""
    assert ("SaveV2", "io") in found(spoilt(stated))


def _waiting(meta):
    """Have what looks like an output wait for the saving."""
    meta.graph_def.node.append(node("probabilities", "Identity", ["y", "^save/SaveV2"]))
    return meta


def _spoilt_restore():
    """Have restoring write a file, which loaders do."""
    meta = hostile.saver(hostile.meta_graph())
    meta.graph_def.node.append(node("save/all", "NoOp", ["^save/restore_all", "^save/SaveV2"]))
    meta.saver_def.restore_op_name = "save/all"
    return meta


def test_reading_another_checkpoint_is_no_savers():
    """``init_from_checkpoint`` has a path in the graph, which is on somebody's machine."""
    other = node("init", "RestoreV2", ["prefix", "names", "slices"])
    graph = hostile.saver(hostile.meta_graph(text("prefix", "/nets/bert.ckpt"), other))

    assert found(graph) == [("RestoreV2", "io")]


def _with_table(value, *, init=True, filename="words.txt", also=()):
    """Return a MetaGraph that fills a table from an asset whose path is the constant `value`."""
    fill = node("fill", "InitializeTableFromTextFileV2", ["table", "path"])
    meta = hostile.meta_graph(
        text("path", value), node("table", "HashTableV2"), fill, node("init", "NoOp", ["^fill"]),
        *also,
    )  # fmt: skip
    meta.asset_file_def.add(filename=filename).tensor_info.name = "path:0"
    if init:
        meta.collection_def["saved_model_main_op"].node_list.value.append("init")
    return meta


def test_a_file_of_the_model_is_read_when_it_is_loaded():
    """The loader hands in where the asset lies, whatever the constant says."""
    graph = _with_table("/home/author/words.txt")

    assert levels(graph) == {"InitializeTableFromTextFileV2": "assets"}
    assert found(_with_table("/home/author/words.txt", init=False)) == [
        ("InitializeTableFromTextFileV2", "io")
    ]


def test_a_file_of_the_model_is_not_to_be_written():
    """A model that changes its own vocabulary is another one the next time."""
    graph = _with_table("words.txt")
    node = next(one for one in graph.graph_def.node if one.op == "InitializeTableFromTextFileV2")
    node.op, node.input[0] = "WriteFile", node.input[1]

    assert levels(graph) == {"WriteFile": "io"}


def test_a_path_that_is_called_an_asset_is_none_where_a_user_reads_it():
    """Nobody hands in another path when a signature runs: the constant's own is read."""
    graph = _with_table("/etc/passwd", also=[node("read", "ReadFile", ["path"])])
    used = _used(graph, "read")

    assert found(used) == [("ReadFile", "io")]


def test_m13_a_file_outside_is_no_asset():
    """A name that leads out of the folder is found, with no operation needing it."""
    for name in ("../../.ssh/id_rsa", "/etc/passwd", "C:\\x", "a/../../b", "gs://bucket/x"):
        assert found(_with_table("", filename=name)) == [("AssetFileDef", "io")], name


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("gs://bucket/file", "network"),
        ("s3://bucket/file", "network"),
        ("http://host/file", "network"),
        ("file:///etc/passwd", "io"),
        ("/etc/passwd", "io"),
        ("words.txt", "io"),
        ("", "io"),
    ],
)
def test_a_constant_name_says_where_the_file_is(name, level):
    """On this machine, or on another."""
    graph = hostile.meta_graph(text("path", name), node("read", "ReadFile", ["path"]))

    assert found(graph) == [("ReadFile", level)]


def _read(*nodes):
    return hostile.meta_graph(*nodes, node("read", "ReadFile", ["path"]))


@pytest.mark.parametrize(
    ("graph", "level"),
    [
        (_read(placeholder("path", hostile.STRING)), "io"),
        (_read(text("a", "/x"), placeholder("b", hostile.STRING),
               node("path", "StringJoin", ["a", "b"])), "io"),
        (_read(placeholder("b", hostile.STRING), text("a", ".txt"),
               node("path", "StringJoin", ["b", "a"])), "io"),
        (_read(text("a", "ht"), text("b", "tp://host/x"),
               node("path", "StringJoin", ["a", "b"])), "network"),
        (_read(text("a", "g"), placeholder("b", hostile.STRING),
               node("path", "StringJoin", ["a", "b"])), "network"),
        (_read(text("a", "x"), node("path", "StringUpper", ["a"])), "network"),
        (_read(strings("a", ["/x", "gs://y"]), node("path", "RandomShuffle", ["a"])), "network"),
        (_read(), "network"),
    ],
    ids=["fed", "in a folder", "fed, with an ending", "put together", "begun", "computed",
         "several", "from nowhere"],
)  # fmt: skip
def test_a_name_that_is_not_constant_is_the_worst_it_can_be(graph, level):
    """What is fed, the user chooses; what is computed may be on another machine."""
    assert found(graph) == [("ReadFile", level)]


def test_names_are_followed_into_functions():
    """An argument is what each call hands over: a path of the graph, or one that is fed."""
    inner = hostile.function("reads", node("read", "ReadFile", ["name"]))
    inner.signature.input_arg.add(name="name", type=hostile.STRING.number)
    call = hostile.calling("StatefulPartitionedCall", "f", "reads", inputs=["path"])
    far = hostile.with_functions(hostile.meta_graph(text("path", "gs://b/x"), call), inner)
    fed = hostile.with_functions(
        hostile.meta_graph(placeholder("path", hostile.STRING), call), inner
    )

    assert (found(far), found(fed)) == ([("ReadFile", "network")], [("ReadFile", "io")])


def test_loops_of_names_and_of_calls_end():
    """A graph that goes in circles, and one that can be walked in more ways than there is time."""
    circle = _read(node("path", "Identity", ["back"]), node("back", "Merge", ["path", "path"]))
    joins = [node(f"j{i}", "StringJoin", [f"j{i - 1}"] * 4) for i in range(1, 60)]
    wide = _read(placeholder("j0", hostile.STRING), *joins, node("path", "Identity", ["j59"]))
    calls = hostile.with_functions(
        hostile.meta_graph(hostile.calling("PartitionedCall", "f", "a")),
        hostile.function("a", hostile.calling("PartitionedCall", "f", "a")),
        hostile.function("", *hostile.harm(inside=True)),
    )

    assert found(circle) == [("ReadFile", "network")]
    assert found(wide) == [("ReadFile", "io")]
    assert found(calls) == [("WriteFile", "io")]


@pytest.mark.parametrize(
    ("made", "level"),
    [
        (node("n", "PrintV2", ["x"], output_stream="stderr"), None),
        (node("n", "PrintV2", ["x"], output_stream="log(info)"), None),
        (node("n", "PrintV2", ["x"]), None),
        (node("n", "PrintV2", ["x"], output_stream="file:///tmp/x"), "io"),
        (node("n", "CacheDataset", ["x", "nothing"]), None),
        (node("n", "CacheDataset", ["x", "path"]), "io"),
        (node("n", "FixedUnigramCandidateSampler", ["x"], vocab_file=""), None),
        (node("n", "FixedUnigramCandidateSampler", ["x"], vocab_file="/etc/passwd"), "io"),
        (node("n", "DecodeProtoV2", ["x"], descriptor_source="local://"), None),
        (node("n", "DecodeProtoV2", ["x"], descriptor_source="bytes://abc"), None),
        (node("n", "DecodeProtoV2", ["x"], descriptor_source="/etc/passwd"), "io"),
        (node("n", "DebugIdentity", ["x"], debug_urls=["grpc://host:1"]), "network"),
        (node("n", "DebugIdentity", ["x"], debug_urls=["file:///tmp/x"]), "io"),
        (node("n", "DebugIdentity", ["x"]), None),
        (node("n", "ImmutableConst", memory_region_name="/etc/passwd"), "io"),
    ],
    ids=lambda value: value.op if hasattr(value, "op") else str(value),
)
def test_attributes_and_empty_names_count(made, level):
    """What prints to the terminal or keeps things in memory touches no file."""
    graph = hostile.meta_graph(text("nothing", ""), text("path", "/x"), made)

    assert found(graph) == ([] if level is None else [(made.op, level)])


def test_only_what_is_wanted_can_be_asked():
    """Of a graph that holds more; what is wanted starts it, the saver's operations too."""
    graph = hostile.saver(hostile.meta_graph(*hostile.harm()))

    assert found(graph, ["y:0"]) == []
    assert found(graph, ["harm"]) == [("WriteFile", "io")]
    assert found(graph, ["save/done:0"]) == [("SaveV2", "io")]
    assert found(hostile.in_function(), ["out"]) == [("WriteFile", "io")]
    assert found(hostile.in_function(), ["y"]) == []


def test_operations_are_counted_by_level():
    """Those that only compute too."""
    assert scanning.look(hostile.saver(hostile.in_signature())).levels() == {
        "pure": 11, "saver": 2, "io": 1,
    }  # fmt: skip


def test_a_damaged_list_of_files_is_an_error():
    """Nobody can say then which files are the model's own."""
    graph = hostile.in_signature()
    damaged = graph.collection_def["saved_model_assets"].any_list.value.add()
    damaged.value = b"\xff\xff"

    with pytest.raises(FormatError):
        scanning.scan(graph)


def test_nothing_of_the_graph_is_changed():
    """Looking at a key of a message that is not there would make it."""
    graph = hostile.saver(hostile.in_function("CacheDataset"))
    before = graph.SerializeToString(deterministic=True)
    scanning.scan(graph)

    assert graph.SerializeToString(deterministic=True) == before
    assert scanning.scan(protos.MetaGraphDef()) == ()
