"""Files that a graph refers to are kept, refused, or left out aloud."""

import pytest

from zoo import assets
from zoo.errors import UnsupportedError
from zoo.nodes import node, text
from zoo.protos import AssetFileDef, MetaGraphDef
from zoo.samples import FLOAT, sample_model


@pytest.fixture
def meta_graph():
    """Return the sample graph with a vocabulary that one signature needs and another does not."""
    made = MetaGraphDef()
    made.CopyFrom(sample_model().meta_graph)
    made.graph_def.node.extend(
        [text("file", "words.txt"), node("words", "Identity", ["file"], T=FLOAT)]
    )
    made.signature_def["look_up"].outputs["y"].name = "words:0"
    made.signature_def["predict"].outputs["y"].name = "probabilities:0"
    made.collection_def["asset_filepaths"].node_list.value.append("file:0")
    made.asset_file_def.add(filename="words.txt").tensor_info.name = "file:0"
    return made


def test_files_are_found_in_either_place(meta_graph):
    """The field, or the collection in which they stood before."""
    old = MetaGraphDef()
    stored = old.collection_def["saved_model_assets"].any_list.value.add()
    stored.value = AssetFileDef(filename="old.txt").SerializeToString()

    assert [f.filename for f in assets.asset_files(meta_graph)] == ["words.txt"]
    assert [f.filename for f in assets.asset_files(old)] == ["old.txt"]
    assert assets.asset_files(MetaGraphDef()) == []


def test_what_is_needed_is_refused(meta_graph):
    """A format that cannot hold a file does not drop it."""
    with pytest.raises(UnsupportedError) as caught:
        assets.left_out(meta_graph, ["words:0"], "a frozen graph", tables=True)

    assert caught.value.found == "files words.txt"


def test_what_is_not_needed_is_told(meta_graph):
    """Leaving out a file that nothing needs is said."""
    assert assets.left_out(meta_graph, ["probabilities:0"], "a checkpoint", tables=False) == [
        "left out files that the outputs do not need: words.txt"
    ]


def test_tables_are_refused_where_they_would_be_empty():
    """A table is filled when a model is loaded; a frozen graph has no such moment."""
    made = MetaGraphDef()
    made.graph_def.node.append(node("table", "HashTableV2"))

    assert assets.left_out(made, ["table"], "a checkpoint", tables=False) == []
    with pytest.raises(UnsupportedError) as caught:
        assets.left_out(made, ["table"], "a frozen graph", tables=True)
    assert caught.value.found == "tables table"


def test_a_table_that_is_filled_from_a_file_needs_it(meta_graph):
    """The file is not on the way to the outputs, but what they look up comes from it."""
    meta_graph.graph_def.node.extend(
        [
            node("table", "HashTableV2"),
            node("fill", "InitializeTableFromTextFileV2", ["table", "file"]),
            node("found", "LookupTableFindV2", ["table", "x", "x"]),
        ]
    )

    with pytest.raises(UnsupportedError):
        assets.left_out(meta_graph, ["found:0"], "a checkpoint", tables=False)


def test_without_its_files_a_graph_is_whole(meta_graph):
    """What needed them goes, and nothing speaks of it any more."""
    bare = assets.without_assets(meta_graph)

    assert not {"file", "words"} & {n.name for n in bare.graph_def.node}
    assert list(bare.signature_def) == ["predict"]
    assert "asset_filepaths" not in bare.collection_def
    assert not bare.asset_file_def
    assert assets.without_assets(bare) is bare
