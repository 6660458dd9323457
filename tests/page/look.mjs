// Drives Chromium through the page of `eio serve`, as a person would use it, and takes screenshots.
//
//   node look.mjs URL FOLDER
//
// The server at URL has a ping interval of a few hundred milliseconds. Prints nothing and exits with code 0 if all is
// as it should be.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const origin = new URL(url).origin;
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
    if (from.protocol !== "data:" && from.origin !== origin) complaints.push(`asked for ${from}`);
  });

  await page.goto(url);
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  await page.getByText("No session is open.").waitFor();
  await shoot(page, "empty");

  await opensASession(page);
  await opensWithTheKeyboard(page);
  await opensTen(page);
  const silenced = await fallsSilent(page);
  await everyLook(page);
  await isNoticed(page, silenced);
  await closes(page);
  await shoot(page, "ended");
  await survivesAReload(page);
  assert.deepEqual(complaints, [], "the browser complained");
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}

/** The row of an open session. */
function row(page, number) {
  return page.locator("#live tbody tr").filter({ has: page.getByText(`#${number}`, { exact: true }) });
}

/** The row of a session that ended. */
function endedRow(page, number) {
  return page.locator("#ended tbody tr").filter({ has: page.getByText(`#${number}`, { exact: true }) });
}

async function opensASession(page) {
  await page.getByRole("button", { name: "Open a session" }).click();
  const first = row(page, 1);
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
  await row(page, 2).waitFor();
}

async function opensTen(page) {
  await page.getByRole("button", { name: "Open ten" }).click();
  await row(page, 12).waitFor();
  assert.equal(await page.locator("#live tbody tr").count(), 12);
  assert.equal(await page.locator("#open").textContent(), "12");
  // The newest come first.
  assert.match(await page.locator("#live tbody tr").first().textContent(), /^#12/);
}

async function fallsSilent(page) {
  const button = page.getByRole("button", { name: "Go silent: session 9" });
  await button.click();
  await page.getByRole("button", { name: "Answer again: session 9", pressed: true }).waitFor();
  await row(page, 9).getByText(/no answer yet: ends in \d/).waitFor();
  await row(page, 9).locator(".clock.waiting").waitFor();
  return 9;
}

async function isNoticed(page, number) {
  const ended = endedRow(page, number);
  await ended.getByText("ping timeout", { exact: true }).waitFor();
  await ended.getByText("the peer was silent").waitFor();
  assert.equal(await row(page, number).count(), 0);
  assert.equal(await page.locator("#open").textContent(), "11");
  await page.getByRole("log").getByText(new RegExp(`Session ${number} ended: ping timeout, after [\\d.]+ m?s of silence`)).waitFor();
}

async function closes(page) {
  await page.getByRole("button", { name: "Close session 3" }).click();
  await endedRow(page, 3).getByText("transport close", { exact: true }).waitFor();
}

/** Another look at the same server sees what is there; the tab's own sessions are gone with the tab. */
async function survivesAReload(page) {
  await page.reload();
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  await endedRow(page, 9).getByText("ping timeout", { exact: true }).waitFor();
  await page.getByText("No session is open.").waitFor();
}

async function everyLook(page) {
  for (const [width, height, size] of [[1280, 860, "wide"], [820, 1180, "medium"], [360, 1280, "narrow"]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await shoot(page, `${size}-${colorScheme}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${size}: ${overflow} pixels stick out`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: "light" });
}

async function shoot(page, name) {
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: name.startsWith("wide") });
}
