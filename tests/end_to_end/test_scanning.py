"""What TensorFlow and Keras write is scanned: what is innocent is let be, and all else is found."""

import shutil

import pytest

import zoo
from zoo import op_levels

LOOKED_AT = {
    "dl4j-keras-lambda-h5": ("findings", {"Lambda"}),
    "dl4j-pbtxt-controlflow/max_graph.pb.txt": ("unknown", set()),
    "dl4j-pbtxt-controlflow/max_log_reg.pb.txt": ("unknown", set()),
    "hostile-modelaudit-samples/archives/path_traversal.zip": (
        "findings", {"archive member", "pickle"},
    ),
    "hostile-modelaudit-samples/keras/malicious_lambda.h5": ("findings", {"Lambda"}),
    "hostile-modelaudit-samples/tensorflow/malicious_pyfunc": ("findings", {"PyFunc"}),
    "made-here-gaps/pyfunc_meta": ("findings", {"PyFunc"}),
    "mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.tflite": ("unknown", set()),
    "tfnet-meta-inceptionv3": ("findings", {"RestoreV2"}),
}  # fmt: skip
"""The models of others that are not innocent: they run Python code or another program, name files
of somebody's machine (the checkpoint of a hub module that InceptionV3 begins with), lead out of
their folder, or nobody can read them.  Innocent are all others: they compute, save and restore
where they are told, and read no files but their own."""
NO_MODELS = {"images", "dl4j-suite", "hostile-modelaudit-samples"}
BESIDE = {".tflite", ".npz", ".json"}


def ops(document):
    return {one["op"] for one in document["findings"]}


@pytest.mark.parametrize("path", sorted(LOOKED_AT))
def test_what_is_not_innocent_is_found(fixtures, path):
    """Each with the operations that matter."""
    if not (fixtures / path).exists():
        pytest.skip(f"{path} is not among the models of others")
    document = zoo.scan(fixtures / path)

    assert (document["verdict"], ops(document)) == LOOKED_AT[path]


def test_no_innocent_model_of_others_is_flagged(fixtures, tmp_path):
    """Each file and folder of all fixtures; what is known not to be innocent is left out."""
    for folder in sorted(one for one in fixtures.iterdir() if one.is_dir()):
        if folder.name in NO_MODELS or folder.name in LOOKED_AT:
            continue
        room = tmp_path / folder.name
        ignored = [path.partition("/")[2].partition("/")[0] for path in LOOKED_AT
                   if path.startswith(f"{folder.name}/")]  # fmt: skip
        shutil.copytree(folder, room, ignore=shutil.ignore_patterns(*ignored))
        document = zoo.scan(room)
        assert document["verdict"] == "clean", (folder.name, document)
        shutil.rmtree(room)


def test_the_graphs_of_a_whole_suite_are_clean(fixtures):
    """693 frozen graphs over 200 types of operations."""
    if not (fixtures / "dl4j-suite").is_dir():
        pytest.skip("the suite is not among the models of others")
    document = zoo.scan(fixtures / "dl4j-suite")

    assert (document["verdict"], document["findings"]) == ("clean", [])
    assert sum(document["levels"].values()) > 10_000


