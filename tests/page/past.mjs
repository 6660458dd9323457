// The graphs of the past, and the words that the page explains.

import assert from "node:assert/strict";

/** The sentence of a graph. */
function readout(page, id) {
  return page.locator(`#graph-${id} .readout`);
}

/** `most` sessions were open; then one was silent and one was closed. */
export async function showsThePast(page, most) {
  await readout(page, "open").getByText(`${most - 2} open now; since the start of the server between 0 and ${most}.`).waitFor();
  await readout(page, "ends").getByText("2 ended since the start of the server: 1 ping timeout, 1 transport close.").waitFor();
  await readout(page, "trips").getByText(/^\d+ round trips since the start of the server: half within [\d.]+ m?s, 99 % within [\d.]+ m?s, the longest [\d.]+ m?s\.$/).waitFor();
  for (const [id, paths] of [["open", 2], ["ends", 2], ["trips", 1]]) {
    const drawn = await page.locator(`#graph-${id} svg path:not(.grid)`).evaluateAll((paths) => paths.filter((path) => path.getAttribute("d")).length);
    assert.equal(drawn, paths, id);
  }
  assert.deepEqual(await page.getByRole("list", { name: "Colours of the reasons" }).getByRole("button").allTextContents(), ["ping timeout", "transport close"]);
  await movesThroughIt(page, most);
  await hasTables(page, most);
  await page.getByRole("button", { name: "1 hour" }).click();
  await page.getByRole("button", { name: "1 hour", pressed: true }).waitFor();
  assert.deepEqual(await page.locator("#graph-open .axis span").allTextContents(), ["60 min ago", "30 min ago", "now"]);
  await readout(page, "open").getByText(`between 0 and ${most}.`).waitFor();
  await page.getByRole("button", { name: "5 minutes" }).click();
}

/** The arrow keys, the mouse and a finger show what was at a time, in all graphs of time at once. */
async function movesThroughIt(page, most) {
  const plot = page.getByRole("slider", { name: "Open sessions over time" });
  await plot.focus();
  await page.keyboard.press("End");
  await readout(page, "open").getByText(new RegExp(`^\\d\\d:\\d\\d:\\d\\d: ${most - 2} open`)).waitFor();
  await readout(page, "ends").getByText(/^\d\d:\d\d:\d\d: /).waitFor();
  const now = Number(await plot.getAttribute("aria-valuenow"));
  await page.keyboard.press("ArrowLeft");
  assert.equal(Number(await plot.getAttribute("aria-valuenow")), now - 1);
  assert.match(await plot.getAttribute("aria-valuetext"), /^\d\d:\d\d:\d\d: \d+ open/);
  await page.keyboard.press("Home");
  await readout(page, "open").getByText("The server had not started.").waitFor();
  await page.keyboard.press("Escape");
  await readout(page, "open").getByText("open now").waitFor();
  // Somewhere among the round trips there are some.
  const trips = page.locator("#graph-trips .plot");
  await trips.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await trips.boundingBox();
  const seen = new Set();
  for (let step = 0; step < 30; step++) {
    await page.mouse.move(x + (step + .5) * width / 30, y + height / 2);
    seen.add(await readout(page, "trips").textContent());
  }
  assert.ok([...seen].some((text) => /^[\d.]+ m?s to [\d.]+ m?s: [1-9]\d* round trips?$/.test(text)), [...seen].join("; "));
  // As a hand moves it: a busy browser can miss the one event of a leap.
  await page.mouse.move(0, 0, { steps: 5 });
  await readout(page, "trips").getByText("half within").waitFor();
}

/** Everything that the graphs show is in a table as well. */
async function hasTables(page, most) {
  for (const summary of await page.locator("#past-title").locator("xpath=ancestor::section").getByText("As a table").all()) await summary.click();
  const cells = (id, column) => page.locator(`#graph-${id} tbody tr td:nth-child(${column})`).allTextContents();
  assert.equal(Math.max(...(await cells("open", 4)).map(Number)), most);
  assert.equal((await cells("ends", 2)).reduce((sum, cell) => sum + Number(cell), 0), 2);
  assert.ok((await cells("ends", 3)).join().includes("1 ping timeout"));
  const [trips] = (await readout(page, "trips").textContent()).match(/^\d+/);
  const listed = (await cells("trips", 2)).reduce((sum, cell) => sum + Number(cell), 0);
  // Heartbeats go on.
  assert.ok(listed > 0 && Math.abs(listed - trips) < 100, `${listed} and ${trips}`);
}

/** A page that is opened later shows what was before: the sessions of the tab have ended, and `most` were open. */
export async function remembersThePast(page, most) {
  await readout(page, "open").getByText(new RegExp(`^\\d+ open now; since the start of the server between 0 and ${most}\\.$`)).waitFor();
  await readout(page, "ends").getByText(/ended since the start of the server: 1 ping timeout, \d+ transport close\.$/).waitFor();
  await readout(page, "trips").getByText("half within").waitFor();
}

/** Each word that needs it has an explanation, by keyboard, by mouse and by touch. */
export async function explainsItsWords(page) {
  const words = await page.locator("button.word:visible").evaluateAll((buttons) =>
    buttons.map((button) => [button.textContent, button.popoverTargetElement?.textContent.length ?? 0]));
  assert.ok(words.length >= 7, String(words));
  for (const [word, length] of words) assert.ok(length > 40, `${word} has no explanation`);
  const tip = page.getByText(/How long ago the latest packet of the client arrived/).and(page.locator(".tip"));
  const word = page.locator("#live").getByRole("button", { name: "Last sign of life" });
  await word.focus();
  for (const key of ["Enter", "Space"]) {
    await page.keyboard.press(key);
    await tip.waitFor();
    await page.keyboard.press("Escape");
    await tip.waitFor({ state: "hidden" });
  }
  await word.hover();
  await tip.waitFor();
  await word.click();
  await page.mouse.move(0, 0);
  assert.ok(await tip.isVisible(), "a click keeps it open");
  await page.mouse.click(5, 300);
  await tip.waitFor({ state: "hidden" });
  await word.hover();
  await page.mouse.move(0, 0);
  await tip.waitFor({ state: "hidden" });
  await explainsByTouch(page, word, tip);
  // All of them are in one list, too.
  await page.getByText("Words on this page").click();
  await page.locator("#words").getByText("Probe", { exact: true }).waitFor();
  await page.getByText("Words on this page").click();
}

/** On a small screen, where the heads of tables are one line of words. */
async function explainsByTouch(page, word, tip) {
  const wide = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 740 });
  await word.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await word.boundingBox();
  const touch = await page.context().newCDPSession(page);
  await touch.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 1 });
  const point = { x: x + width / 2, y: y + height / 2 };
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [point] });
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await tip.waitFor();
  const box = await tip.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y >= 0 && box.y + box.height <= 740, JSON.stringify(box));
  await page.keyboard.press("Escape");
  await tip.waitFor({ state: "hidden" });
  await touch.send("Emulation.setTouchEmulationEnabled", { enabled: false });
  await touch.detach();
  await page.setViewportSize(wide);
}
