"""The pages in a real browser: nothing is loaded, hostile replies are text, and everything can be reached and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.bench import write_runs
from reports.compared import compare_runs
from reports.leaderboard import build_leaderboard
from reports.samples import PAGE
from reports.site import Site
from tests.reports.conftest import Item, write_picture, write_run
from tests.reports.test_serve import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = (Path("/usr/bin/chromium"), Path("/usr/bin/chromium-browser"), Path("/usr/bin/google-chrome"))
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\"><svg onload=alert(1)>",
    "left \u202eright\u202c \u2066isolated\u2069",
    "\x1b[31mred\x1b[0m\x00\x07",
    "x" * 1_000_000,
    "</pre></article></template></main><h1>taken over</h1>",
    "{{ 7 * 7 }} ${7*7}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = next((path for path in CHROMIUM if path.exists()), None)
    if program is None:
        pytest.skip("needs a browser: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program), args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with two models, a baseline to compare with, a control, replies made elsewhere and hostile replies."""
    root = tmp_path_factory.mktemp("site")
    runs = root / "runs"
    picture = write_picture(root / "a.png")
    hostile = [Item(id=f"<i>{i}</i>", reply=reply, prompt=reply[:5000], picture=picture) for i, reply in enumerate(HOSTILE)]
    rest = [Item(id=f"s{i}", reply=f"reply {i}", score=float(i % 3 > 0), picture=picture) for i in range(2 * PAGE)]
    bad: Any = {"score": 0.0, "groups": {"category": "odd"}}
    odd = [Item(id="u", reply="?", reason="no yes or no", **bad), Item(id="f", reply=None, failed="media: broken", **bad)]
    write_run(runs, "nano", items=[*hostile, *rest, *odd], value=0.7)
    write_run(runs, "nano_moe", value=0.8)
    write_run(runs, "nano", "mme", value=900.0)
    right = [Item(id=f"pope/{i}", reply="Well: yes", prediction="yes") for i in range(8)]
    write_run(runs, "oracle", kind="baseline", items=right, value=0.95)
    write_run(runs, "nano", value=0.5, control="blind", fingerprint="b" * 16)
    write_run(runs, "<b>llava</b>", kind="replies", value=0.86, **{"data.name": "official"})
    return build_leaderboard(runs, root / "out", baseline="oracle").index


