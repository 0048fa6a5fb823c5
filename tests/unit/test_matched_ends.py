"""What a model is fed and what it gives, and which of it is another model's too."""

import pytest

import zoo
from zoo import protos
from zoo.matched_ends import Ends, facts, matched
from zoo.nodes import node, placeholder
from zoo.samples import FLOAT, sample_model
from zoo.signatures import Signature, to_proto
from zoo.specs import TensorSpec


def graph(*nodes):
    """Return a model of `nodes` that states no signature."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.node.extend([placeholder("x", FLOAT, [2]), *nodes])
    return zoo.Model(meta_graph, {})


def never(_):
    """Tell that two outputs are not computed in the same way."""
    return False


def stating(*, inputs=None, outputs=None):
    """Return a model whose signature has tensors of these shapes."""
    model = graph(node("y", "Neg", ["x"], T=FLOAT))
    sides = (
        {name: TensorSpec("x:0", FLOAT, shape) for name, shape in (side or {}).items()}
        for side in (inputs, outputs)
    )
    model.meta_graph.signature_def["serving_default"].CopyFrom(to_proto(Signature(*sides)))
    return model


def test_a_node_has_as_many_tensors_as_it_puts_out():
    """Counted from 0."""
    ends = Ends(graph(node("y", "Unpack", ["x"], T=FLOAT, num=2, axis=0)))

    assert [ends.has(one) for one in ("y:0", "y:1", "y:2", "z:0")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        ((2,), (2, 3), False),
        ((2, 3), (2,), False),
        ((), (2,), False),
        ((2, None), (2, 3), True),
        ((None, 2), (3, 3), False),
        (None, (2, 3), True),
    ],
)
def test_shapes_of_outputs_agree_as_far_as_they_are_known(ours, theirs, equal):
    """An open axis is one that nobody knows; a rank is known."""
    ends = Ends(stating(outputs={"y": ours})), Ends(stating(outputs={"y": theirs}))

    assert facts(ends)["equal"] is equal


def test_an_open_axis_of_an_input_is_a_promise():
    """Any size will do there, and not here."""
    ends = Ends(stating(inputs={"x": (None, 2)})), Ends(stating(inputs={"x": (3, 2)}))

    (difference,) = facts(ends)["differences"]

    assert (difference["side"], difference["name"]) == ("inputs", "x")


def test_more_outputs_than_the_other_states_are_no_surprise():
    """What a graph shows besides counts only where neither says what it gives."""
    ends = [node("y", "Neg", ["x"], T=FLOAT), node("z", "Exp", ["x"], T=FLOAT)]
    more, less = graph(*ends), graph(ends[0])
    stated = less.with_signature({"x": "x:0"}, {"y": "y:0"})

    assert matched((Ends(more), Ends(stated)), never) == ([("y:0", "y:0")], [], [])
    assert matched((Ends(stated), Ends(more)), never) == ([("y:0", "y:0")], [], [])
    assert matched((Ends(more), Ends(less)), never) == ([("y:0", "y:0")], ["z:0"], [])


def test_reads_and_first_values_of_variables_are_no_outputs():
    """They are there for whoever lists the variables."""
    model = sample_model()
    read = node("extra/read", "Identity", ["extra"], T=FLOAT)
    first = node("extra/first", "Neg", ["x"], T=FLOAT)
    model.graph.node.extend([node("extra", "VariableV2", dtype=FLOAT), read, first])
    listed = protos.VariableDef(variable_name="extra:0", snapshot_name="extra/read:0")
    listed.initial_value_name = "extra/first:0"
    kept = model.meta_graph.collection_def["variables"].bytes_list.value
    kept.append(listed.SerializeToString())

    ends = Ends(model)

    assert "extra/first:0" not in ends.outputs
    assert matched((ends, Ends(sample_model())), never)[1:] == ([], [])
