// ---- Words that only we know: each is a button that opens its meaning, also by keyboard and by touch ----
const TIP_WIDTH = 340;
let hovered = null;                                          // the word whose tip was opened by the mouse

/** Returns a button for a word that the list at the end of the page explains, or its text alone. */
function wordButton(word, text = word) {
  const tip = document.getElementById(`tip-${word.replaceAll(" ", "-")}`);
  if (!tip) return element("span", "", text);
  const button = element("button", "word", text);
  explain(button, tip);
  return button;
}

function explain(button, tip) {
  button.type = "button";
  button.popoverTargetElement = tip;
  const place = () => {
    const { left, top, bottom } = button.getBoundingClientRect(), { clientWidth } = document.documentElement;
    const above = bottom > innerHeight * .65;
    const width = Math.min(TIP_WIDTH, clientWidth - 16);
    Object.assign(tip.style, {
      width: `${width}px`, left: `${Math.max(8, Math.min(left, clientWidth - width - 8))}px`,
      top: above ? "auto" : `${bottom + 6}px`, bottom: above ? `${innerHeight - top + 6}px` : "auto",
    });
  };
  const isOpen = () => tip.matches(":popover-open");
  button.onpointerenter = ({ pointerType }) => {
    if (pointerType !== "mouse" || isOpen()) return;
    place();
    tip.showPopover();
    hovered = button;
  };
  button.onpointerleave = () => { if (hovered === button) { hovered = null; tip.hidePopover(); } };
  button.onclick = (event) => {
    place();
    // A click keeps open what the mouse has opened.
    if (hovered === button && isOpen()) { hovered = null; event.preventDefault(); }
  };
}

for (const entry of $("words").children) {
  const tip = element("div", "tip");
  tip.id = entry.id.replace("word-", "tip-");
  tip.popover = "auto";
  tip.append(element("strong", "", entry.querySelector("dt").textContent), " ", entry.querySelector("dd").textContent);
  document.body.append(tip);
}
document.querySelectorAll("[data-word]").forEach((button) => explain(button, $(`tip-${button.dataset.word}`)));
// A tip belongs to a place on the screen.
addEventListener("scroll", () => document.querySelector(".tip:popover-open")?.hidePopover(), { passive: true });
