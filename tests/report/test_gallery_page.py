"""A gallery on a page: every image once, filters without a script, all of it escaped."""

import re

import pytest

from remamber.report.gallery import Exhibit, Gallery, Tile
from remamber.report.gallery_page import gallery_parts
from remamber.report.page import filled

PNG = b"\x89PNG and so on"


def exhibit(title, rule, needs, length="short"):
    return Exhibit(
        title=title,
        note="image 1",
        rule=rule,
        slices={"needs": needs, "length": length},
        image=PNG,
        width=20,
        height=10,
        tiles=(
            Tile(label="Image"),
            Tile(label="Truth", overlay=PNG),
            Tile(label="Row", caption="IoU 1.0", overlay=PNG),
        ),
    )


@pytest.fixture
def gallery():
    return Gallery(
        slug="masks",
        title="Masks & more",
        words="by rule",
        rules={"best": "Best", "worst": "Worst"},
        slicings={"needs": ("noun", "< 3 words"), "length": ("short", "long")},
        exhibits=(
            exhibit("one", "best", "noun"),
            exhibit("two <b>", "best", "< 3 words"),
            exhibit("three", "worst", "< 3 words"),
        ),
    )


def page(gallery):
    return filled("gallery.html.j2", gallery=gallery_parts(gallery))


def test_an_image_stands_in_the_page_once_however_many_masks_lie_on_it(gallery):
    text = page(gallery)
    assert len(re.findall(r'<image id="masks-\d"', text)) == 3
    assert len(re.findall(r'<use href="#masks-\d"/>', text)) == 6
    assert "two &lt;b&gt;" in text
    assert "Masks &amp; more" in text


def test_a_filter_hides_the_others_and_needs_no_script(gallery):
    text = page(gallery)
    assert "<script" not in text
    for key, count in (("rule-best", 2), ("rule-worst", 1), ("slice-0-0", 1), ("slice-0-1", 2)):
        rule = f"#masks:has(#masks-{key}:checked) .exhibit:not(.{key}) {{ display: none; }}"
        assert rule in text
        assert f'id="masks-{key}"' in text
        classes = re.findall(r'<article class="exhibit ([^"]*)"', text)
        assert sum(key in names.split() for names in classes) == count
    assert "&lt; 3 words (2)" in text


def test_a_pair_of_choices_that_nothing_fulfils_says_so(gallery):
    parts = gallery_parts(gallery)
    assert parts.empty == (("rule-worst", "slice-0-0"),)
    assert "#masks-rule-worst:checked):has(#masks-slice-0-0:checked) .none" in page(gallery)


def test_what_does_not_divide_the_rows_is_no_filter(gallery):
    assert list(gallery_parts(gallery).slices) == ["needs"]
    one = Gallery(
        slug="own",
        title="Own",
        words="",
        rules={"best": "Best"},
        exhibits=gallery.exhibits[:1],
    )
    assert gallery_parts(one).rules == ()
    assert gallery_parts(one).slices == {}
    assert "<form" not in page(one)


def test_every_tile_has_words_for_who_cannot_see_it(gallery):
    assert page(gallery).count('role="img" aria-label="') == 9
    assert gallery.exhibits[0].alt == "one: Truth, Row IoU 1.0"
