"""Blocks of Markdown, HTML and plain text: kinds, plain text, and places in the source."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimkind.text.blocks import KINDS
from claimkind.text.html import parse_html
from claimkind.text.markdown import parse_markdown
from claimkind.text.plain import parse_plain
from claimkind.text.shapes import is_boilerplate, is_whole_sentence, labelled_passages

PARSERS = [parse_plain, parse_markdown, parse_html]
PIECES = st.sampled_from(
    [
        "It may rain. ", "Sun", "é", "🎉", "&amp;", "&#8217;", "&bogus", "<p>", "</p>", "<td>", "<table>", "</table>",
        "<li>",
        "<ul>", "</ul>", "<b>", "</b>", '<a href="x y">', "</a>", "<br>", "<sup>", "</sup>", "<nav>", "</nav>",
        "<!--", "-->",
        "<script>", "</script>", '<img alt="a &amp; b">', "<", ">", "\n", "\n\n", "\r\n", "    ", "# ", "- ", "1. ",
        "> ", "|",
        "|---|", "`", "```", "**", "*", "_", "[^1]", "[^1]: ", "[a](b)", "![c](d)", "\\", "~~", "---", "\t", "\x00",
        "\u2028",
    ]
)  # fmt: skip


def kinds_of(text, parse=parse_plain):
    return [(passage.kind, passage.text) for passage in labelled_passages(parse(text))]


@pytest.mark.parametrize("parse", PARSERS)
@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_passages_within_it(parse, text):
    for passage in labelled_passages(parse(text)):
        assert passage.kind in KINDS
        assert passage.text.strip()
        assert 0 <= passage.start < passage.end <= len(text)
        if parse is parse_plain:  # in which a line break, with the marks of a quotation, may be a blank
            source = text[passage.start : passage.end]
            assert re.sub(r"[\s>]+", "", source) == re.sub(r"[\s>]+", "", passage.text)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "piece",
    [
        "<p>It may rain. ", "<b>", "<ul><li>", "- ", "> ", "[", "**a ", "<table><tr><td>", "&amp;", "*",
        "<a ", "<a b='", "<a b='>' ", "</a ", "<!--", "<?", "<![CDATA[", '"',
    ],
)  # fmt: skip
def test_time_does_not_explode(parse, piece):
    start = time.perf_counter()
    list(labelled_passages(parse(piece * (40_000 // len(piece)))))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "text",
    [
        "By Jane Doe", "BY JANE DOE", "By Jane Doe and John van der Berg, Staff Writer",
        "Reporting by Ann Lee; editing by Bo Ek",
        "(Photo by Ann Lee/Getty Images)", "Photo: Ann Lee", "© 2024 The Post",
        "Copyright 2024 The Post. All rights reserved.",
        "March 3, 2024", "Published 3 March 2024, 10:15 GMT", "Updated: 5 hours ago", "LONDON, March 3 (Reuters) -",
        "Click here to subscribe.", "Subscribe to our newsletter for more.", "Follow us on Facebook",
        "Read more: A storm is near",
        "Advertisement", "5 min read", "Home | News | Sport", "https://example.org/a?b=c", "Tel: +47 55 50 12 34",
        "* * *",
    ],
)  # fmt: skip
def test_shapes_of_boilerplate(text):
    assert is_boilerplate(text)


@pytest.mark.parametrize(
    "text",
    [
        "By Tuesday, the council had voted.", "By Jane Doe, this is the best book of the year.",
        "March 3, 2024 was a cold day.",
        "Share prices fell.", "Read more books!", "Register to vote before Friday.",
        "LONDON (Reuters) - The pound fell.",
        "Photos show two men.", "Sources say it may rain.", "Follow us if you can.",
        "Images of the fire spread quickly.",
        "It rained in 2024.", "Contact was lost at noon.", "Related species may differ.",
    ],
)  # fmt: skip
def test_sentences_that_begin_as_boilerplate_are_sentences(text):
    assert not is_boilerplate(text)


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("The last boat leaves Orsholm at 22:15.", True), ("It was late.", True), ("Two loaves.", False),
        ("Crossings: eight a day", False), ("The council voted for three things:", False),
        ("Milk, eggs and flour.", False),
    ],
)  # fmt: skip
def test_an_item_of_a_list_is_a_sentence_if_it_is_a_whole_one(text, is_whole):
    assert is_whole_sentence(text) == is_whole
    assert kinds_of(f"- {text}", parse_markdown)[0][0] == ("sentence" if is_whole else "list_item")


def test_lines_without_marks_are_sentences_where_most_lines_have_none():
    lines = "The council met on Monday\nIt may vote on Friday\nThe pool stays shut\nIt rained.\nWe like it"
    assert {kind for kind, _ in kinds_of(lines)} == {"sentence"}


def test_a_wrapper_with_a_name_of_boilerplate_does_not_hide_the_page():
    page = '<div class="newsletter"><h1>Rain</h1><p>It may rain. It is wet.</p><div class="footer">Bye now</div></div>'
    assert kinds_of(page, parse_html)[:3] == [
        ("heading", "Rain"),
        ("sentence", "It may rain."),
        ("sentence", "It is wet."),
    ]


def test_hidden_text_is_not_read():
    page = '<p hidden>A.</p><p style="display: none">B.</p><p aria-hidden="true">C.</p><template>D.</template><p>E.</p>'
    assert kinds_of(page, parse_html) == [("sentence", "E.")]


def test_entities_and_blanks_are_read_as_a_browser_shows_them():
    page = "<p>Tea &amp;\n   <i>cake</i>&nbsp;&#8212; it&rsquo;s late.</p>"
    (passage,) = labelled_passages(parse_html(page))
    assert passage.text == "Tea & cake — it’s late."
    assert page[passage.start : passage.end] == page[3:-4]


def test_text_outside_the_main_part_is_boilerplate():
    page = "<p>We use cookies.</p><main><p>It may rain on Sunday. It is wet.</p></main><p>We are a paper.</p>"
    assert [kind for kind, _ in kinds_of(page, parse_html)] == ["boilerplate", "sentence", "sentence", "boilerplate"]


def test_a_stray_end_tag_ends_no_paragraph():
    assert kinds_of("<p>It <b>may</i> rain</b> on</i> Sunday.</p>", parse_html) == [
        ("sentence", "It may rain on Sunday.")
    ]


def test_markup_around_a_sentence_belongs_to_it():
    text = "**It may rain.** It is *wet*.\n"
    spans = [text[passage.start : passage.end] for passage in labelled_passages(parse_markdown(text))]
    assert spans == ["**It may rain.**", "It is *wet*."]


def test_line_breaks_can_be_kept():
    text = "It may rain on Sunday and\non Monday.\n"
    assert [passage.text for passage in labelled_passages(parse_markdown(text))] == [
        "It may rain on Sunday and on Monday."
    ]
    assert len(list(labelled_passages(parse_markdown(text, "keep")))) == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("article-byline", "boilerplate"), ("c-caption__text", "sentence"), ("ShareButtons", "boilerplate"),
        ("newsletter_signup", "boilerplate"), ("css-19ad", "sentence"), ("entry-content", "sentence"),
        ("has-sidebar-left", "sentence"), ("post-meta", "boilerplate"),
    ],
)  # fmt: skip
def test_the_first_or_last_word_of_a_class_names_boilerplate(name, kind):
    rest = "<p>It was a long and rainy week in the city, and nobody went out.</p>"
    assert kinds_of(f'<div class="{name}">It may rain.</div>{rest}', parse_html)[0] == (kind, "It may rain.")


MAIL = """From: Jane Doe <jane@example.org>
Subject: Re: Is it true?
Date: Mon, 3 Jun 2024 10:12:00 +0200

