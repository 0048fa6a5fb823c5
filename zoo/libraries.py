"""Operations that are not TensorFlow's own: which library has them, and since when."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """Where an operation comes from.

    Attributes
    ----------
    name
        The library.
    since
        What became of it.
    help
        What brings the operation back.
    """

    name: str
    since: str
    help: str


_NO_MORE = "TensorFlow 1.15 is the last release that can run it"
_HOMES = (
    (r"Addons>|Resampler|.*ImageProjectiveTransform|EuclideanDistanceTransform"
     r"|GatherTree$|ParseTime",
     Library("tf.contrib, then TensorFlow Addons", "gone since 2.0; Addons ended in 2024",
             _NO_MORE)),
    (r"PeriodicResample|SparseFeatureCross|BipartiteMatch|MaskedMatmul|NearestNeighbors|WALS"
     r"|Kmc2|KmeansPlusPlus|DecodeAudio$|DecodeVideo|EncodeAudio|AdjustHsvInYiq|SingleImageRandom"
     r"|TreePredictions|GrowTree|CountExtremelyRandom|Fertile|TensorForest|ReinterpretStringToFloat"
     r"|UpdateFertile|SampleInputs|ScatterAddNdim|Hinge|Sdca|PointToPolyline|HyperplaneLSH"
     r"|IgniteDataset|KafkaDataset|KinesisDataset|BigQueryReader|Bigtable|CudnnRNNParams"
     r"|VariableInputLayer|IcmpPing|UnpackPath|StatelessTreeEnsemble|Skip(G|g)ram$|NegTrain$",
     Library("tf.contrib", "gone since TensorFlow 2.0", _NO_MORE)),
    (r"Sentencepiece|Wordpiece|WhitespaceTokenize|NormalizeUTF8|CaseFoldUTF8|RegexSplit"
     r"|ConstrainedSequence|UnicodeScriptTokenize|MaxSpanningTree|NgramsStringJoin|TFText|FastWordpiece"
     r"|FastBert|RougeL|SplitMerge|MST|RoundRobin|Utf8Binarize|FastSentencepiece|ByteSplit",
     Library("TensorFlow Text", "a library of its own", "pip install tensorflow-text; import"
             " tensorflow_text before the model is loaded")),
    (r"SimpleML", Library("TensorFlow Decision Forests", "a library of its own",
                          "pip install tensorflow-decision-forests; import it first")),
    (r"IO>", Library("TensorFlow I/O", "a library of its own",
                     "pip install tensorflow-io; import it first")),
    (r"TRTEngine|CreateTRTResource|InitializeTRT|GetCalibrationData",
     Library("TensorRT", "part of TensorFlow's GPU builds until 2.18",
             "convert the SavedModel it was made of")),
    (r"Horovod", Library("Horovod", "a library of its own",
                         "pip install horovod, or cut the training part off")),
    (r"TFLite_|TfLite|Custom", Library("TensorFlow Lite", "known to its converter only",
                                       "use the model it was converted from")),
)  # fmt: skip


def home(op: str) -> Library | None:
    """Return the library that has the operation `op`, None where nobody knows."""
    return next((library for pattern, library in _HOMES if re.match(pattern, op)), None)
