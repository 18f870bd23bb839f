"""Examples of a prepared TFDS data set."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np


def reader(data: Sequence, features, names: Sequence[str]) -> Callable[..., Iterable[dict]]:
    """indices -> examples, of each the entries `names` as TFDS decodes them.

    data      TFDS's own random access
    features  of the data set

    TFDS traverses the tree of features for every example, which takes twice as long as decoding a
    small picture does. Entries that are stored as one value are decoded by their feature alone.
    """
    from tensorflow_datasets.core.data_sources.array_record import ArrayRecordDataSource
    from tensorflow_datasets.proto import tf_example_pb2

    def whole(indices):
        for example in data.__getitems__(indices):
            yield {name: np.asarray(example[name]) for name in names}

    def direct(indices):
        for record in data.data_source.__getitems__(indices):
            stored = tf_example_pb2.Example.FromString(record).features.feature
            yield {
                name: np.asarray(features[name].decode_example_np(_value(stored[name])))
                for name in names
            }

    single = all(getattr(features[n].get_serialized_info(), "shape", None) == () for n in names)
    return direct if single and isinstance(data, ArrayRecordDataSource) else whole


def _value(stored) -> bytes | int | float:
    """The one value of a feature of a tf.train.Example."""
    return getattr(stored, stored.WhichOneof("kind")).value[0]
