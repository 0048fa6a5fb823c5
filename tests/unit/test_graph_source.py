"""A graph in a file of its own, of either kind and either spelling."""

import os

import pytest

from zoo import graph_source
from zoo.errors import FormatError
from zoo.samples import sample_model

MODEL = sample_model()


@pytest.mark.parametrize("spelled", ["text", "binary"])
@pytest.mark.parametrize("kind", ["graph", "meta_graph"])
def test_every_spelling_is_read(tmp_path, kind, spelled):
    """GraphDef and MetaGraphDef, as ``tf.io.write_graph`` and ``export_meta_graph`` write them."""
    message = getattr(MODEL, kind)
    text = spelled == "text"
    (tmp_path / "g").write_bytes(str(message).encode() if text else message.SerializeToString())

    meta_graph, constants = graph_source.read(tmp_path / "g")

    assert meta_graph.graph_def == MODEL.graph
    assert (kind == "graph") or meta_graph == MODEL.meta_graph
    assert constants == {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"node { name: 'x' colour: 1 }", "colour"),
        (b"graph_def { node { name: 'x' input: 'y' } }", "'y'"),
        (b"meta_info_def { }", "no nodes"),
        (b"\x0a\x02\xff\xff", ""),
        (b"", "no nodes"),
    ],
)
def test_what_is_no_graph_is_told(tmp_path, data, words):
    """With what is wrong with it."""
    (tmp_path / "g").write_bytes(data)

    with pytest.raises(FormatError) as caught:
        graph_source.read(tmp_path / "g")

    assert words in caught.value.found


def test_a_pipe_is_not_waited_for(tmp_path):
    """Nobody may ever write into it."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FormatError, match="no file"):
        graph_source.read(tmp_path / "pipe")