def test_each_operation_of_the_installed_release_was_judged(tf):
    """A new release of TensorFlow needs a decision for each operation that it adds."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    registered = op_def_pb2.OpList.FromString(buffer).op
    table = op_levels.table()

    assert {op.name for op in registered} == set(table)
    for op in registered:
        said = op_levels.judgement(op.name)
        if said is not None:
            assert all(number < len(op.input_arg) for number in said.inputs), op.name
            assert not said.attribute or said.attribute in {attr.name for attr in op.attr}


@pytest.fixture(scope="module")
def exported(tf, tmp_path_factory):
    """Return what exports a function of TensorFlow 2 as a SavedModel."""

    def export(function, *, spec=None, **kept):
        module = tf.Module()
        for name, value in kept.items():
            setattr(module, name, value)
        spec = tf.TensorSpec([], tf.string) if spec is None else spec
        module.run = tf.function(function, input_signature=[spec])
        path = tmp_path_factory.mktemp("exported") / "model"
        tf.saved_model.save(module, str(path), signatures=module.run)
        return path

    return export


def _hostile(tf):
    """Return functions that do harm where they run; tracing them does none."""

    def after(value, x):
        with tf.control_dependencies([value] if value is not None else []):
            return {"y": tf.identity(x)}

    def summed(dataset, x):
        return after(dataset.reduce(tf.constant(0, tf.int64), lambda n, _: n + 1), x)

    def printed(x):
        tf.print(x, output_stream="file:///nets/printed")
        return {"y": x}

    def in_a_branch(x):
        written = tf.cond(tf.equal(x, "a"), lambda: _written(tf, x), lambda: tf.constant(0))
        return {"y": x, "n": written}

    def in_a_loop(x):
        return {"y": tf.while_loop(lambda n: n < 3, lambda n: [n + _written(tf, x)], [0])[0]}

    def logged(x):
        writer = tf.raw_ops.SummaryWriter()
        made = tf.raw_ops.CreateSummaryFileWriter(
            writer=writer, logdir="/nets", max_queue=1, flush_millis=1, filename_suffix=""
        )
        return after(made, x)

    data, raw = tf.data.Dataset, tf.raw_ops
    return {
        "WriteFile": lambda x: after(tf.io.write_file("/nets/x", x), x),
        "ReadFile": lambda x: {"y": tf.io.read_file(x)},
        "MatchingFiles": lambda x: {"y": tf.io.matching_files("/etc/*")},
        "PrintV2": printed,
        "EagerPyFunc": lambda x: {"y": tf.py_function(lambda v: v, [x], tf.string)},
        "PyFunc": lambda x: {"y": tf.numpy_function(lambda v: v, [x], tf.string)},
        "SaveV2": lambda x: after(raw.SaveV2(prefix=x, tensor_names=["a"], shape_and_slices=[""],
                                             tensors=[x]), x),
        "RestoreV2": lambda x: {"y": raw.RestoreV2(prefix="/nets/x", tensor_names=["a"],
                                                   shape_and_slices=[""], dtypes=[tf.string])[0]},
        "TextLineDataset": lambda x: summed(data.from_tensors(x).flat_map(
            tf.data.TextLineDataset), x),
        "TFRecordDataset": lambda x: summed(tf.data.TFRecordDataset("/nets/x"), x),
        "FixedLengthRecordDatasetV2": lambda x: summed(
            tf.data.FixedLengthRecordDataset("/nets/x", 4), x),
        "CacheDatasetV2": lambda x: summed(data.range(3).cache("/nets/x"), x),
        "SaveDataset": lambda x: after(data.range(3).save("/nets/x"), x),
        "DebugIdentityV2": lambda x: {"y": raw.DebugIdentityV2(
            input=x, debug_urls=["file:///nets/x"])},
        "CreateSummaryFileWriter": logged,
        "ImmutableConst": lambda x: {"y": raw.ImmutableConst(
            dtype=tf.float32, shape=[2], memory_region_name="/etc/passwd")},
        "in a branch": in_a_branch,
        "in a loop": in_a_loop,
    }  # fmt: skip


def _written(tf, x):
    with tf.control_dependencies([tf.io.write_file("/nets/x", x)]):
        return tf.constant(1)


NAMES = (
    "WriteFile", "ReadFile", "MatchingFiles", "PrintV2", "EagerPyFunc", "PyFunc", "SaveV2",
    "RestoreV2", "TextLineDataset", "TFRecordDataset", "FixedLengthRecordDatasetV2",
    "CacheDatasetV2", "SaveDataset", "DebugIdentityV2", "CreateSummaryFileWriter", "ImmutableConst",
    "in a branch", "in a loop",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_m01_what_tensorflow_exports_is_found(tf, exported, name):
    """As its own tracing writes it: functions in functions, arguments of calls."""
    document = zoo.scan(exported(_hostile(tf)[name]))

    assert document["verdict"] == "findings"
    wanted = name if name in op_levels.table() else "WriteFile"
    assert wanted in ops(document)
    assert all(one["path"] for one in document["findings"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_what_keras_and_tensorflow_export_is_innocent(tf, exported, tmp_path):
    """Vocabularies in the graph and as assets, tables, loops, strings, a net with an optimizer."""
    import keras

    (tmp_path / "words.txt").write_text("a\nb\n")
    words = keras.layers.StringLookup(vocabulary=["a", "b"])
    given = keras.Input((1,), dtype="string")
    keras.Model(given, words(given)).export(str(tmp_path / "lookup"), verbose=False)
    net = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(2), keras.layers.Dense(2)])
    net.compile("adam", "mse")
    net.optimizer.build(net.trainable_variables)
    net.export(str(tmp_path / "net"), verbose=False)
    net.save(tmp_path / "net.keras")
    asset = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    lines = tf.lookup.TextFileIndex
    filled = tf.lookup.TextFileInitializer(
        asset, tf.string, lines.WHOLE_LINE, tf.int64, lines.LINE_NUMBER
    )
    table = tf.lookup.StaticHashTable(filled, -1)
    looked_up = exported(lambda x: {"y": table.lookup(x)}, asset=asset, table=table)
    mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    counted = exported(lambda x: {"y": mutable.lookup(x)}, table=mutable)
    printed = exported(lambda x: {"y": [tf.print(x), x][1]})

    for path in (tmp_path / "lookup", tmp_path / "net", tmp_path / "net.keras", looked_up, counted,
                 printed):  # fmt: skip
        document = zoo.scan(path)
        assert document["verdict"] == "clean", document
    assert zoo.scan(looked_up)["levels"]["assets"] == 1


def test_a_saver_of_tensorflow_1_is_innocent_and_readers_are_not(tf, tmp_path):
    """Graphs of several savers, sharded; a pipeline of files reads them where it runs."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("v", [2], use_resource=False)
        saver = v1.train.Saver()
        v1.train.Saver(sharded=True)
        session.run(v1.global_variables_initializer())
        saver.save(session, str(tmp_path / "model"))
    with tf.Graph().as_default():
        queue = v1.train.string_input_producer(["/data/a.tfrecords"])
        v1.TFRecordReader().read(queue)
        v1.train.export_meta_graph(str(tmp_path / "readers.meta"))

    assert zoo.scan(tmp_path / "model")["verdict"] == "clean"
    assert ops(zoo.scan(tmp_path / "readers.meta")) == {"TFRecordReaderV2"}


@pytest.mark.parametrize("name", ["vgg16", "vgg-digits", "toy-adder"])
def test_architectures_are_innocent(name):
    """What the bundled plugins build."""
    from zoo import plugins, scanning

    built = plugins.architecture_named(plugins.installed(), name).build()
    assert scanning.scan(built.meta_graph) == ()
