"""CSV files: pictures by path and label, and rows of numbers."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.errors import DataError, FormatError
from zoo.specs import TensorSpec
from zoo_finetune import examples
from zoo_finetune.recipe import Recipe

NUMBERS = TensorSpec("x:0", dtypes.named("float32"), (None, 2))
PICTURES = TensorSpec("x:0", dtypes.named("float32"), (None, 8, 8, 3))


@pytest.fixture
def table(tmp_path):
    """Return what writes a CSV file beside two pictures and reads it."""
    (tmp_path / "pics").mkdir()
    for name in ("pics/1.png", "pics/ü, 2.png"):
        (tmp_path / name).write_bytes(name.encode())

    def read(text, spec=NUMBERS, encoding="utf-8", **options):
        (tmp_path / "data.csv").write_bytes(text.encode(encoding))
        recipe = Recipe(**{"outputs": 2, **options})
        return examples.read(tmp_path / "data.csv", recipe, spec)

    return read


@pytest.mark.parametrize(
    "text",
    [
        "a,b,label\n1,2,0\n3,4,1\n",
        "label,a,b\n0,1,2\n1,3,4\n",
        "a,y,b\r\n1,0,2\r\n3,1,4\r\n",
        "a;b;Target\n1;2;0\n3;4;1\n",
        "a;b;class\n1,0;2,0;0\n3,0;4,0;1\n",
        "a\tb\tlabel\n1\t2\t0\n3\t4\t1\n",
        '\ufeff"label","a","b"\n"0","1","2"\n"1","3","4"\n',
        "1,2,0\n3,4,1\n",
        "1,2,0\n\n , ,\n3,4,1",
        "width,height,kind\n1e0, 2. ,0.0\n+3,4,1.0\n",
    ],
)
def test_numbers_and_a_label(table, text):
    """Any delimiter, with and without names, quotes, a mark of byte order, empty lines."""
    found = table(text)

    assert np.asarray(found.values[""]).tolist() == [[1, 2], [3, 4]]
    assert found.values[""].dtype == np.float32
    assert found.labels.tolist() == [0, 1]
    assert found.labels.dtype == np.int64
    assert found.classes == ()
    assert found.broken == {}


def test_labels_of_words_are_classes(table):
    """Without names of columns too, the last may be words."""
    for text in ("a,b,label\n1,2,dog\n3,4,cat\n", "1,2,dog\n3,4,cat\n"):
        found = table(text)

        assert found.classes == ("cat", "dog")
        assert found.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "text",
    [
        'path,label\npics/1.png,cat\n"pics/ü, 2.png",dog\n',
        'label;file\ncat;pics\\1.png\ndog;"pics/ü, 2.png"\n',
        'pics/1.png,cat\n"pics/ü, 2.png",dog\n',
    ],
)
def test_pictures_lie_beside_the_table(table, tmp_path, text):
    """Paths are relative to the table's folder, also as another system writes them."""
    found = table(text, PICTURES)

    assert [path.read_bytes().decode() for path in found.paths] == ["pics/1.png", "pics/ü, 2.png"]
    assert found.labels.tolist() == [0, 1]
    assert found.classes == ("cat", "dog")
    assert found.broken == {}


def test_words_too_long_for_a_name(table):
    """A text in the first column is no path, and no number either."""
    found = table(f"{'x' * 5000},label\n1,0\n{'y' * 5000},1\n")

    assert list(found.broken) == [1]


def test_pictures_are_in_the_order_of_their_names(table):
    """Whatever the order of the rows; other columns are said."""
    found = table("path,size,label\npics/9.png,3,b\npics/10.png,3,a\npics/1.png,3,a\n", PICTURES)

    assert list(found.names) == ["pics/1.png", "pics/9.png", "pics/10.png"]
    assert found.labels.tolist() == [0, 1, 0]
    assert found.broken == {1: "there is no such file", 2: "there is no such file"}
    assert list(found.notes) == ["1 other columns are not read"]


