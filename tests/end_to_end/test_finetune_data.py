"""Pictures to learn from: plain TensorFlow and `zoo run` are the oracle for each pixel."""

import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest

from zoo import dtypes, images
from zoo.entries import Preprocessing
from zoo.errors import DataError, InputError, RunError, UsageError
from zoo.specs import TensorSpec
from zoo_finetune import examples, faults, pictures
from zoo_finetune.image_headers import header
from zoo_finetune.pictures import Preparing
from zoo_finetune.recipe import Recipe

SPEC = TensorSpec("x:0", dtypes.named("float32"), (None, 8, 8, 3))
SOUNDS = TensorSpec("wav:0", dtypes.STRING, ())
SEEN = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2
"""A picture of 5 rows and 7 columns as it is to be seen."""
STORED = {
    1: SEEN, 2: SEEN[:, ::-1], 3: np.rot90(SEEN, 2), 4: SEEN[::-1],
    5: SEEN.transpose(1, 0, 2), 6: np.rot90(SEEN), 7: np.rot90(SEEN, 2).transpose(1, 0, 2),
    8: np.rot90(SEEN, -1),
}  # fmt: skip
"""The same as it is stored, by EXIF's orientation (4.6.4: 6 is turned right to be seen)."""
AS_IT_IS = Preparing((5, 7))


def exif(orientation, order="<", kind=3):
    """Return a TIFF block with another tag, and the orientation as a SHORT or a LONG."""
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0)[: 5 - kind]))
    tags = struct.pack(order + "HHII", 0x010F, 2, 1, 0)
    tags += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, 2) + tags + struct.pack(order + "I", 0)


def with_exif(jpeg, block, before=b""):
    """Return `jpeg` with an EXIF segment at its start, after the segments `before`."""
    body = b"Exif\0\0" + block
    return jpeg[:2] + before + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_with_exif(png, block):
    """Return `png` with a chunk eXIf after its header."""
    chunk = b"eXIf" + block
    made = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:33] + made + png[33:]


def bmp(pixels, palette=None):
    """Return `pixels` (height, width) or (height, width, 3 or 4) as a BMP."""
    height, width = pixels.shape[:2]
    depth = 1 if pixels.ndim == 2 else pixels.shape[2]
    order = [[0], None, [2, 1, 0], [2, 1, 0, 3]][depth - 1]
    rows = pixels.reshape(height, width, depth)[::-1, :, order]
    body = b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in rows)
    colours = b""
    if depth == 1:
        table = np.repeat(np.arange(256)[:, None], 3, 1) if palette is None else palette
        colours = b"".join(bytes([b, g, r, 0]) for r, g, b in table)
    start = 54 + len(colours)
    head = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8 * depth, 0, len(body), 0, 0, 0, 0)
    return head + info + colours + body


@pytest.fixture
def written(tmp_path):
    """Return what writes one file and gives its path."""

    def write(name, data):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(data))
        return path

    return write


def decoded(paths, preparing=AS_IT_IS, **options):
    """Return the pictures at `paths` as one array."""
    return np.stack(list(pictures.dataset(paths, preparing, **options).as_numpy_iterator()))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_is_turned_upright(tf, written, orientation):
    """Without loss, so that each pixel is where it is to be seen."""
    png = tf.io.encode_png(STORED[orientation]).numpy()

    path = written("a.png", png_with_exif(png, exif(orientation)))

    assert np.array_equal(decoded([path])[0], SEEN)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("order", "kind"), [("<", 3), (">", 3), ("<", 4), (">", 4)])
def test_a_jpeg_is_turned_upright(tf, written, orientation, order, kind):
    """As cameras store it: in either order of bytes, after another segment."""
    jpeg = tf.io.encode_jpeg(STORED[orientation], quality=100).numpy()
    remark = b"Exif\0\0" + exif(3)
    comment = b"\xff\xfe" + struct.pack(">H", len(remark) + 2) + remark

    path = written("a.jpg", with_exif(jpeg, exif(orientation, order, kind), comment))

    upright = {
        2: lambda x: x[:, ::-1], 3: lambda x: np.rot90(x, 2), 4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2), 6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).transpose(1, 0, 2), 8: np.rot90,
    }.get(orientation, lambda x: x)  # fmt: skip
    assert np.array_equal(decoded([path])[0], upright(tf.io.decode_jpeg(jpeg).numpy()))


