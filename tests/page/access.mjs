// What people need who see little, or are disturbed by motion.

import assert from "node:assert/strict";

/** All text has a contrast of at least 4.5 with its ground, and the colours of graphs one of 3 (WCAG 2.2, AA). */
export async function hasContrast(page, theme) {
  const low = await page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const [r, g, b] = rgba(color).map((part) => part / 255).map((part) => (part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4));
      return .2126 * r + .7152 * g + .0722 * b;
    };
    const contrast = (a, b) => {
      const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (light + .05) / (dark + .05);
    };
    const ground = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const color = getComputedStyle(at).backgroundColor;
        if (rgba(color)[3] === 255) return color;
      }
      return "white";
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const node = text.parentElement;
      if (!text.textContent.trim() || !node.checkVisibility() || node.closest("script, :disabled")) continue;
      const ratio = contrast(getComputedStyle(node).color, ground(node));
      if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${text.textContent.trim().slice(0, 40)}`);
    }
    const root = getComputedStyle(document.documentElement), surface = root.getPropertyValue("--surface");
    for (const tint of ["accent", "bad", "wait", "violet", "pink", "blue", "soft"]) {
      const ratio = contrast(root.getPropertyValue(`--${tint}`), surface);
      if (ratio < 3) found.push(`${ratio.toFixed(2)}: the colour ${tint}`);
    }
    return [...new Set(found)];
  });
  assert.deepEqual(low, [], `contrast on the ${theme} page`);
}

/** Nothing moves by itself for people who asked for that. */
export async function isStill(page) {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const moving = () => page.evaluate(() => document.getAnimations().length);
  assert.equal(await moving(), 0);
  // A new row would flash.
  await page.evaluate(() => document.querySelector("#live tbody tr").classList.add("new"));
  assert.equal(await moving(), 0);
  await page.emulateMedia({ reducedMotion: "no-preference" });
}