class Visit:
    """A page with what it asked for and complained about."""

    def __init__(self, browser: Browser, target: str, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("dialog", lambda dialog: self.problems.append("dialog") or dialog.dismiss())
        self.page.goto(target)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def samples(site: Path, model: str = "nano") -> str:
    return next(path for path in (site.parent / "samples").glob(f"{model}__pope*f__official.html")).as_uri()


def names(page: Page) -> list[str]:
    return page.locator("section.mini tr.model .label").all_inner_texts()


def test_the_board_opens_without_any_request_or_complaint(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        assert visit.requests == [site.as_uri()]
        assert visit.problems == []
        assert visit.page.locator("section.mini h2").inner_text() == "Mini suite"
        assert visit.page.locator("section.benchmarks tr.model .label").inner_text() == "<b>llava</b>"


def test_clicking_a_heading_sorts_and_keeps_references_below(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        pope = visit.page.locator("section.mini thead th", has_text="POPE")
        pope.get_by_role("button").click()
        assert (names(visit.page), pope.get_attribute("aria-sort")) == (["nano_moe", "nano"], "descending")
        pope.get_by_role("button").focus()
        visit.page.keyboard.press("Enter")
        assert (names(visit.page), pope.get_attribute("aria-sort")) == (["nano", "nano_moe"], "ascending")
        last = visit.page.locator("section.mini tbody").last
        assert "not models" in last.inner_text() and "oracle" in last.inner_text()


def test_without_javascript_the_board_and_the_first_samples_are_there(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri(), java_script_enabled=False) as visit:
        assert names(visit.page) == ["nano", "nano_moe"]
        assert not visit.page.locator("#theme").is_visible()
        visit.page.locator("section.mini tr", has_text="nano_moe").get_by_role("link").first.click()
        assert visit.page.locator("article").count() == 8


def test_a_value_leads_to_its_samples_and_back(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        visit.page.get_by_role("link", name="80.0").click()
        assert visit.page.locator("h1").inner_text() == "nano_moe on POPE beside oracle"
        visit.page.get_by_role("link", name="Leaderboard").click()
        assert visit.page.locator("h1").inner_text() == "Leaderboard"


def test_hostile_replies_are_text(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site)) as visit:
        assert visit.problems == []
        assert visit.requests == [samples(site)]
        assert visit.page.title() == "nano on POPE: samples"
        assert visit.page.locator("h1").count() == 1
        shown = visit.page.locator("main").inner_text()
        for piece in ("<script>document.title='owned'</script>", "⟨U+202E⟩right", "⟨ESC⟩[31mred", "{{ 7 * 7 }}", "<i>0</i>"):
            assert piece in shown
        assert "4,000 of 1,000,000 characters" in shown
        assert visit.page.locator("main script, main img, main h1").count() == 0
        width = visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 0


def test_filters_pages_and_search_show_what_they_say(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site)) as visit:
        page = visit.page
        total = len(HOSTILE) + 2 * PAGE + 2
        assert page.locator("#where").inner_text() == f"1–{PAGE} of {total}"
        page.get_by_role("button", name="Next").click()
        assert page.locator("#where").inner_text() == f"{PAGE + 1}–{2 * PAGE} of {total}"
        page.get_by_role("button", name="Unparsed").click()
        assert page.locator("article h2").all_inner_texts() == ["u"]
        page.get_by_role("button", name="Failed").click()
        assert "media: broken" in page.locator("article").inner_text()
        page.get_by_role("button", name="Wrong").click()
        assert "wrong" in page.locator("article .verdict").first.inner_text()
        page.get_by_role("button", name="All").click()
        page.locator("#find").fill("reply 77")
        assert page.locator("article h2").all_inner_texts() == ["s77"]


def test_a_permanent_link_opens_its_sample_wherever_it_stands(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site) + "#s-s79") as visit:
        target = visit.page.locator("#s-s79")
        assert target.is_visible()
        assert visit.page.evaluate("document.querySelector('#s-s79').getBoundingClientRect().top < window.innerHeight")
    with Visit(browser, samples(site) + "#show=failed") as visit:
        assert visit.page.locator("article h2").all_inner_texts() == ["f"]


def test_the_picture_is_painted(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site, "nano")) as visit:
        shot = visit.page.locator("figure svg").first.screenshot()
        import io

        from PIL import Image

        with Image.open(io.BytesIO(shot)) as picture:
            assert len(picture.convert("RGB").quantize(16).getcolors() or []) > 3