def test_turned_and_upright_ones_together(tf, written):
    """Each is turned by its own tag; a tag that means nothing turns nothing."""
    pngs = {n: tf.io.encode_png(STORED[n]).numpy() for n in STORED}
    paths = [written(f"{n}.png", png_with_exif(pngs[n], exif(n))) for n in STORED]
    paths.append(written("none.png", pngs[1]))
    paths.append(written("odd.png", png_with_exif(pngs[1], exif(9))))

    assert all(np.array_equal(found, SEEN) for found in decoded(paths))


def test_a_damaged_head_is_no_error(tf):
    """Cut off or flipped anywhere, it says at worst that it is upright."""
    whole = with_exif(tf.io.encode_jpeg(SEEN).numpy(), exif(6))[:80]
    assert header(whole).orientation == 6

    for at in range(len(whole)):
        header(whole[:at])
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            assert 1 <= header(bytes(flipped)).orientation <= 8


HOW = [
    {"size": [8, 8]},
    {"size": [8, 6], "resize": "crop", "channels": "bgr", "mean": [103.9, 116.8, 123.7]},
    {"size": [5, 11], "resize": "crop", "channels": "gray", "scale": 1 / 255},
    {"size": [224, 224], "resize": "crop", "mean": [127.5], "scale": 1 / 127.5},
]


@pytest.mark.parametrize("how", HOW, ids=str)
def test_pictures_are_those_of_zoo_run(tf, fixtures, how):
    """Bit for bit, for photos of many sizes, whatever the registry says."""
    preprocessing = Preprocessing(**how)
    depth = 1 if how.get("channels") == "gray" else 3
    spec = TensorSpec("x:0", dtypes.named("float32"), (None, *how["size"], depth))
    paths = sorted((fixtures / "images").glob("*.jpg"))

    found = decoded(paths, Preparing.of(preprocessing, spec))

    assert found.dtype == np.float32
    for path, pixels in zip(paths, found, strict=True):
        assert np.array_equal(pixels, images.prepared(path, preprocessing, spec)[0])


def test_the_order_is_that_of_the_paths(tf, written):
    """However many are decoded at a time."""
    paths = []
    for number in range(200):
        shape = (3 + 97 * (number % 3 == 0), 4, 3)
        paths.append(
            written(f"{number}.png", tf.io.encode_png(np.full(shape, number, "u1")).numpy())
        )

    for parallel in (True, False):
        found = decoded(paths, Preparing((1, 1)), parallel=parallel)
        assert found[:, 0, 0, 0].tolist() == list(range(200))


@pytest.mark.parametrize("channels", ["rgb", "gray"])
def test_every_kind_of_file(tf, written, channels):
    """Gray, coloured and transparent ones, each told by its bytes and not by its suffix."""
    gray = SEEN[..., :1]
    alpha = np.concatenate([SEEN, np.full((5, 7, 1), 9, np.uint8)], -1)
    deep = tf.io.encode_png(SEEN.astype(np.uint16) * 257).numpy()
    encode = tf.io.encode_png
    files = {
        "rgb.png": (encode(SEEN).numpy(), SEEN), "gray.PNG": (encode(gray).numpy(), gray),
        "alpha.png": (encode(alpha).numpy(), SEEN), "deep.png": (deep, SEEN),
        "colours.bmp": (bmp(SEEN), SEEN), "alpha.bmp": (bmp(alpha), SEEN),
        "gray.bmp": (bmp(gray[..., 0]), gray), "a.jpg": (bmp(SEEN), SEEN),
        "b.gif": (encode(SEEN).numpy(), SEEN),
    }  # fmt: skip
    paths = [written(name, data) for name, (data, _) in files.items()]

    found = decoded(paths, Preparing((5, 7), channels=channels))

    for pixels, (name, (_, wanted)) in zip(found, files.items(), strict=True):
        if channels == "rgb":
            assert np.array_equal(pixels, np.broadcast_to(wanted, (5, 7, 3))), name
        else:
            gray_of = wanted if wanted.shape[-1] == 1 else wanted @ [[0.299], [0.587], [0.114]]
            assert np.abs(pixels - gray_of).max() <= 1, name


