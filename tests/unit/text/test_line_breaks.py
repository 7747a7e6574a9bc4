"""Line breaks that a width made are blanks; those that someone meant are kept."""

import textwrap

import pytest

from claimkind.text.line_breaks import join_hard_wraps

PROSE = (
    "The committee reviewed the report on Monday and may approve the budget before the end of the year. Members of the "
    "board, who met twice, called the plan a disgrace. Nobody from the council was there, although Mr. Smith had been "
    "asked to come and to bring the figures of the last three years with him."
)
SENTENCES = (
    "The council of Arden met on Monday.\nIt may meet again next week, if the mayor agrees.\nThat would be a shame!\n"
    "Nobody has asked the people who live there what they think of it.\n"
)
LIST = "apples and pears\nplums\ntwo pounds of butter\nflour\nsalt\n"
POEM = "The sun went down\nBehind the hill\nAnd all the town\nStood dark and still\n"
HEADLINES = (
    "Council approves the budget for 2024\nMayor calls for new vote on bridge\nThree held after the fire in Arden\n"
)
TITLE = "Council approves budget for the next year\nThe council approved the budget on Monday after a long debate.\n"
TABLE = "| name | value of the thing |\n|------|------|\n| a | 1 |\n| b | 2 |\n"
PARAGRAPHS = "\n".join([PROSE, PROSE, PROSE])


@pytest.mark.parametrize("width", [40, 60, 72, 78, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_prose_that_was_cut_at_a_width_is_joined(width, end):
    wrapped = end.join(textwrap.wrap(PROSE, width))
    joined = join_hard_wraps(wrapped, "auto")
    assert joined.split() == PROSE.split()
    assert "\n" not in joined
    assert len(joined) == len(wrapped), "offsets moved"


def test_paragraphs_of_hard_wrapped_prose_stay_apart():
    wrapped = "\n\n".join(["\n".join(textwrap.wrap(PROSE, 60))] * 2)
    assert join_hard_wraps(wrapped, "auto") == "\n\n".join([PROSE, PROSE])


@pytest.mark.parametrize(
    "text", [SENTENCES, LIST, POEM, HEADLINES, TITLE, TABLE, PARAGRAPHS, "", "\n\n", "One line.", "A title\n\nText."]
)
def test_line_breaks_that_were_meant_are_kept(text):
    assert join_hard_wraps(text, "auto") == text


def test_marks_of_markdown_begin_a_line_of_their_own():
    wrapped = "\n".join(textwrap.wrap(PROSE, 60))
    text = f"# A heading\n{wrapped}\n- an item that is long enough to be\n- another item of the list\n> a quotation\n"
    lines = join_hard_wraps(text, "auto").splitlines()
    assert lines[:2] == ["# A heading", PROSE]
    assert lines[2:] == ["- an item that is long enough to be", "- another item of the list", "> a quotation"]


def test_a_short_line_before_a_capital_is_not_joined():
    wrapped = "\n".join(textwrap.wrap(PROSE, 60))
    assert join_hard_wraps(f"By Jane Doe\n{wrapped}", "auto").splitlines() == ["By Jane Doe", PROSE]


def test_all_or_none_on_request():
    assert join_hard_wraps(SENTENCES, "join").count("\n") == 1
    wrapped = "\n".join(textwrap.wrap(PROSE, 60))
    assert join_hard_wraps(wrapped, "keep") == wrapped


def test_lines_that_a_mail_quotes_are_joined_with_lines_of_the_same_depth():
    inner = textwrap.wrap(PROSE, 60)
    quoted = "\n".join([*(f"> {line}" for line in inner), *(f"> > {line}" for line in inner)])
    lines = join_hard_wraps(quoted, "auto").splitlines()
    assert [line.lstrip("> ").split() for line in lines] == [PROSE.split(), PROSE.split()]
