from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from benchx.reporting.templating import environment


def filled(tmp_path, template: str, **values: object) -> str:
    (tmp_path / "one.j2").write_text(template)
    return environment(tmp_path).get_template("one.j2").render(**values)


def test_texts_are_escaped_and_stay_on_one_line_but_what_is_markup_stays(tmp_path):
    text = "<b>a\u2028b\x1b[31m 10 %"
    assert filled(tmp_path, "{{ text }}", text=text) == "&lt;b&gt;a\\u2028b\\x1b[31m 10\xa0%"
    assert filled(tmp_path, "{{ text }}", text=Markup(text)) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ -0.0001|number }}", "0.000"),
        ("{{ 0.25|number(digits=1, signed=True) }}", "+0.2"),
        ("{{ -0.0001|interval(-0.02, 0.01) }}", "0.000 [-0.020, 0.010]"),
        ("{{ 0.0001|p_value }}", "p &lt; 0.001"),
        ("{{ share|percent }}", "1\xa0%"),
        ("{{ ('a' * 64)|digest_start }}", "a" * 12),
        ("{{ 1|plural('column') }}, {{ 2|plural('column') }}", "1 column, 2 columns"),
    ],
)
def test_numbers_have_the_forms_of_all_reports(tmp_path, template, text):
    assert filled(tmp_path, template, share=0.01) == text


def test_a_name_without_a_value_is_an_error(tmp_path):
    with pytest.raises(UndefinedError, match="nothing"):
        filled(tmp_path, "{{ nothing }}")
