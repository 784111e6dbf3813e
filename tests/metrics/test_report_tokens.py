from __future__ import annotations

import random
import tempfile

import pytest
from report_texts import iu_xray, needs_iu_xray, needs_java

from benchx.metrics.reports.java import NoJava, find_java
from benchx.metrics.reports.tokenizing import tokenize

NO_JAVA = NoJava("not wanted")


def theirs(texts):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    found = PTBTokenizer().tokenize({place: [{"caption": text}] for place, text in enumerate(texts)})
    return [found[place][0] for place in range(len(texts))]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [  # what Stanford's PTBTokenizer 3.4.1 gives
        ("The heart's size isn't enlarged.", "the heart 's size is n't enlarged"),
        ("Patients' films; cannot exclude: O'Brien", "patients films can not exclude o'brien"),
        ("A 2.5 cm nodule, 1,000 HU (5%) at 10:30.", "a 2.5 cm nodule 1,000 hu -lrb- 5 % -rrb- at 10:30"),
        ("2.5cm 5mm 2.5-cm 3 1/2 3-1/2 -5 +3 3+4", "2.5 cm 5mm 2.5-cm 3\u00a01/2 3-1/2 -5 +3 3 +4"),
        ("[x] {y} <5 >3 #3 $5", "-lsb- x -rsb- -lcb- y -rcb- < 5 > 3 # 3 $ 5"),
        ("Dr. Smith vs. e.g. t8-t9 no. 5 no. The fig. 2 l1.", "dr. smith vs. e.g. t8-t9 no. 5 no the fig. 2 l1"),
        ("w/o w/ and s/p c5/c6 ap/lateral a/b", "w/o w / and s/p c5/c6 ap/lateral a/b"),
        ("___-year-old, seen by Dr. ___. XXXX-year-old", "___ year-old seen by dr. ___ xxxx-year-old"),
        ('"quoted" “curly” ‘single’ don’t -- – — ... …', "quoted curly single do n't"),
        ("clear?! clear! clear?? one.two a-b a--b", "clear ?! clear clear ?? one.two a-b a b"),
        ("5° 5×6 ≥5 a+b a=b a&b naïve *** -----", "5 ° 5 × 6 ≥ 5 a + b a = b a & b naïve *** -----"),
        ("wo\u00adrd \u200bx", "word x"),
        ("two\nlines\r\nand\u2028more", "two lines and more"),
        ("", ""),
        (" . , - ", ""),
    ],
)
class TestExamples:
    def test_without_java(self, text, tokens):
        assert tokenize([text], NO_JAVA) == ([tokens], "ptb-python")

    @needs_java
    def test_with_java(self, text, tokens):
        assert tokenize([text], find_java()) == ([tokens], "ptb-java")


@needs_java
def test_java_gives_what_pycocoevalcap_gives():
    texts = [
        "It's 2.5 cm (AP), cf. fig. 3.",
        "no",
        "Seen on st.",
        "The next",
        "a\nb",
        "",
        "don't -- (w/o) 5%; \u00e9t\u00e9",
    ]
    assert tokenize(texts, find_java()) == (theirs([*texts, "end"])[:-1], "ptb-java")


@needs_java
@needs_iu_xray
def test_real_reports_have_the_same_tokens_everywhere():
    texts = [text for part in ("train", "val", "test") for text in iu_xray(part)]
    with_java, without = tokenize(texts, find_java())[0], tokenize(texts, NO_JAVA)[0]
    assert with_java == theirs(texts)
    assert sum(one != other for one, other in zip(with_java, without, strict=True)) <= 1  # one of 2955 holds a tag


@needs_java
def test_every_text_has_its_own_line_whatever_is_in_it():
    rng = random.Random(0)
    odd = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA1), 0x2028, 0x2029, 0xFEFF, 0xD800, 0x1F600, 0x301)]
    texts = ["".join(rng.choices([*odd, *'aB1.<>!-/" '], k=rng.randint(0, 12))) for _ in range(3000)]
    texts += ["<a", "b>", "<!-- a", "b -->", "3", "1/2", ".", ". .", "", ""]
    tokens, _ = tokenize(texts, find_java())
    assert len(tokens) == len(texts)
    assert tokens[-10] == "< a"
    assert tokens[-6:-4] == ["3", "1/2"]
    assert not any(set(text) & set("\n\r") for text in tokens)


@needs_java
def test_no_text_is_put_on_the_disk(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a temporary file")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    assert tokenize(["No effusion."], find_java())[0] == ["no effusion"]


@pytest.mark.parametrize("java", [NO_JAVA, pytest.param("java", marks=needs_java)])
def test_no_texts_and_long_texts(java):
    assert tokenize([], java)[0] == []
    assert tokenize(["word. " * 5000], java)[0] == [" ".join(["word"] * 5000)]
