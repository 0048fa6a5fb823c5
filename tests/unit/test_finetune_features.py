"""Under which digest features are kept: anything they depend on gives another one."""

from dataclasses import replace

import numpy as np
import pytest

import zoo
from zoo import home, protos, usage
from zoo.layers import Head
from zoo.tensors import ArrayTensor
from zoo_finetune import feature_cache
from zoo_finetune.feature_cache import digest
from zoo_finetune.nets import net_for
from zoo_finetune.recipe import Recipe


def net(seed=0):
    return net_for(zoo.load("vgg-digits"), Recipe(outputs=2, seed=seed))


def with_weight(one, name):
    """Return the net with another value in one place of a weight."""
    values = one.model.weights[name].copy()
    values.reshape(-1)[0] += 1
    weights = one.model.weights.overlay({name: ArrayTensor.of(values)})
    return replace(one, model=replace(one.model, weights=weights))


def test_what_features_depend_on():
    """Examples, how they are prepared, weights and graph before the head, and which tensor."""
    one = net()
    graph = protos.MetaGraphDef()
    graph.CopyFrom(one.model.meta_graph)
    conv = next(node for node in graph.graph_def.node if node.op == "Conv2D")
    conv.attr["padding"].s = b"VALID"
    other_head = Head("fc6:0", one.head.logits, one.head.weights, 2, "")

    found = [
        digest(one, "examples", "prepared"),
        digest(one, "others", "prepared"),
        digest(one, "examples", "otherwise"),
        digest(with_weight(one, "conv1_1/kernel"), "examples", "prepared"),
        digest(replace(one, model=replace(one.model, meta_graph=graph)), "examples", "prepared"),
        digest(replace(one, head=other_head), "examples", "prepared"),
    ]

    assert len(set(found)) == len(found)


def test_what_features_do_not_depend_on():
    """The head, which is new each time; and the same net read again."""
    told = ("examples", "prepared")

    assert digest(net(), *told) == digest(net(seed=7), *told)
    assert digest(with_weight(net(), "fc8/kernel"), *told) == digest(net(), *told)


KNOWN = np.arange(12, dtype=np.float32).reshape(4, 3)


def cut(path):
    path.write_bytes(path.read_bytes()[:150])


def blank(path):
    """Leave the head of the file, and zeros in the place of the numbers."""
    path.write_bytes(path.read_bytes()[: -KNOWN.nbytes] + bytes(KNOWN.nbytes))


def unrecorded(path):
    """Leave a file of which nobody knows what it was."""
    blank(path)
    usage.forget(home.cache(), path.stem)


@pytest.mark.parametrize("damage", [cut, blank, unrecorded])
def test_damaged_features_are_computed_anew(monkeypatch, damage):
    """Cut off, zeros with a sound head, and a file without its record."""
    one, computed = net(), []

    def write(net, batches, count, path):
        computed.append(path)
        with path.open("wb") as file:
            np.save(file, KNOWN)

    monkeypatch.setattr(feature_cache, "_write", write)
    for _ in range(2):
        assert np.array_equal(feature_cache.features(one, [], 4, "told"), KNOWN)
    assert len(computed) == 1

    (path,) = (home.cache() / "features").glob("*.npy")
    damage(path)

    assert np.array_equal(feature_cache.features(one, [], 4, "told"), KNOWN)
    assert len(computed) == 2
