// Drives Chromium through the page of `eio serve`, as a person would use it, and takes screenshots.
//
//   node look.mjs URL FOLDER [OTHERS [SOCKETIO]]
//
// The server at URL pings every second or so; OTHERS sessions of other clients are open on it, one on polling, one of
// revision 3. The server at SOCKETIO speaks Socket.IO and is the node a7: one socket is in its namespace /chat and in the room
// lobby there, has sent two events, and has got one back. Prints nothing and exits with code 0 if all is as it should be.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { hasContrast, isStill } from "./access.mjs";
import { explainsItsWords, remembersThePast, showsThePast } from "./past.mjs";

const [url, folder, already = "0", socketio] = process.argv.slice(2);
const others = Number(already);
const origins = [url, socketio].filter(Boolean).map((server) => new URL(server).origin);
const PATIENCE = 20_000;

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const profile = await mkdtemp(join(tmpdir(), "eio-page-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: flags,
  viewport: { width: 1280, height: 860 },
  colorScheme: "light",
});

try {
  const page = context.pages()[0] ?? await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const from = new URL(request.url());
    if (from.protocol !== "data:" && !origins.includes(from.origin)) complaints.push(`asked for ${from}`);
  });

  await page.goto(url);
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  await seesTheOthers(page);
  await opensASession(page);
  await opensWithTheKeyboard(page);
  await opensTen(page);
  await hasAScale(page);
  await explainsItsWords(page);
  const silenced = await fallsSilent(page);
  await everyLook(page);
  await isNoticed(page, silenced);
  await closes(page);
  await showsThePast(page, own(12));
  await shoot(page, "ended");
  await survivesAReload(page);
  assert.equal(await page.getByRole("heading", { name: "Namespaces" }).count(), 0);
  if (socketio) await showsNamespaces(page);
  assert.deepEqual(complaints, [], "the browser complained");
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}

/** The name of the tab's own session `number`. */
function own(number) {
  return others + number;
}

/** The row of an open session. */
function row(page, number) {
  return page.locator("#live tbody tr").filter({ has: page.getByText(`#${number}`, { exact: true }) });
}

/** The row of a session that ended. */
function endedRow(page, number) {
  return page.locator("#ended tbody tr").filter({ has: page.getByText(`#${number}`, { exact: true }) });
}

/** Sessions of other clients are shown, and cannot be touched. */
async function seesTheOthers(page) {
  if (others === 0) {
    await page.getByText("No session is open.").waitFor();
  } else {
    await page.locator("#live").getByText("polling", { exact: true }).waitFor();
    await page.locator("#live").getByText("websocket, EIO 3", { exact: true }).waitFor();
    await page.locator("#live").getByText(/client’s ping due in \d/).waitFor();
    assert.equal(await page.locator("#live tbody tr").count(), others);
    assert.equal(await page.locator("#live tbody button").count(), 0);
  }
}

async function opensASession(page) {
  await page.getByRole("button", { name: "Open a session" }).click();
  const first = row(page, own(1));
  await first.getByText("websocket", { exact: true }).waitFor();
  await first.getByText("this tab").waitFor();
  // It lives: heartbeats come in while one looks.
  await first.locator(".strip i").nth(2).waitFor();
  await first.getByText(/^\d.* ms$/).first().waitFor();
  await first.getByText(/next ping in \d/).waitFor();
  assert.match(await first.locator(".strip").getAttribute("aria-label"), /recent heartbeats, round trips/);
}

async function opensWithTheKeyboard(page) {
  await page.getByRole("button", { name: "Open a session" }).focus();
  await page.keyboard.press("Enter");
  await row(page, own(2)).waitFor();
}

async function opensTen(page) {
  await page.getByRole("button", { name: "Open ten" }).click();
  await row(page, own(12)).waitFor();
  assert.equal(await page.locator("#live tbody tr").count(), own(12));
  assert.equal(await page.locator("#open").textContent(), String(own(12)));
  // The newest come first.
  assert.match(await page.locator("#live tbody tr").first().textContent(), new RegExp(`^#${own(12)}`));
}

