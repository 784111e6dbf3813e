"""Errors as text: three lines, whatever the names in them hold."""

from __future__ import annotations

import pickle

from benchx.errors import BenchxError, CheckpointError


def test_control_characters_are_escaped_and_others_kept():
    error = CheckpointError("a\n\x1b[31mb\u2028", "wäre 中 C:\\new", "x\ty")
    assert str(error) == "a\\n\\x1b[31mb\\u2028\nwhy: wäre 中 C:\\new\ndo:  x\\ty"
    assert error.what == "a\\n\\x1b[31mb\\u2028"


def test_an_error_is_the_same_after_pickling():
    error = pickle.loads(pickle.dumps(BenchxError("a\nb", "why")))
    assert str(error) == "a\\nb\nwhy: why"