GIF = (  # 2 x 1: red and blue; then a second frame, green
    b"GIF89a\x02\x00\x01\x00\x91\x00\x00\xff\x00\x00\x00\x00\xff\x00\xff\x00\x00\x00\x00"
    b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    b"!\xf9\x04\x00\x0a\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x02\x44\x0a\x00"
    b"!\xf9\x04\x00\x0a\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x02\x94\x0a\x00;"
)


def test_a_gif_is_its_first_frame(tf, written):
    """Of an animation nothing else is learned."""
    path = written("a.gif", GIF)
    first = tf.io.decode_gif(GIF).numpy()[0]

    assert np.array_equal(decoded([path], Preparing((1, 2)))[0], first)
    assert decoded([path], Preparing((1, 2), channels="gray")).shape == (1, 1, 2, 1)


def test_names_as_people_give_them(tf, written):
    """Spaces, letters of other scripts, brackets."""
    png = tf.io.encode_png(SEEN).numpy()
    paths = [written(name, png) for name in ("a b/ü 日本.png", "[1]*?.png", "100%.png")]

    assert len(decoded(paths)) == 3


def spec(*shape, dtype="float32"):
    """Return the spec of an input of `shape`."""
    return TensorSpec("x:0", dtypes.named(dtype), shape)


def test_without_a_word_the_shape_says_it():
    """Size and channels; the values are an assumption, which is said."""
    found = Preparing.of(None, spec(None, 8, 6, 3))
    assert (found.size, found.channels, found.scale) == ((8, 6), "rgb", 1 / 255)
    assert "0 to 1" in found.assumed

    assert Preparing.of(None, spec(None, 8, 6, 1)).channels == "gray"
    assert Preparing.of(None, spec(None, 8, 6, 3, dtype="uint8")).scale == 1.0
    assert Preparing.of(None, spec(None, 3, 8, 6)).channels_first
    assert Preparing.of(Preprocessing(size=[8, 6]), spec(None, 8, 6, 3)).assumed == ""


@pytest.mark.parametrize("shape", [(None, 64), (None, None, None, 3), (None, 8, 8, 2), (8, 8, 1)])
def test_a_shape_that_says_nothing(shape):
    """Open sizes, rows of numbers, channels of another kind."""
    with pytest.raises(InputError) as caught:
        Preparing.of(None, spec(*shape))
    assert "preprocessing" in caught.value.hint


def test_a_registry_that_contradicts_the_graph():
    """It is said before training starts."""
    with pytest.raises(UsageError):
        Preparing.of(Preprocessing(size=[224, 224]), spec(None, 299, 299, 3))


def test_other_forms_of_an_input(tf, written):
    """Channels first, and all pixels in a row."""
    path = written("a.png", tf.io.encode_png(SEEN).numpy())
    how = Preprocessing(size=[5, 7])

    first = decoded([path], Preparing.of(how, spec(None, 3, 5, 7)))[0]
    flat = decoded([path], Preparing.of(how, spec(None, 105)))[0]

    assert np.array_equal(first, SEEN.transpose(2, 0, 1))
    assert np.array_equal(flat, SEEN.reshape(-1))