/** The bars of heartbeats stand on a scale that ends with the ping timeout, and a longer round trip is a higher bar. */
async function hasAScale(page) {
  const strip = row(page, own(1)).locator(".strip");
  assert.deepEqual(await strip.locator("b").allTextContents(), ["0.1 ms", "10 ms", "4 s"]);
  const heights = await page.evaluate(() => [0.01, 0.1, 1, 10, 4000, 9000].map(height));
  assert.deepEqual(heights, [0, 0, 22, 43, 100, 100]);
  assert.match(await strip.locator(".bars").evaluate((bars) => getComputedStyle(bars).backgroundImage), /^(linear-gradient.*){4}$/);
}

async function fallsSilent(page) {
  const number = own(9);
  await page.getByRole("button", { name: `Ignore pings: session ${number}` }).click();
  await page.getByRole("button", { name: `Answer pings: session ${number}`, pressed: true }).waitFor();
  await row(page, number).getByText(/no answer, ends in \d/).waitFor();
  await row(page, number).locator(".clock.waiting").waitFor();
  return number;
}

async function isNoticed(page, number) {
  const ended = endedRow(page, number);
  await ended.getByText("ping timeout", { exact: true }).waitFor();
  await ended.getByText("the peer was silent").waitFor();
  assert.equal(await row(page, number).count(), 0);
  assert.equal(await page.locator("#open").textContent(), String(own(11)));
  await page.getByRole("log").getByText(new RegExp(`Session ${number} ended: ping timeout, after [\\d.]+ m?s of silence`)).waitFor();
}

async function closes(page) {
  await page.getByRole("button", { name: `Close session ${own(3)}` }).click();
  await endedRow(page, own(3)).getByText("transport close", { exact: true }).waitFor();
}

/** Another look at the same server sees what is there; the tab's own sessions are gone with the tab. */
async function survivesAReload(page) {
  await page.reload();
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  await endedRow(page, own(9)).getByText("ping timeout", { exact: true }).waitFor();
  await page.waitForFunction((count) => document.querySelector("#open").textContent === count, String(others));
  await seesTheOthers(page);
  await remembersThePast(page, own(12));
}

/** The row of a namespace. */
function namespaceRow(page, name) {
  return page.locator("#namespaces tbody tr").filter({ has: page.getByText(name, { exact: true }) });
}

/** What the row of a namespace shows, without its rates. */
async function shownOf(page, name) {
  return (await namespaceRow(page, name).locator("td").allTextContents()).map((text) => text.replace(/ [\d.]+\/s$/, ""));
}

async function showsNamespaces(page) {
  await page.goto(socketio);
  await page.getByRole("heading", { name: "Namespaces" }).waitFor();
  await namespaceRow(page, "/chat").waitFor();
  assert.deepEqual(await shownOf(page, "/chat"), ["/chat", "1", "1 lobby × 1", "2", "1", ""]);
  // A session of this tab joins the namespace /, and is counted there when it ends.
  await page.getByRole("button", { name: "Open a session" }).click();
  await namespaceRow(page, "/").waitFor();
  assert.deepEqual(await shownOf(page, "/"), ["/", "1", "0", "0", "0", ""]);
  await row(page, 2).getByText(/^a7.{4}…$/).waitFor();
  await row(page, 2).getByText("this tab").waitFor();
  await shoot(page, "ended-namespaces");
  await fits(page);
  await page.getByRole("button", { name: "Close session 2" }).click();
  await namespaceRow(page, "/").getByText("transport close × 1").waitFor();
  assert.deepEqual(await shownOf(page, "/"), ["/", "0", "0", "0", "0", "transport close × 1"]);
}

async function everyLook(page) {
  for (const [width, height, size] of [[1280, 860, "wide"], [820, 1180, "medium"], [360, 1280, "narrow"]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await shoot(page, `${size}-${colorScheme}`);
      await hasContrast(page, colorScheme);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await isStill(page);
  await fits(page);
}

async function fits(page) {
  for (let width = 320; width <= 1440; width += 40) {
    await page.setViewportSize({ width, height: 860 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels stick out of ${width}`);
  }
  await page.setViewportSize({ width: 1280, height: 860 });
}

async function shoot(page, name) {
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: ["wide", "ended"].some((long) => name.startsWith(long)) });
}
