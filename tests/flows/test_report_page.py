"""The report page: whole, safe, and saying what the view says."""

import dataclasses
import re
from html import escape
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from danseo.core.errors import Usage
from danseo.core.reward import SHARES
from danseo.flows import report_drawing
from danseo.flows.report_page import decimal, percent, render
from danseo.flows.report_view import (
    Clue,
    Gift,
    LogFacts,
    Money,
    Point,
    Pot,
    ReportView,
)
from danseo.flows.report_words import WORDS
from danseo.scroll.fragments import ink, standin

DAY = 86_400
START = 1_893_456_000
VOID = {"meta", "img", "br", "line", "circle", "path"}
E18 = 10**16  # one per cent of the whole


def sample(language="en", across=60):
    """Return a view of a challenge with every sort of clue in it."""
    _, test = standin.pair(width=240)
    guess = np.roll(test.label, 3, axis=1) & (test.ct < 150)
    picture = ink.picture(test.ct, test.mask, test.label, guess, across)

    def clue(number, title, author, cites=(), score=None, step=0, status="no step", **more):
        shares = dict.fromkeys(("own", "received", "owed", "jury", "total"), 0)
        form = more.pop("form", "predictions")
        return Clue(
            clue=number, title=title, author=author, form=form, cites=tuple(cites), score=score,
            step=step, status=status, **{**shares, **more},
        )  # fmt: skip

    def pay(percents):
        return (Money("KRW", 150_000 * percents),)

    clues = (
        clue(21, "Ink is dark", "darkness", (), 562_000_000, 12_000_000, "a step", own=8 * E18,
             received=5 * E18, total=13 * E18, money=pay(13), picture=picture,
             description="One threshold on the brightness, chosen on the training fragment."),
        clue(26, "What a pixel's surroundings look like", "toolmaker", (), status="judged",
             form="tool", jury=9 * E18, total=9 * E18, money=pay(9),
             description="31 features of each papyrus pixel, from the grain to a line."),
        clue(31, "Ink is darker than what surrounds it", "local", [(21, 10**9)], 580_000_000,
             18_000_000, "a step", own=14 * E18, received=3 * E18, owed=2 * E18, total=15 * E18,
             money=pay(15), picture=picture),
        clue(38, "먹을 배우다: 여러 눈금의 특징과 부스팅 나무로", "learner",
             [(31, 600_000_000), (26, 400_000_000)], 598_000_000, 18_000_000, "a step",
             form="method", own=14 * E18, received=1 * E18, owed=3 * E18, total=12 * E18,
             money=pay(12), picture=picture, reason="Reproduced from its script, bit for bit."),
        clue(45, "Ink is where several views agree", "combiner",
             [(31, 300_000_000), (38, 500_000_000), (21, 200_000_000)], 610_000_000, 12_000_000,
             "a step", own=9 * E18, owed=4 * E18, total=5 * E18, money=pay(5), picture=picture),
        clue(50, "The best prediction, byte for byte", "copycat", (), None, 0, "a copy of #45"),
        clue(53, "Papyrus is dark", "latecomer", picture=picture),
        clue(56, "Half a prediction", "latecomer", status="unfit",
             reason="The shape is (180, 240); the truth has (360, 240)."),
        clue(59, "", "silent", status="lapsed", form=""),
    )  # fmt: skip
    return ReportView(
        title="Read the ink" if language == "en" else "먹을 읽어라",
        challenge="read-the-ink",
        description="Find the ink in a picture of charred papyrus, made from X-ray CT.",
        source="a generated stand-in",
        language=language,
        phase="closed",
        metric="F-beta over papyrus pixels, beta 0.5",
        opened=START,
        deadline=START + 30 * DAY,
        baseline=550_000_000,
        goal=650_000_000,
        eta=2_000_000,
        log=LogFacts("demo.danseo/log", 92, "9f" * 32, START + 52 * DAY, True),
        clues=clues,
        frontier=(
            Point(START + DAY // 2, 562_000_000, 21),
            Point(START + DAY, 580_000_000, 31),
            Point(START + 6 * DAY, 598_000_000, 38),
            Point(START + 10 * DAY, 610_000_000, 45),
        ),
        curve=((550_000_000, 0), (650_000_000, 800_000_000)),
        pots=(Pot("KRW", 15_000_000, 8_100_000, 6_900_000),),
        gifts=(
            Gift(START, "donor-1", Money("KRW", 10_000_000)),
            Gift(START + 12 * DAY, "donor-2", Money("KRW", 5_000_000)),
        ),
        commons=3 * E18,
        checks=("every signature", "the tree and its checkpoint", "every exact score, run again"),
        verify=("danseo verify demo/log --saved checkpoint.saved", "danseo shares read-the-ink"),
        proven=("Who committed what, and in which order.", "Shares, royalties and jury weights."),
        recomputable=("Every score: the truth is out, and verify ran it again.",),
        attested=("Money received and paid: by the organiser.",),
        colours=(ink.HIT, ink.FALSE, ink.MISSED),
    )


class Outline(HTMLParser):
    """Collects tags and text, and fails where tags do not nest."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def view():
    return sample()


@pytest.fixture(scope="module")
def page(view):
    return render(view)


def test_every_tag_is_closed_in_order(page):
    assert Outline(page).open == []


def test_the_page_asks_nothing_of_any_server_and_runs_no_script(page):
    assert not re.search(r"https?://", page)
    assert "<script" not in page
    urls = [a.get("src") or a.get("href") for _, a in Outline(page).tags]
    assert all(u.startswith("data:image/png;base64,") for u in urls if u)


def test_what_a_stranger_wrote_is_shown_and_never_run(view):
    evil = '<script>alert("1")</script>\'"&'
    clues = tuple(
        dataclasses.replace(c, title=evil, author=evil, description=evil, reason=evil, status=evil,
                            form=evil)
        for c in view.clues
    )  # fmt: skip
    hostile = dataclasses.replace(
        view, title=evil, challenge=evil, description=evil, source=evil, phase=evil, metric=evil,
        clues=clues, checks=(evil,), verify=(evil,), proven=(evil,), attested=(evil,),
        gifts=(Gift(0, evil, Money(evil, 1)),), pots=(Pot(evil, 1, 0, 1),),
        log=dataclasses.replace(view.log, origin=evil, root=evil),
    )  # fmt: skip
    found = Outline(render(hostile))
    assert "script" not in {tag for tag, _ in found.tags}
    assert all(set(a) <= KNOWN for _, a in found.tags)
    assert any(evil in words for words in found.words)


KNOWN = {
    "lang", "charset", "name", "content", "http-equiv", "class", "id", "role", "aria-label",
    "aria-labelledby", "aria-hidden", "tabindex", "scope", "data-label", "style", "alt", "src",
    "width", "height", "viewbox", "d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r",
    "text-anchor", "stroke-width", "marker-end", "refx", "refy", "markerwidth", "markerheight",
    "markerunits", "orient",
}  # fmt: skip


def test_each_clue_has_a_row_with_all_its_shares(view, page):
    rows = re.findall(r'<tr role="row">.*?</tr>', page.split("<tbody role")[1])
    for clue, row in zip(view.clues, rows, strict=False):
        assert f"#{clue.clue} " in row
        for share in (clue.own, clue.received, -clue.owed, clue.jury, clue.total):
            assert not share or percent(share) in row


def test_the_totals_the_commons_and_what_is_unearned_are_the_whole(view, page):
    total = sum(c.total for c in view.clues)
    foot = page.split("<tfoot")[1].split("</tfoot>")[0]
    for part in (total, view.commons, SHARES - total - view.commons):
        assert percent(part) in foot


def test_each_picture_has_words_for_whoever_cannot_see_it(view, page):
    pictures = [a for tag, a in Outline(page).tags if tag == "img"]
    assert len(pictures) == 1 + sum(1 for c in view.clues if c.picture)
    assert all("the truth on the right" in a["alt"] for a in pictures)


@pytest.mark.parametrize("language", list(WORDS))
def test_the_page_speaks_each_language_throughout(language, view):
    page = render(dataclasses.replace(view, language=language))
    assert f'<html lang="{language}">' in page
    assert escape(WORDS[language]["graph_note"]) in page


def test_all_languages_have_the_same_phrases():
    assert set(WORDS["en"]) == set(WORDS["ko"])
    for key, phrase in WORDS["en"].items():
        assert set(re.findall(r"{(\w+)}", phrase)) == set(re.findall(r"{(\w+)}", WORDS["ko"][key]))


def test_a_language_that_it_does_not_speak_is_refused(view):
    with pytest.raises(Usage, match="'xx'"):
        render(dataclasses.replace(view, language="xx"))


def test_a_challenge_without_clues_has_a_page_too(view):
    empty = dataclasses.replace(
        view, clues=(), frontier=(), gifts=(), pots=(), checks=(), commons=0
    )
    assert WORDS["en"]["no_clues"] in render(empty)


def test_percentages_round_half_up_and_keep_their_sign():
    assert percent(5 * 10**13) == "0.01\N{NO-BREAK SPACE}%"
    assert percent(5 * 10**13 - 1) == "0.00\N{NO-BREAK SPACE}%"
    assert percent(-SHARES // 4) == "-25.00\N{NO-BREAK SPACE}%"


def test_a_score_is_cut_and_never_rounded_up():
    assert decimal(599_999_999) == "0.5999"
    assert decimal(-2_500_000, 3) == "-0.002"


def test_no_two_names_in_the_graph_overlap():
    vertices = [
        report_drawing.Vertex(
            i, f"A clue with a rather long name {i}", "#", "", 0.1,
            tuple((j, 0.5) for j in range(i) if (i * j) % 5 == 1),
        )
        for i in range(14)
    ]  # fmt: skip
    drawn = report_drawing.graph(vertices, "graph")
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)
    places = [(float(x), float(y)) for x, y in circles]
    assert len(places) == 14
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[:i]:
            apart = abs(x - other_x) >= report_drawing.COLUMN - 1
            assert apart or abs(y - other_y) >= report_drawing.ROW - 1


def test_a_long_note_stays_inside_its_column_and_is_told_whole_on_hover():
    note = "#58 · never revealed: its bond went to the pool of the challenge"
    drawn = report_drawing.graph([report_drawing.Vertex(58, "", note, note, 0.0, ())], "graph")
    (shown,) = re.findall(r">(#58[^<]*)</text>", drawn)
    assert shown.endswith("…")
    assert len(shown) * 0.6 * 13 < report_drawing.COLUMN
    assert f"<title>{note}</title>" in drawn


def test_a_citer_stands_to_the_right_of_what_it_cites(view):
    vertices = [
        report_drawing.Vertex(
            c.clue, "", f"#{c.clue}", "", 0.1, tuple((k, 1.0) for k, _ in c.cites)
        )
        for c in view.clues
    ]
    drawn = report_drawing.graph(vertices, "graph")
    found = re.findall(r'cx="([\d.]+)".*?>#(\d+)</text>', drawn)
    at = {int(number): float(x) for x, number in found}
    assert all(at[c.clue] > at[k] for c in view.clues for k, _ in c.cites)


def test_a_long_name_is_cut_with_an_ellipsis_and_korean_counts_double():
    assert report_drawing.wrap("가나다라마바사아자차카타파하", 5, 2) == ["가나다라마", "바사아자…"]
    assert report_drawing.wrap("short", 5, 2) == ["short"]


def test_labels_of_near_points_of_the_frontier_do_not_touch():
    marks = [report_drawing.Mark(1000 + i, 0.5 + i / 1000, f"#{i}", "") for i in range(5)]
    drawn = report_drawing.frontier(marks, (0, 10_000), 0.4, 0.9, ("a", "b", "c"), str)
    heights = sorted(float(y) for y in re.findall(r'y="([\d.-]+)" text-anchor="end">#', drawn))
    assert len(heights) == 5
    assert all(b - a >= 17 for a, b in pairwise(heights))
