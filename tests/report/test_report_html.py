import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd

from latentmech.report import Picture, Table, render_html

HOSTILE = "</pre><script>alert('&')</script><img src=x>\"' onload=x"


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.seen = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_everything_is_on_the_page(report):
    page = render_html(report, "python -m latentmech.run probe=pos", "probe: {seed: 1}", {"versions": {"torch": "2"}})
    for text in [report.headline, "latentmech.run probe=pos", "On dev.", *report.notes, "probe: {seed: 1}"]:
        assert text in page
    assert "<td>versions.torch</td><td>2</td>" in page
    assert "<td>model.fingerprint</td><td>abc</td>" in page, "the report's own provenance"


def test_numbers_are_rounded_and_gaps_are_dashes(report):
    frame = pd.DataFrame({"accuracy": [0.123456, None], "words": [12345, None], "p": [1e-7, 0.5]})
    page = render_html(replace(report, tables={"t": Table(title="T", frame=frame)}), "", "", {})
    cells = re.findall(r'<td class="number">(.*?)</td>', page)
    assert cells[:6] == ["0.123", "12,345", "1.00e-07", "–", "–", "0.500"]


def test_the_page_needs_no_network_and_no_script(report):
    page = render_html(report, "", "", {})
    tags = Tags(page).seen
    addresses = [attrs[name] for _, attrs in tags for name in ("src", "href") if name in attrs]
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "script" not in [tag for tag, _ in tags]


def test_pictures_are_embedded_with_alternative_text(report):
    images = [attrs for tag, attrs in Tags(render_html(report, "", "", {})).seen if tag == "img"]
    assert [image["alt"] for image in images] == ["Accuracy by level", "Confusion"]
    assert all(image["src"].startswith("data:image/png;base64,iVBOR") for image in images)


def test_hostile_text_stays_text(report):
    table = Table(title=HOSTILE, frame=pd.DataFrame({HOSTILE: [HOSTILE]}), caption=HOSTILE)
    picture = Picture(title=HOSTILE, figure=report.pictures["levels"].figure, caption=HOSTILE)
    hostile = replace(
        report,
        title=HOSTILE,
        headline=HOSTILE,
        notes=(HOSTILE,),
        metrics={HOSTILE: 1.0},
        tables={"t": table},
        pictures={"p": picture},
    )
    tags = Tags(render_html(hostile, HOSTILE, HOSTILE, {HOSTILE: HOSTILE})).seen
    assert "script" not in [tag for tag, _ in tags]
    assert [attrs["alt"] for tag, attrs in tags if tag == "img"] == [HOSTILE]
    assert not any("onload" in attrs for _, attrs in tags)
