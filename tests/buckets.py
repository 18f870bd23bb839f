"""A bucket of Google's for tests: gs://NAME/... as files in a folder of this machine."""

import importlib.util
import os

from etils.epath import backend, gpath
from orbax.checkpoint._src.path import gcs_utils


def fake(root, monkeypatch):
    """Until the test ends, gs:// is the folder `root`, without appending, for epath and Orbax."""

    def local(path):
        text = os.fspath(path) if isinstance(path, os.PathLike) else path
        return text.replace("gs://", f"{root}/") if isinstance(text, str) else path

    class Bucket(type(backend.os_backend)):
        def __getattribute__(self, name):
            method = super().__getattribute__(name)
            return lambda *given, **named: method(*map(local, given), **named)

        def open(self, path, mode):
            assert "a" not in mode, "objects cannot grow"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return super().open(path, mode)

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: n == "gcsfs" or find_spec(n, *a))
    monkeypatch.setitem(gpath._PREFIX_TO_BACKEND, "gs", Bucket())
    monkeypatch.setattr(gpath, "_is_tf_installed", lambda: False)
    monkeypatch.setattr(gcs_utils, "is_hierarchical_namespace_enabled", lambda path: False)
    monkeypatch.setattr(
        gcs_utils, "get_kvstore_for_gcs", lambda path: {"driver": "file", "path": local(path) + "/"}
    )
