from __future__ import annotations

import hashlib
import json

import pytest
import typer
from typer.testing import CliRunner

from benchx.cli.scoring import reports
from benchx.errors import BenchxError, UsageError
from benchx.metrics.reports.reading import read_pairs

TEXTS = {"a": "No pleural effusion.", "b": "The heart is normal.", "c": "Lungs are clear."}
SAID = {"a": "No effusion.", "b": "", "c": "Lungs are clear."}


@pytest.fixture
def score(monkeypatch):
    """Run the command where there is no Java; return what it prints, or raise its error."""
    monkeypatch.setenv("PATH", "")
    app = typer.Typer()
    app.command()(reports)

    def run(*arguments):
        ended = CliRunner().invoke(app, [str(one) for one in arguments])
        if isinstance(ended.exception, BenchxError):
            raise ended.exception
        assert ended.exit_code == 0, ended.output
        return ended.output

    return run


def write(folder, name, texts):
    path = folder / name
    if path.suffix == ".txt":
        content = "".join(f"{text}\n" for text in texts.values())
    elif path.suffix == ".csv":
        content = "study,id,report\r\n" + "".join(f'1,{one},"{text}"\r\n' for one, text in texts.items())
    else:
        content = "".join(json.dumps({"id": one, "report": text}) + "\n" for one, text in texts.items())
    path.write_text(content, encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("hypotheses", ["hyp.jsonl", "hyp.csv"])
@pytest.mark.parametrize("references", ["ref.jsonl", "ref.csv"])
def test_files_with_ids_are_joined_by_them(tmp_path, hypotheses, references):
    reordered = dict(reversed(SAID.items()))
    pairs = read_pairs(write(tmp_path, hypotheses, reordered), write(tmp_path, references, TEXTS))
    assert pairs.references == list(TEXTS.values())
    assert pairs.hypotheses == list(SAID.values())


def test_text_files_are_joined_by_line_and_an_empty_line_is_an_empty_report(tmp_path):
    ours = tmp_path / "hyp"
    ours.write_bytes("No effusion.\r\n\r\nLungs\u2028clear\x0c.".encode())
    pairs = read_pairs(ours, write(tmp_path, "ref.txt", TEXTS))
    assert pairs.hypotheses == ["No effusion.", "", "Lungs\u2028clear\x0c."]
    assert pairs.references == list(TEXTS.values())


def test_the_command_prints_scores_and_what_is_unavailable(tmp_path, score):
    files = write(tmp_path, "hyp.txt", SAID), write(tmp_path, "ref.txt", TEXTS)
    printed = score(*files)
    assert "3 reports, tokenizer ptb-python" in printed
    assert "unavailable: meteor (no java on the PATH)" in printed
    told = json.loads(score(*files, "--json"))
    assert (told["n"], told["tokenizer"], told["scores"]["meteor"]) == (3, "ptb-python", None)
    assert told["unavailable"] == {"meteor": "no java on the PATH"}
    assert 0 < told["scores"]["bleu_1"] < 1
    assert "effusion" not in printed


def annotations(folder, kept):
    path = folder / "annotations.json"
    path.write_text(json.dumps({hashlib.sha256(text.encode()).hexdigest(): value for text, value in kept.items()}))
    return path


def test_scorers_read_from_annotations_made_elsewhere(tmp_path, score):
    files = write(tmp_path, "hyp.jsonl", SAID), write(tmp_path, "ref.jsonl", TEXTS)
    nothing: dict = {"entities": {}}
    entity = {"tokens": "lungs", "label": "Anatomy::definitely present", "relations": []}
    graph = {"entities": {"1": entity}}
    known = {text: nothing for text in (*TEXTS.values(), *SAID.values()) if text} | {TEXTS["c"]: graph}
    model = annotations(tmp_path, known)
    told = json.loads(score(*files, "--json", "--scorer", "radgraph", "--scorer-model", model))["scores"]
    assert told["radgraph_simple"] == pytest.approx(1 / 3)
    assert told["radgraph_partial"] == pytest.approx(1 / 3)
    assert told["radgraph_complete"] == pytest.approx(1 / 3)

    model = annotations(tmp_path, {text: [1] + [0] * 13 for text in known})
    told = json.loads(score(*files, "--json", "--scorer", "chexbert", "--scorer-model", model))["scores"]
    assert told["chexbert_micro_14"] == pytest.approx(2 * 2 / (2 + 3))
    assert told["chexbert_micro_5"] == 0


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("hyp.txt", b"one line\n", "has 1 lines and"),
        ("hyp.json", b"[]", "of no form that is known"),
        ("hyp.txt", b"a\n\xff\n", "not UTF-8"),
        ("absent.txt", None, "cannot be read"),
        ("hyp.jsonl", b'{"id": "a", "report": "x"}\n', "only one of them has ids"),
    ],
)
def test_files_that_do_not_pair_are_refused(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_pairs(tmp_path / name, write(tmp_path, "ref.txt", TEXTS))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("hyp.jsonl", '{"id": "a", "report": "x"}\n\n{"id": "b", "report": null}\n', "at line 3"),
        ("hyp.jsonl", '{"id": "a", "report": "secret"\n', "it is not JSON"),
        ("hyp.jsonl", '["secret"]\n', "not an object"),
        ("hyp.jsonl", '{"id": true, "report": "x"}\n', "lacks an id"),
        ("hyp.jsonl", '{"id": "a", "report": "x"}\n{"id": "a", "report": "y"}\n', "'a' was there before"),
        ("hyp.jsonl", '{"id": "a", "report": "x"}\n', "lacks 2 of 3 ids"),
        ("hyp.csv", "name,report\na,secret\n", "lacks an id"),
        ("hyp.csv", 'id,report\na,"secret\n', "unexpected end of data"),
        ("hyp.csv", "id,report\na\n", "at line 2"),
        ("hyp.csv", "", "lacks 3 of 3 ids"),
        ("hyp.csv", "id,report\na,x\nb,x\nc,x\nd,x\n", "lacks 1 of 4 ids"),
    ],
)
def test_rows_that_do_not_read_are_named_and_not_shown(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as error:
        read_pairs(tmp_path / name, write(tmp_path, "ref.csv", TEXTS))
    assert says in str(error.value)
    assert "secret" not in str(error.value)


def test_options_that_do_not_fit_are_refused(tmp_path, score):
    files = write(tmp_path, "hyp.txt", SAID), write(tmp_path, "ref.txt", TEXTS)
    with pytest.raises(UsageError, match="without --scorer"):
        score(*files, "--scorer-model", tmp_path)
    with pytest.raises(UsageError, match="unknown scorer"):
        score(*files, "--scorer", "bleurt")