Hi all,

the council approved the new harbour plan on Monday and may vote on the
budget before the end of the year.

On Mon, 3 Jun 2024 at 09:00, John Roe <john@example.org> wrote:
> The ferry is late again, and nobody at the port could say when it will
> arrive. It is a shame.
>
> > The older mail said that the ferry would be on time, as it has been for
> > the last ten years or so.

Best,
--\x20
Jane Doe
The Vik Gazette
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_mail_is_read_without_its_header_its_marks_of_quotation_and_its_signature(end):
    passages = list(labelled_passages(parse_plain(MAIL.replace("\n", end))))
    assert [passage.text for passage in passages if passage.kind == "sentence"] == [
        "the council approved the new harbour plan on Monday and may vote on the budget before the end of the year.",
        "The ferry is late again, and nobody at the port could say when it will arrive.",
        "It is a shame.",
        "The older mail said that the ferry would be on time, as it has been for the last ten years or so.",
    ]
    assert {passage.kind for passage in passages if passage.kind != "sentence"} == {"boilerplate"}


def test_marks_of_quotation_stay_out_of_the_text_and_greater_than_stays_in():
    text = ">It rained.\n>> It may rain.\n>90% of it fell at night.\n5 > 4 is true.\n"
    assert [text for _, text in kinds_of(text)] == [
        "It rained.", "It may rain.", ">90% of it fell at night.", "5 > 4 is true.",
    ]  # fmt: skip


