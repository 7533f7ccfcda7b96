"""Whole pages as people meet them who see little or use no pointer: axe's rules, and the way of the Tab key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Open = Callable[..., Any]
TALL = 3200  # CSS pixels: axe judges the contrast of what the window shows

# What axe finds in Streamlit's own widgets: "rule: widget". Each needs a reason to be here.
STREAMLIT = (
    "color-contrast: stSlider: <p>",  # the label of a disabled slider; WCAG 1.4.3 leaves out what is disabled
    "presentation-role-conflict: stFileUploader",  # its drop zone is presentational, but named and can be focused
)

# For each element that breaks a rule: the rule and where it is.
WHERE = """violations => violations.flatMap(({ id, nodes }) => nodes.map(({ target, html, any }) => {
  let node = document
  for (const selector of target.flat()) node = (node.shadowRoot ?? node).querySelector(selector)
  const widget = node.getRootNode() === document && node.closest(".stElementContainer")
  const place = widget ? widget.querySelector("[data-testid]")?.dataset.testid : "ours"
  return [`${id}: ${place}: ${html.slice(0, 200)}`, ...any.map(one => one.message)].join(" | ")
}))"""

# Streamlit fades what a run has not drawn anew yet.
AT_REST = """() => {
  const { testScriptState } = document.querySelector("[data-testid=stApp]").dataset
  return testScriptState === "notRunning" && !document.querySelector("[data-stale=true]")
}"""


def violations(axe: Any, page: Any) -> list[str]:
    """Let axe judge the page in both colour schemes; returns what it finds that is not Streamlit's own."""
    every: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            """scheme => getComputedStyle(document.querySelector("[data-testid=stApp]")).colorScheme === scheme""",
            arg=scheme,
        )
        page.wait_for_function(AT_REST)
        page.wait_for_timeout(500)  # colours change gradually
        page.wait_for_function(AT_REST)
        found = page.evaluate(WHERE, axe.run(page).response["violations"])
        every += [f"{scheme}: {one}" for one in found if not one.startswith(STREAMLIT)]
    return every


def test_axe_finds_nothing_in_the_gallery(open_page: Open, axe: Any) -> None:
    page = open_page("/?model=fashion-cvae&nonsense=1", height=TALL)
    page.locator(".tile").nth(63).wait_for()
    page.get_by_text("nonsense").first.wait_for()
    assert violations(axe, page) == []


def test_axe_finds_nothing_in_interpolate(open_page: Open, axe: Any) -> None:
    page = open_page("/interpolate?model=digits-gan&keys=3,17,42&frames=25", height=TALL)
    page.locator(".player[data-ready]").wait_for()
    page.get_by_text("Nearest real images").click()
    page.locator(".player .view").nth(1).wait_for()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Download").wait_for()
    assert violations(axe, page) == []


def test_axe_finds_nothing_in_plane(open_page: Open, axe: Any) -> None:
    page = open_page("/plane?model=digits-vae", height=TALL)
    page.locator(".plane[data-ready]").wait_for()
    page.get_by_text("Encoded images").click()
    page.locator(".plane .chip").nth(9).wait_for()
    page.locator(".plane .ground").hover()
    assert violations(axe, page) == []


@pytest.fixture
def explore(open_page: Open, tmp_path: Path) -> Any:
    """Explore with everything open that can be: kept points, weaker directions, all folds, an image."""
    Image.new("RGB", (300, 200), (250, 248, 240)).save(tmp_path / "sheet.png")
    page = open_page("/explore?model=digits-gan&seed=5&edits=0:2", height=TALL)
    page.locator(".latent-pad[data-state=live] .film.drawn").wait_for()
    page.locator(".latent-pad .rest summary").click()
    for number in range(3):
        if number:
            page.get_by_role("button", name="Random").click()
        page.get_by_role("button", name="Keep", exact=True, disabled=False).click()
        page.locator(".st-key-tray .tile").nth(number).wait_for()
    folds = {
        "walks": ".tile",
        "manage-tray": "input",
        "arithmetic": "img",
        "own-image": "[data-testid=stFileUploader]",
        "nearest": ".pictures figure",
    }
    for key, content in folds.items():  # one after the other: each moves those below it
        page.locator(f".st-key-{key} summary").first.click()
        page.locator(f".st-key-{key} {content}").last.wait_for()
    page.get_by_text("Copy as Python").click()
    page.locator(".st-key-own-image input[type=file]").set_input_files(tmp_path / "sheet.png")
    page.locator(".pictures figure", has_text="What the model sees").wait_for()
    return page