@pytest.fixture
def folder(tf, written):
    """Return a folder of two classes with three pictures each, of which others are broken."""
    png, jpeg = tf.io.encode_png(SEEN).numpy(), tf.io.encode_jpeg(SEEN).numpy()
    for number in range(3):
        pixels = SEEN + np.uint8(number)
        written(f"data/a/{number}.png", tf.io.encode_png(pixels).numpy())
        written(f"data/b/{number}.jpg", tf.io.encode_jpeg(pixels + 9).numpy())
    written("data/a/cut.png", png[: len(png) // 2])
    written("data/a/cut.jpg", jpeg[: len(jpeg) // 2])
    written("data/a/begun.png", png[:5])
    written("data/a/empty.png", b"")
    written("data/b/page.jpg", b"<!DOCTYPE html><html><body>404</body></html>")
    written("data/b/palette.bmp", bmp(SEEN[..., 0], np.arange(768).reshape(256, 3)[::-1] % 256))
    return written("data/b/zeros.png", bytes(100)).parents[1]


def judged(path, recipe=None, what=SPEC, **options):
    """Return what the checks say of the pictures at `path`."""
    recipe = recipe or Recipe(2)
    preparing = None if what is SOUNDS else Preparing.of(None, what)
    return faults.check(examples.read(path, recipe, what), recipe, what, preparing, **options)


def test_broken_pictures_are_all_found(folder):
    """Cut off, empty, a web page, a palette: each by its name, with what it is."""
    with pytest.raises(DataError) as caught:
        judged(folder)

    found = caught.value.found
    assert found.startswith("broken (7):")
    lines = dict(line.strip().split(": ", 1) for line in found.splitlines()[1:])
    assert sorted(lines) == [
        "a/begun.png", "a/cut.jpg", "a/cut.png", "a/empty.png", "b/page.jpg", "b/palette.bmp",
        "b/zeros.png",
    ]  # fmt: skip
    assert lines["a/begun.png"] == "it is damaged"
    assert lines["a/empty.png"] == "it is empty"
    assert lines["a/cut.jpg"] == "jpeg::Uncompress failed. Invalid JPEG data or crop window."
    assert "HTML" in lines["b/page.jpg"] or "page" in lines["b/page.jpg"]
    assert "palette" in lines["b/palette.bmp"]
    assert "--skip-broken" in caught.value.hint


def test_nothing_is_written_while_pictures_are_read(folder):
    """TensorFlow's tracing has nothing to remark, least of all on the environment."""
    program = f"""
import pathlib
from zoo_finetune import pictures
paths = sorted(pathlib.Path({str(folder)!r}).glob("*/[012].*"))
how = pictures.Preparing((5, 7), resize="crop")
assert len(list(pictures.dataset(paths, how))) == 6
assert pictures.undecodable(paths, how) == {{}}
"""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "SECRET": "is not told"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=quiet
    )

    assert done.returncode == 0, done.stderr
    assert "AutoGraph" not in done.stderr
    assert "is not told" not in done.stderr


def test_broken_pictures_are_left_out_on_demand(folder):
    """The others are what they are without them."""
    found, notes = judged(folder, Recipe(2, skip_broken=True))

    assert list(found.names) == [f"a/{n}.png" for n in range(3)] + [f"b/{n}.jpg" for n in range(3)]
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert any(note.startswith("7 broken examples left out") for note in notes)
    assert any("0 to 1" in note for note in notes)
    assert len(decoded(found.paths)) == 6
    for name in (
        "a/begun.png",
        "a/cut.jpg",
        "a/cut.png",
        "a/empty.png",
        "b/page.jpg",
        "b/palette.bmp",
    ):
        (folder / name).unlink()
    (folder / "b/zeros.png").unlink()
    assert judged(folder)[0].digest == found.digest


def test_what_a_table_names_is_judged_too(folder, written):
    """A picture that is not there is broken like one that cannot be decoded."""
    path = written(
        "data/t.csv", b"path,label\na/0.png,x\na/1.png,x\nb/0.jpg,y\nb/1.jpg,y\nb/7.jpg,y"
    )

    with pytest.raises(DataError) as caught:
        judged(path)

    assert caught.value.found.split("\n")[1].strip() == "b/7.jpg: there is no such file"
    assert len(judged(path, Recipe(2, skip_broken=True))[0]) == 4


def test_bytes_of_files_for_a_net_of_text(tf, written):
    """They come as they are, and nobody tries to decode them."""
    for name in ("yes/1.wav", "yes/2.wav", "no/1.wav", "no/2.wav"):
        written(f"data/{name}", b"RIFF\0" + name.encode())
    root = written("data/no/2.wav", b"RIFF\0").parents[1]

    found, _ = judged(root, what=SOUNDS)

    assert list(pictures.raw(found.paths).as_numpy_iterator()) == [
        path.read_bytes() for path in found.paths
    ]
    written("data/yes/3.wav", b"")
    with pytest.raises(DataError):
        judged(root, what=SOUNDS)


def test_no_pictures_at_all(tf):
    """An empty list is an empty dataset."""
    assert list(pictures.dataset([], AS_IT_IS)) == []
    assert list(pictures.raw([])) == []


X = np.arange(60, dtype=np.float32).reshape(10, 3, 2)
Y = np.arange(10) % 2


@pytest.mark.parametrize("batch", [None, 1, 4, 10])
@pytest.mark.parametrize("shape", [(None, 3, 2), None])
def test_a_dataset_is_read_once(tf, batch, shape):
    """Element by element or in batches, the last one short."""
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    what = TensorSpec("x:0", dtypes.named("float32"), shape)

    found = examples.read(data if batch is None else data.batch(batch), Recipe(2), what)

    assert np.array_equal(found.values[""], X)
    assert found.labels.tolist() == Y.tolist()
    assert found.digest == examples.read((X, Y), Recipe(2), what).digest


def test_a_dataset_of_several_inputs(tf):
    """By name; with labels of words, and targets of several numbers."""
    data = tf.data.Dataset.from_tensor_slices(({"a": X, "y": Y}, X[:, 0]))
    specs = {"a": spec(None, 3, 2), "y": spec(None, dtype="int64")}

    found = examples.read(data.batch(3), Recipe(2, task="regression"), specs)

    assert np.array_equal(found.values["a"], X)
    assert found.values["y"].tolist() == Y.tolist()
    assert found.labels.tolist() == X[:, 0].tolist()
    words = tf.data.Dataset.from_tensor_slices((X, np.array(["no", "yes"])[Y]))
    assert examples.read(words, Recipe(2), spec(None, 3, 2)).classes == ("no", "yes")


def test_datasets_that_cannot_be_learned_from(tf):
    """Endless, without labels, of unequal shapes, empty, of another rank."""
    data = tf.data.Dataset.from_tensor_slices((X, Y))
    ragged = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((n + 1, 2), np.float32), n) for n in range(2)),
        output_signature=(tf.TensorSpec((None, 2)), tf.TensorSpec((), tf.int32)),
    )
    what = spec(None, 3, 2)

    for wrong, kind in (
        (data.repeat(), UsageError), (data.map(lambda x, y: x), UsageError), (ragged, DataError),
        (data.take(0), DataError), (data.batch(2).batch(2), DataError),
        (data.map(lambda x, y: (x, y, 1.0)), UsageError),
        (data.map(lambda x, y: (x, {"a": y})), UsageError),
        (data.map(lambda x, y: ((x, x), y)), UsageError),
    ):  # fmt: skip
        with pytest.raises(kind):
            examples.read(wrong, Recipe(2), what)