def test_a_baseline_is_pinned_with_marked_differences_and_another_can_be(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        page = visit.page
        control = page.locator("section.mini tr", has_text="blind control").locator("td", has_text="50.0")
        assert control.locator(".diff").inner_text().startswith("▼ −45.0 ±") and "significantly worse" in control.inner_text()
        assert page.locator("tr.pinned .label").all_inner_texts() == ["oracle"]
        page.get_by_role("button", name="compare with nano_moe").click()
        assert page.locator("tr.pinned .label").all_inner_texts() == ["nano_moe"]
        assert page.locator("section.mini tr.model").last.locator(".diff").inner_text().startswith("▼ −10.0 ±8.4")
        link = page.url
        assert "baseline=nano_moe" in link
        page.locator("#f-baseline").select_option("nobody")
        assert page.locator(".diff").count() == 0
    with Visit(browser, link) as visit:
        assert visit.page.locator("tr.pinned .label").all_inner_texts() == ["nano_moe"]


def test_models_benchmarks_capabilities_and_columns_are_chosen_and_kept_in_the_address(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        page = visit.page
        page.keyboard.press("/")
        page.keyboard.type("moe")
        assert page.locator("section.mini tr.model:visible .label").all_inner_texts() == ["nano_moe"]
        page.locator("#f-model").fill("")
        page.get_by_label("Capability").select_option("General")
        assert page.locator("section.mini thead th:visible .title").all_inner_texts() == ["Model", "MME"]
        assert not page.locator("section.benchmarks").is_visible()
        page.get_by_label("Capability").select_option("all")
        page.locator(".menu summary").click()
        page.get_by_label("POPE accuracy").last.uncheck()
        page.get_by_label("ranks").uncheck()
        page.keyboard.press("Escape")
        link = page.url
    with Visit(browser, link) as visit:
        assert visit.page.locator("section.mini thead th:visible .title").all_inner_texts() == ["Model", "MME"]
        assert visit.page.locator(".rank:visible").count() == 0
        assert visit.requests == [site.as_uri()] and visit.problems == []


def test_arrow_keys_walk_over_the_numbers(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri()) as visit:
        page = visit.page
        page.get_by_role("link", name="80.0, samples").focus()
        where = "document.activeElement.getAttribute('aria-label')"
        first = page.evaluate(where)
        page.keyboard.press("ArrowDown")
        assert page.evaluate(where) != first
        page.keyboard.press("ArrowUp")
        assert page.evaluate(where) == first


def test_published_numbers_are_marked_and_never_ranked(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri(), java_script_enabled=False) as visit:
        rows = visit.page.locator("section.benchmarks tbody.published tr")
        assert "not run here" in rows.first.inner_text() and "Table 1" in rows.nth(1).inner_text()
        assert rows.locator(".rank").count() == 0
        assert visit.page.locator("section.mini .published").count() == 0
        assert visit.page.locator("table:not(:has(caption))").count() == 0
        assert visit.page.locator("thead th:not([scope]), tbody th:not([scope])").count() == 0


def test_two_models_stand_side_by_side_and_flips_are_found(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site, "nano_moe")) as visit:
        page = visit.page
        page.get_by_role("button", name="Lost").click()
        assert page.locator("article h2").all_inner_texts() == ["pope/0", "pope/4"]
        assert page.locator("article").first.locator(".who b").all_inner_texts() == ["nano_moe", "oracle"]
        assert page.locator("article").first.locator("mark").all_inner_texts() == ["Yes", "yes"]
        assert page.locator("article").first.locator(".chips a").count() == 2
        page.locator("article").first.get_by_role("link", name="oracle: right").click()
        assert page.locator("h1").inner_text() == "oracle on POPE" and page.locator("[id='s-pope~2F~0']").is_visible()


def test_samples_are_filtered_by_category(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site)) as visit:
        visit.page.get_by_label("Category").select_option("odd (2)")
        assert visit.page.locator("article h2").all_inner_texts() == ["u", "f"]


def test_provenance_opens_at_the_run(browser: Browser, site: Path) -> None:
    with Visit(browser, samples(site)) as visit:
        visit.page.get_by_role("link", name="provenance").click()
        assert visit.page.locator("tr:target th").inner_text() == "nano"
        assert "riddle eval model=nano task=pope data=mini" in visit.page.locator("tr:target").inner_text()
        visit.page.locator("tr:target").get_by_role("link").first.click()
        assert visit.page.locator("details:target").get_attribute("open") is not None
        assert visit.problems == []