def test_text_below_two_hyphens_is_no_signature_where_it_has_sentences():
    assert ("sentence", "The ferry sank.") in kinds_of("It rained.\n--\nThe ferry sank.\n")


def test_items_of_a_list_in_plain_text_are_no_sentences_unless_they_are_whole():
    text = "• budget\n- The council approved it.\n1) First thing\n* It may rain.\n-5 degrees were measured.\n"
    assert kinds_of(text) == [
        ("list_item", "• budget"), ("sentence", "- The council approved it."), ("list_item", "1) First thing"),
        ("sentence", "* It may rain."), ("sentence", "-5 degrees were measured."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "mark", ["00:00:01,000 --> 00:00:04,000", "WEBVTT", "{{< figure src=a >}}", "{% include b %}", "[!NOTE]"]
)
def test_marks_of_programs_are_boilerplate(mark):
    assert is_boilerplate(mark)


def test_a_word_that_was_cut_at_its_hyphen_is_one_word():
    text = (
        "The council approved the long-\nterm plan on Monday and may vote on the\nbudget before the end of the year.\n"
    )
    (passage,) = labelled_passages(parse_plain(text))
    assert passage.text.startswith("The council approved the long-term plan on Monday and may vote on the budget")
    assert text[passage.start : passage.end] == text.strip()


@pytest.mark.parametrize(
    "mark", ["<![c](d)>", "<![if !supportLists]>", "<![endif]>", "<![CDATA[x]]>", "<![", "<!x>", "<!-"]
)
def test_declarations_of_html_are_no_text(mark):
    assert ("sentence", "It rained.") in kinds_of(f"<p>It rained.</p>{mark}", parse_html)


@pytest.mark.parametrize(
    "text",
    [
        "BC-US--Harbour Plan, 1st Ld-Writethru,250", "Associated Press", "Roe reported from Boston.", "10:05 BST",
        "Associated Press writer Ann Lee contributed to this report.", "BYLINE: Jane Doe", "LENGTH: 250 words",
        "This material may not be published, broadcast, rewritten or redistributed.", "All Rights Reserved",
        "Follow Jane Doe on Twitter: https://twitter.com/jane", "1 of 2 DOCUMENTS", "— Jane (@jane) June 3, 2024",
        "You're currently a free subscriber to the letter.", "::: {.callout}", '[gallery ids="1,2"]',
    ],
)  # fmt: skip
def test_lines_of_wire_services_archives_and_letters_are_boilerplate(text):
    assert is_boilerplate(text)


@pytest.mark.parametrize(
    "text",
    [
        "MAYOR LEE: I think it's a great day for the town.", "Reuters reported from Boston that rates may rise.",
        "Several factors contributed to this.", "We follow the talks on Facebook's role closely.",
        "10 of 12 members came.",
        "The board of directors contributed to this decline.", "This material may not be safe.",
    ],
)  # fmt: skip
def test_sentences_that_begin_like_boilerplate_are_none(text):
    assert not is_boilerplate(text)


@pytest.mark.parametrize(
    "note",
    [
        '<a class="footnote-anchor" href="#f1">1</a>',
        '<a href="#fn3">3</a>',
        '<sup><a href="#cite_note-2">[2]</a></sup>',
    ],
)
def test_links_to_notes_are_no_text(note):
    assert kinds_of(f"<p>Nobody knows why.{note} It may rain.</p>", parse_html) == [
        ("sentence", "Nobody knows why."), ("sentence", "It may rain."),
    ]  # fmt: skip