def test_broken_rows_are_named(table):
    """By the number of their line, with what is wrong in them."""
    found = table("a,b,label\n1,2,0\n1,x,0\n1,,1\n1,2\n1,2,\n1,NaN,1\n1_0,2,1\n3,4,1\n")

    assert {found.names[at]: why for at, why in sorted(found.broken.items())} == {
        "row 3": "its 'b' is 'x', no number",
        "row 4": "its 'b' is empty",
        "row 5": "it has 2 cells for 3 columns",
        "row 6": "it has no label",
        "row 7": "its 'b' is 'NaN', no number",
        "row 8": "its 'a' is '1_0', no number",
    }
    sound = [at for at in range(len(found)) if at not in found.broken]
    assert found.labels[sound].tolist() == [0, 1]
    assert found.classes == ()


def test_targets(table):
    """One column of them, or as many as there are outputs."""
    one = table("a,b,y\n1,2,0.5\n3,4,-1\n", outputs=1, task="regression")
    two = table("1,2,0.5,7\n3,4,-1,8\n", outputs=2, task="regression")

    assert (one.labels.dtype, one.labels.tolist()) == (np.float32, [0.5, -1.0])
    assert two.labels.tolist() == [[0.5, 7], [-1, 8]]
    assert two.values[""].tolist() == [[1, 2], [3, 4]]


def test_rows_take_the_form_of_the_input(table):
    """A picture in a row is one of height, width and channels again."""
    spec = TensorSpec("x:0", dtypes.named("float32"), (None, 2, 2, 1))

    found = table("1,2,3,4,0\n5,6,7,8,1\n", spec)

    assert found.values[""][1].tolist() == [[[5], [6]], [[7], [8]]]


@pytest.mark.parametrize(
    ("text", "kind", "encoding"),
    [
        ("", DataError, "utf-8"),
        ("\n\n", DataError, "utf-8"),
        ("label\n1\n", DataError, "utf-8"),
        ("label,path\n", DataError, "utf-16"),
        ("label,path\nx,ü\n", FormatError, "latin-1"),
        ('a,label\n"1,2\n', FormatError, "utf-8"),
    ],
)
def test_what_is_no_table(table, text, kind, encoding):
    """Nothing in it, a single column, another encoding, a quote that never ends."""
    with pytest.raises((DataError, FormatError)) as caught:
        table(text, encoding=encoding)

    assert type(caught.value) is kind or encoding == "utf-16"
    assert caught.value.code == 65


def test_a_head_alone_is_no_examples(table):
    """It is the checks that refuse it."""
    assert len(table("a,b,label\n")) == 0


def test_a_large_table_stays_on_the_disk(table):
    """Rows go to a file as they are read, and come out mapped."""
    found = table("".join(f"{n},{n},{n % 2}\n" for n in range(1000)))

    assert isinstance(found.values[""], np.memmap)
    assert found.values[""][:, 0].tolist() == list(range(1000))


IDS = TensorSpec("ids:0", dtypes.named("int32"), (None, 2))


def test_whole_numbers_for_a_net_of_them(table):
    """Each is read to its last digit, in whatever way it is written."""
    found = table("a,b,label\n1,9007199254740993,0\n3.0,-4e1,1\n", IDS)

    assert found.values[""].dtype == np.int64
    assert found.values[""].tolist() == [[1, 9007199254740993], [3, -40]]
    assert found.broken == {}


def test_what_is_no_whole_number_is_named(table):
    """Halves, and what 64 bits do not hold."""
    far = "1e99999999999999999999"
    found = table(f"a,b,label\n1,2,0\n1,2.5,1\n9223372036854775808,1,0\n{far},1,0\n", IDS)

    assert {found.names[at]: why for at, why in found.broken.items()} == {
        "row 3": "its 'b' is '2.5', no whole number of 64 bits",
        "row 4": "its 'a' is '9223372036854775808', no whole number of 64 bits",
        "row 5": f"its 'a' is {far!r}, no whole number of 64 bits",
    }


def test_numbers_too_large_are_infinite(table):
    """The checks say so; numpy has nothing to add."""
    assert np.isinf(table("1,1e300,0\n3,4,1\n").values[""][0, 1])
    targets = table("1,2,1e300\n3,4,1\n", outputs=1, task="regression")
    assert np.isinf(targets.labels[0])