def test_axe_finds_nothing_in_explore(explore: Any, axe: Any) -> None:
    explore.locator(".st-key-axes [aria-checked=true]").hover()
    assert violations(axe, explore) == []
    explore.locator(".st-key-own-way").get_by_text("Draw").click()
    explore.locator(".draw-pad canvas").wait_for()
    explore.get_by_role("button", name="Download").click()
    explore.get_by_role("button", name="PNG, 16 × 16").wait_for()
    assert violations(axe, explore) == []
    explore.get_by_role("button", name="Name directions").click()
    explore.get_by_role("button", name="PNG, 16 × 16").wait_for(state="hidden")
    assert violations(axe, explore) == []


# The element that has the focus, through shadow roots.
FOCUSED = """(() => {
  let node = document.activeElement
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
  return node
})()"""
REMEMBER = "function() { (window.reached ??= new Set()).add(this) }"
# Controls that can be seen but were never reached. Of a group that arrow keys move in, one is enough; buttons in a
# field do what the arrow keys do there, and a button opens the dialog that chooses a file.
MISSED = """() => {
  const within = root =>
    [...root.querySelectorAll("*")].flatMap(n => [n, ...(n.shadowRoot ? within(n.shadowRoot) : [])])
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex], [role=slider], [role=switch]"
  const group = node => node.closest(".tiles, .strip, [role=radiogroup]")
  const entered = new Set([...window.reached].map(group))
  const excused = "section, [data-testid^=stNumberInputStep], [aria-haspopup=listbox][tabindex='-1'], [type=file]"
  return within(document)
    .filter(n => n.matches(kinds) && !n.matches(`:disabled, ${excused}`) && !n.closest("[inert], [aria-hidden=true]"))
    .filter(n => n.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter(n => !window.reached.has(n) && !entered.has(group(n) ?? n))
    .map(n => n.outerHTML.slice(0, 200))
}"""


def test_tab_reaches_every_control_of_explore_and_each_has_a_name(open_pad: Open) -> None:
    pad = open_pad("/explore?model=digits-gan&seed=5&edits=0:2").wait_live()
    page = pad.page
    page.get_by_role("button", name="Keep", exact=True).click()
    page.locator(".st-key-tray .tile").wait_for()
    page.locator(".latent-pad .rest summary").click()
    devtools = page.context.new_cdp_session(page)

    def press() -> tuple[str, str, str]:
        """Press Tab; returns what has the focus: element, role and name."""
        page.keyboard.press("Tab")
        found = devtools.send("Runtime.evaluate", {"expression": FOCUSED})["result"]
        node = {"objectId": found["objectId"]}
        devtools.send("Runtime.callFunctionOn", {**node, "functionDeclaration": REMEMBER})
        seen = devtools.send("Accessibility.getPartialAXTree", {**node, "fetchRelatives": False})["nodes"][0]
        role, name = (str(seen.get(key, {}).get("value", "")) for key in ("role", "name"))
        return found["description"], role, name.strip()

    def round_trip() -> list[tuple[str, str, str]]:
        stops: list[tuple[str, str, str]] = []
        while not stops or not stops[-1][0].startswith("body"):
            stops.append(press())
            assert len(stops) < 300, f"the focus does not come around: {stops[-5:]}"
        return stops[:-1]

    round_trip()  # from where the last click was to the end of the page
    stops = round_trip()
    # Streamlit's page is a stop itself, where arrow keys scroll.
    assert [stop for stop in stops if not stop[2] and stop[1] != "main"] == []
    missed = page.evaluate(MISSED)
    assert not missed, "\n".join(missed)
    names = {name for _element, _role, name in stops}
    expected = {
        "Explore",
        "Seed",
        "Random",
        "Reset",
        "Download",
        "Show speed",
        "Full screen",
        "Along",
        "seed 5*",
    }
    assert expected <= names, f"{expected - names} not among {names}"
    assert (
        sum(role == "slider" for _element, role, _name in stops) >= 8 + 24 + 2
    )  # directions, the plane, truncation
