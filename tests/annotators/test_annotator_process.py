from __future__ import annotations

import os
import sys
import time
from textwrap import dedent

import pytest

from benchx.annotators import process
from benchx.annotators.process import annotate
from benchx.errors import BenchxError

SECRET = "a patient's secret"


def child(load: str, *, before: str = "") -> list[str]:
    """Start a process that serves what the body of `load` returns."""
    body = "\n".join(f"    {line}" for line in dedent(load).strip().splitlines())
    return [
        sys.executable,
        "-c",
        f"import os, sys, time, signal\nfrom benchx.annotators.serving import serve\n{before}\n"
        f"def load():\n{body}\nserve(load)",
    ]


def fails(command, texts=(SECRET,)) -> str:
    with pytest.raises(BenchxError) as stopped:
        list(annotate("some", command, texts))
    text = str(stopped.value)
    assert "secret" not in text
    assert "'some'" in text
    assert len(text.splitlines()) == 3
    return text


def test_every_text_is_answered_in_order_whatever_is_in_it():
    texts = ["", "one\ntwo\r\n", "\u2028 é 肺 \U0001fac1 \x00", '"', "word " * 5000, "last"]
    assert list(annotate("some", child("return lambda text: [text, len(text)]"), texts)) == [[t, len(t)] for t in texts]


def test_what_libraries_print_does_not_disturb_and_comes_not_through(capfd):
    load = """
    print("loading"); os.write(1, b"more\\n")
    def annotate(text):
        print(text); os.write(1, text.encode()); print(text, file=sys.stderr)
        return len(text)
    return annotate
    """
    assert list(annotate("some", child(load), [SECRET, "b"])) == [len(SECRET), 1]
    assert "".join(capfd.readouterr()) == ""


def test_the_process_is_offline_and_ends_with_the_iteration():
    answers = annotate("some", child("return lambda text: [os.getpid(), os.environ['HF_HUB_OFFLINE']]"), ["a"] * 9)
    pid, offline = next(answers)
    assert offline == "1"
    answers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_failure_to_load_is_told_by_its_message():
    text = fails(child("print('noise', file=sys.stderr); raise FileNotFoundError(2, 'no such file', 'weights.th')"))
    assert "exit code 1: FileNotFoundError: [Errno 2] no such file: 'weights.th'" in text
    told = "from benchx.errors import UsageError; raise UsageError('what', 'why', 'todo')"
    assert "exit code 1: what; why; todo" in fails(child(told))
    assert "ModuleNotFoundError: No module named 'benchx.nothing'" in fails(
        [sys.executable, "-c", "import benchx.nothing"]
    )


def test_a_failure_on_a_text_is_told_by_its_place_alone():
    text = fails(child("def annotate(text):\n    raise KeyError(text)\nreturn annotate"))
    assert "exit code 1: KeyError at <string>:" in text


def test_what_was_answered_before_a_failure_is_not_lost():
    answers = annotate("some", child("return lambda text: 1 / int(text)"), ["1", "2", "0"])
    assert [next(answers), next(answers)] == [1.0, 0.5]
    with pytest.raises(BenchxError, match="ZeroDivisionError"):
        next(answers)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "it was killed, as the system does when memory runs out"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "it ended with signal 11"),
        ("os._exit(7)", "it ended with exit code 7"),
    ],
)
def test_death_says_how(act, said):
    assert said in fails(child(f"return lambda text: {act}"))
    assert said in fails(child(f"return {act}"))


def test_a_process_that_is_stuck_is_killed(monkeypatch):
    monkeypatch.setattr(process, "TEXT_SECONDS", 0.3)
    started = time.monotonic()
    text = fails(child("return lambda text: time.sleep(600)"), ["three secret words"])
    assert "gave no answer for 0.3 s" in text
    assert "annotating a text of 3 words" in text
    assert time.monotonic() - started < 300


def test_one_that_does_not_read_is_killed_too(monkeypatch):
    monkeypatch.setattr(process, "TEXT_SECONDS", 0.3)
    deaf = [sys.executable, "-c", "import time; print('\"ready\"', flush=True); time.sleep(600)"]
    assert "gave no answer" in fails(deaf, ["secret " * 100_000])


def test_one_that_never_loads_is_killed(monkeypatch):
    monkeypatch.setattr(process, "LOADING_SECONDS", 0.3)
    assert "loading its model" in fails(child("time.sleep(600)"))


@pytest.mark.parametrize("line", ["nonsense", '"steady"', "", '{"a": '])
def test_another_voice_on_standard_output_is_an_error(line):
    assert "answered what is no annotation" in fails([sys.executable, "-c", f"print({line!r})"])


def test_an_answer_that_is_no_json_is_an_error():
    code = "import sys; print('\"ready\"', flush=True); sys.stdin.readline(); print('{secret')"
    assert "answered what is no annotation" in fails([sys.executable, "-c", code])


def test_a_half_line_is_death():
    assert "died" in fails([sys.executable, "-c", "print('\"rea', end='')"])


def test_a_long_complaint_is_cut_and_control_characters_are_escaped():
    text = fails([sys.executable, "-c", "import sys; sys.exit('x' * 5000)"])
    assert "x" * process.LONGEST_LINE in text
    assert "x" * (process.LONGEST_LINE + 1) not in text
    assert "\\x1b[31m" in fails([sys.executable, "-c", "import sys; sys.exit('\\x1b[31mred')"])


def test_a_command_that_does_not_exist_is_one_error(tmp_path):
    assert "did not start" in fails([str(tmp_path / "python")])