@pytest.mark.slow
def test_a_large_board_stays_below_five_megabytes(browser: Browser, tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", models=10, benchmarks=40, samples=8)
    index = build_leaderboard(tmp_path / "runs", tmp_path / "out", samples=False).index
    assert index.stat().st_size < 5_000_000
    with Visit(browser, index.as_uri()) as visit:
        assert visit.page.locator("td[data-v]").count() == 400 and visit.requests == [index.as_uri()]


@pytest.mark.parametrize("which", ["board", "samples", "provenance"])
def test_texts_have_contrast_in_light_and_dark(browser: Browser, site: Path, which: str) -> None:
    target = {"board": site.as_uri(), "samples": samples(site), "provenance": (site.parent / "provenance.html").as_uri()}[which]
    with Visit(browser, target) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert visit.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("which", ["board", "samples"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, site: Path, which: str) -> None:
    target = site.as_uri() if which == "board" else samples(site)
    with Visit(browser, target, viewport={"width": 360, "height": 740}) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        if which == "board":
            visit.page.get_by_label("Sort by").last.select_option("POPE")
            assert names(visit.page) == ["nano_moe", "nano"]


def test_the_theme_can_be_chosen(browser: Browser, site: Path) -> None:
    with Visit(browser, site.as_uri(), color_scheme="light") as visit:
        light = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        visit.page.locator("#theme").click()
        visit.page.locator("#theme").click()
        assert visit.page.locator("#theme").inner_text() == "Theme: dark"
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.slow
def test_thousands_of_samples_stay_fluid(browser: Browser, tmp_path: Path) -> None:
    items = [Item(id=f"s{i}", score=float(i % 2)) for i in range(9000)]
    write_run(tmp_path / "runs", "nano", items=items)
    index = build_leaderboard(tmp_path / "runs", tmp_path / "out").index
    with Visit(browser, samples(index) + "#s-s8999") as visit:
        assert visit.page.locator("#s-s8999").is_visible()
        assert visit.page.locator("article").count() <= PAGE


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || ["SCRIPT", "OPTION", "NOSCRIPT"].includes(node.tagName)) continue;
    if (node.closest("button:disabled")) continue;
    const [one, two] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.tagName}.${node.className}: ${text.data.trim().slice(0, 30)}`);
  }
  return poor;
}"""


def test_a_comparison_leads_from_the_forest_to_both_replies_and_on_to_the_report(browser: Browser, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    right = [i % 3 > 0 for i in range(60)]
    old = [Item(id=f"s/{i}", reply=f"old says {i}", score=float(hit), picture=picture) for i, hit in enumerate(right)]
    new = [replace(item, reply=f"new <b>says</b> {i}", score=float(i != 1)) for i, item in enumerate(old)]
    for name, items in (("old", old), ("new", new)):
        write_run(tmp_path / "runs", name, items=items)
        write_run(tmp_path / "runs", name, "docvqa", items=items)
    board = build_leaderboard(tmp_path / "runs", tmp_path / "leaderboard").index.parent
    found = compare_runs(["old"], ["new"], tmp_path / "runs", leaderboard=board, out=tmp_path / "compared")
    assert (tmp_path / "compared" / "compare.md").is_file()
    with Visit(browser, Path(found["file"]).as_uri()) as visit:
        page = visit.page
        assert visit.problems == [] and visit.requests == [Path(found["file"]).as_uri()]
        assert page.locator("h1").inner_text() == "new against old"
        assert "better on 2 of 2" in page.locator("header.top").inner_text()
        assert "mean of these" in (page.locator(".figures svg").text_content() or "")
        page.get_by_role("link", name="POPE").click()
        section = page.locator("section", has=page.locator("h2", has_text="POPE"))
        assert section.locator("h3").all_inner_texts()[:2] == ["1 right to wrong", "Prompt, as sent"]
        section.locator(".flips a").first.click()
        sample = page.locator("article:target")
        assert sample.locator("h2").inner_text() == "s/1" and sample.locator("svg").is_visible()
        assert [one.split("\n")[0] for one in sample.locator(".answer").all_inner_texts()] == ["old ✓ right", "new ✗ wrong"]
        assert "old says 1" in sample.inner_text() and "new <b>says</b> 1" in sample.inner_text()
        section.get_by_role("link", name="in the report").first.click()
        assert page.locator("h1").inner_text() == "new on POPE"
        assert page.locator("article:target h2, article.target h2").inner_text() == "s/1"
        page.get_by_role("link", name="Leaderboard").click()
        assert page.locator("h1").inner_text() == "Leaderboard" and visit.problems == []


def test_a_served_board_follows_the_runs(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", "nano", value=0.7)
    write_run(tmp_path / "runs", "later", complete=False)
    site = Site(tmp_path / "runs", tmp_path / "made", title="Live")
    with served(site) as port, Visit(browser, f"http://localhost:{port}/") as visit:
        page = visit.page
        running = page.locator("#live li").inner_text()
        assert running.startswith("later on POPE") and "8 of 8 answered" in running
        page.get_by_role("link", name="70.0").click()
        assert page.locator("h1").inner_text() == "nano on POPE" and page.locator("article").count() == 8
        page.get_by_role("link", name="Leaderboard").click()
        write_run(tmp_path / "runs", "moe", value=0.8)
        site.refresh()
        page.get_by_role("link", name="80.0").wait_for(timeout=15_000)
        assert all(url.startswith(f"http://localhost:{port}/") for url in visit.requests)
        assert visit.problems == []