@pytest.mark.parametrize("batch", [None, 4])
def test_a_dataset_that_does_not_know_its_shapes(tf, batch):
    """What it gives has one, by which an example is told from a batch."""
    batches = [(X[at : at + 4], Y[at : at + 4]) for at in (0, 4, 8)]
    given = [*zip(X, Y, strict=True)] if batch is None else batches
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        data = tf.data.Dataset.from_generator(lambda: iter(given), (tf.float32, tf.int64))

    found = examples.read(data, Recipe(2), spec(None, 3, 2))

    assert np.array_equal(found.values[""], X)
    assert found.labels.tolist() == Y.tolist()
    numbers = tf.data.Dataset.from_generator(lambda: iter([([1.0], 0), (2.0, 1)]),
                                             (tf.float32, tf.int64))  # fmt: skip
    with pytest.raises(DataError):
        examples.read(numbers, Recipe(2), spec(None, 1))


def test_a_dataset_that_fails(tf):
    """What its generator raised is told, and not where TensorFlow noticed."""

    def given():
        yield X[0], Y[0]
        raise ValueError("the tape is torn")

    signature = (tf.TensorSpec((3, 2)), tf.TensorSpec((), tf.int64))
    data = tf.data.Dataset.from_generator(given, output_signature=signature)

    with pytest.raises(RunError, match="failed while it was read") as caught:
        examples.read(data, Recipe(2), spec(None, 3, 2))

    assert caught.value.found == "ValueError: the tape is torn"
