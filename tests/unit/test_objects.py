"""The objects of TensorFlow 2 lead to the keys of the checkpoint."""

from zoo.objects import trained_keys
from zoo.protos import SavedObjectGraph

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def graph(*edges, trained=()):
    """Return objects joined by (parent, name, child); those without children are variables."""
    made = SavedObjectGraph()
    for _ in range(1 + max(child for _, _, child in edges)):
        made.nodes.add()
    for parent, name, child in edges:
        made.nodes[parent].children.add(node_id=child, local_name=name)
    for number, node in enumerate(made.nodes):
        if not node.children:
            node.variable.trainable = number in trained
    return made


def test_a_key_is_the_shortest_path():
    """The first of several that are as short; a longer way round does not count."""
    objects = graph(
        (0, "layer", 1), (1, "w", 2), (0, "all", 3), (3, "0", 2), (0, "b", 4), trained=[2]
    )

    assert trained_keys(objects) == {f"layer/w{VALUE}": True, f"b{VALUE}": False}


def test_strange_names_are_escaped():
    """Slashes part the path and dots begin TensorFlow's own words."""
    objects = graph((0, "a/b", 1), (0, "c.d", 2))

    assert set(trained_keys(objects)) == {f"a.Sb{VALUE}", f"c..d{VALUE}"}


def test_damage_is_passed_over():
    """Children that are not there, objects in a circle, no objects at all."""
    objects = graph((0, "a", 1), (1, "back", 0), (1, "w", 2))
    objects.nodes[0].children.add(node_id=99, local_name="gone")

    assert set(trained_keys(objects)) == {f"a/w{VALUE}"}
    assert trained_keys(SavedObjectGraph()) == {}
