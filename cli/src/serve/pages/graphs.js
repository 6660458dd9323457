// ---- The past, which the server sums up in buckets of fixed widths: sessions, ends and round trips ----
const REASONS = ["ping timeout", "transport error", "parse error", "application stalled", "other", "transport close", "forced close"];
const PER_DECADE = 5, ROWS = 10, TABLE_EVERY_MS = 10_000, DRAW_EVERY_MS = 1000;
const past = { scales: [], bounds: [], now: 0, at: 0, chosen: 0, slots: [], drawnAt: -Infinity };

function showHistory(history, now) {
  if (history.bounds_ms) {
    past.bounds = history.bounds_ms;
    past.scales = history.scales.map(({ width_ms, length }) => ({ width: width_ms, length, buckets: new Map() }));
  }
  history.scales.forEach(({ buckets }, i) => buckets.forEach((bucket) => past.scales[i].buckets.set(bucket.at, bucket)));
  Object.assign(past, { now: history.now_ms, at: now });
}

/** Returns all buckets of the chosen scale, oldest first, also those in which nothing happened. */
function slotsOf({ width, length, buckets }, now) {
  const newest = Math.floor((past.now + now - past.at) / width), oldest = newest - length + 1;
  for (const at of buckets.keys()) if (at < oldest) buckets.delete(at);
  const known = [...buckets.keys()];
  let open = known.length ? buckets.get(Math.min(...known)).open[0] : openNow;
  return Array.from({ length }, (_, i) => {
    const at = oldest + i, bucket = buckets.get(at) ?? { at, open: [open, open, open, open], ends: {}, round_trips: [], longest_ms: 0 };
    open = bucket.open[3];
    return bucket;
  });
}

/** Returns the sum of what ended in these buckets, for each reason that occurred. */
function endsOf(slots) {
  const sums = {};
  for (const reason of REASONS) {
    const sum = slots.reduce((sum, { ends }) => sum + (ends[reason] ?? 0), 0);
    if (sum) sums[reason] = sum;
  }
  return sums;
}

const total = (sums) => Object.values(sums).reduce((sum, n) => sum + n, 0);
const listed = (ends) => Object.entries(ends).map(([reason, n]) => `${count(n)} ${reason}`).join(", ");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
/** Returns the first of 1, 2, 5, 10, 20, 50 .. that is not below `most`. */
function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= most);
}

/** A graph with a scale, a cursor that the pointer and the arrow keys move, a sentence, and a table. */
class Graph {
  /** `describe` says what is at a position. `cursor` is shared by graphs that show the same time. */
  constructor(id, label, cursor, describe) {
    Object.assign(this, { cursor, describe, first: 0, length: 1, sentence: "", tableAt: -Infinity });
    this.readout = element("p", "readout");
    this.plot = element("div", "plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "slider");
    this.plot.setAttribute("aria-label", `${label}: the arrow keys move through it`);
    this.svg = drawing("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.marker = element("i", "marker");
    this.plot.append(this.svg, this.marker);
    this.top = element("span");
    const scale = element("div", "scale"), frame = element("div", "frame");
    scale.setAttribute("aria-hidden", "true");
    scale.append(this.top, element("span", "", "0"));
    this.axis = element("div", "axis");
    this.axis.setAttribute("aria-hidden", "true");
    frame.append(scale, this.plot, this.axis);
    this.details = element("details");
    this.table = element("table");
    this.details.append(element("summary", "", "As a table"), this.table);
    this.details.ontoggle = () => { this.tableAt = -Infinity; drawPast(); };
    $(id).append(this.readout, frame, this.details);
    this.listen();
  }

  listen() {
    const { plot } = this;
    plot.onpointermove = plot.onpointerdown = ({ clientX }) => {
      const { left, width } = plot.getBoundingClientRect();
      this.move(this.first + Math.floor((clientX - left) / width * this.length));
    };
    plot.onpointerleave = ({ pointerType }) => { if (pointerType === "mouse") this.move(null); };
    plot.onfocus = () => this.move(this.cursor.at ?? Infinity);
    plot.onblur = () => this.move(null);
    plot.onkeydown = (event) => {
      const last = this.first + this.length - 1, at = this.cursor.at ?? last;
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10,
        Home: this.first, End: last, Escape: null }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.move(to);
    };
  }

  move(at) {
    if (!past.slots.length) return;
    this.cursor.at = at === null ? null : Math.min(this.first + this.length - 1, Math.max(this.first, at));
    graphs.forEach((graph) => graph.point());
  }

  /** Shows the cursor and what is there, or the sentence about all of it. */
  point() {
    let { at } = this.cursor;
    const last = this.first + this.length - 1;
    if (at !== null && (at < this.first || at > last)) at = null;
    setText(this.readout, at === null ? this.sentence : this.describe(at));
    this.marker.hidden = at === null;
    this.marker.style.left = `${100 * ((at ?? 0) - this.first) / this.length}%`;
    this.marker.style.width = `${100 / this.length}%`;
    for (const [name, value] of [["min", this.first], ["max", last], ["now", at ?? last], ["text", this.describe(at ?? last)]]) {
      const attribute = `aria-value${name}`;
      if (this.plot.getAttribute(attribute) !== String(value)) this.plot.setAttribute(attribute, value);
    }
  }

  /** Writes labels below the graph, at equal distances. */
  label(labels) {
    this.axis.replaceChildren(...labels.map((text, i) => {
      const label = element("span", "", text);
      label.style.left = `${100 * i / (labels.length - 1)}%`;
      return label;
    }));
  }

  /** Draws paths, each with its class, on a ground of `length` by 100. */
  draw({ first, length, top, labels, paths, sentence, rows }, now) {
    Object.assign(this, { first, length, sentence });
    this.svg.setAttribute("viewBox", `0 0 ${length} 100`);
    this.svg.replaceChildren(drawing("path", { class: "grid", d: `M0 .5H${length}M0 50H${length}M0 99.5H${length}` }),
      ...paths.map(([name, d]) => drawing("path", { class: name, d })));
    setText(this.top, count(top));
    if (this.axis.textContent !== labels.join("")) this.label(labels);
    this.point();
    // A table that changed under its reader could not be read.
    if (!this.details.open || now - this.tableAt < TABLE_EVERY_MS) return;
    this.tableAt = now;
    const [head, body] = [element("thead"), element("tbody")], [names, ...lines] = rows;
    const line = (cells, tag) => {
      const tr = element("tr");
      tr.append(...cells.map((cell) => element(tag, "", cell)));
      return tr;
    };
    head.append(line(names, "th"));
    for (const th of head.rows[0].cells) th.scope = "col";
    body.append(...lines.map((cells) => line(cells, "td")));
    this.table.replaceChildren(head, body);
  }
}

function drawing(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Returns the time at which a bucket begins, on the clock of this browser. */
function startOf(at) {
  const { width } = past.scales[past.chosen];
  return new Date(Date.now() - (past.now + performance.now() - past.at - at * width)).toLocaleTimeString("en-GB");
}
const slotAt = (at) => past.slots[at - past.slots[0].at];

const time = { at: null };
const graphs = new Map([
  ["open", new Graph("graph-open", "Open sessions over time", time, (at) => {
    const [, least, most, last] = slotAt(at).open;
    return at < 0 ? "The server had not started." : `${startOf(at)}: ${count(last)} open${least === most ? "" : `, between ${count(least)} and ${count(most)}`}`;
  })],
  ["ends", new Graph("graph-ends", "Ends of sessions over time", time, (at) => {
    const { ends } = slotAt(at);
    return at < 0 ? "The server had not started." : `${startOf(at)}: ${total(ends) ? listed(ends) : "no end"}`;
  })],
  ["trips", new Graph("graph-trips", "Round trips by length", { at: null }, (at) => `${classWords(at - PER_DECADE + 1)}: ${plural(past.trips?.[at - PER_DECADE + 1] ?? 0, "round trip", "round trips")}`)],
]);

graphs.get("ends").details.before($("legend"));

/** Returns the round trips that the class holds, in words. */
function classWords(at) {
  const { bounds } = past;
  if (at <= 0) return `up to ${whole(bounds[0])}`;
  return at < bounds.length ? `${whole(bounds[at - 1])} to ${whole(bounds[at])}` : `more than ${whole(bounds.at(-1))}`;
}

function drawPast() {
  const now = performance.now(), scale = past.scales[past.chosen];
  if (!scale || document.hidden) return;
  past.drawnAt = now;
  past.slots = slotsOf(scale, now);
  const period = scale.width * scale.length, begun = past.now + now - past.at;
  const minutes = period / 60_000, labels = [`${minutes} min ago`, `${minutes / 2} min ago`, "now"];
  const within = begun < period ? "since the start of the server" : `in the past ${minutes} minutes`;
  const common = { first: past.slots[0].at, length: scale.length, labels };
  const group = Math.ceil(scale.length / ROWS), groups = [];
  for (let i = 0; i < scale.length; i += group) groups.unshift(past.slots.slice(i, i + group).filter(({ at }) => at >= 0));
  const shown = groups.filter((slots) => slots.length);
  drawOpen(common, within, shown, now);
  drawEnds(common, within, shown, now);
  drawTrips(within, now);
}

function drawOpen(common, within, groups, now) {
  const lived = past.slots.filter(({ at }) => at >= 0), edge = (open) => [Math.min(...open), Math.max(...open)];
  const [least, most] = edge(lived.flatMap(({ open }) => open)), top = roundUp(most), y = (n) => 100 - 99 * n / top;
  let band = "", line = "";
  past.slots.forEach(({ at, open }, x) => {
    if (at < 0) return;
    band += `M${x} 100V${y(open[2])}h1V100z`;
    line += `${line ? "" : `M${x} ${y(open[0])}`}V${y(open[1])}V${y(open[2])}V${y(open[3])}h1`;
  });
  const sentence = least === most ? `${count(openNow)} open now, and all the time ${within}.`
    : `${count(openNow)} open now; ${within} between ${count(least)} and ${count(most)}.`;
  const rows = [["From", "Open at the end", "Least", "Most"], ...groups.map((slots) => {
    const [least, most] = edge(slots.flatMap(({ open }) => open));
    return [startOf(slots[0].at), ...[slots.at(-1).open[3], least, most].map(count)];
  })];
  graphs.get("open").draw({ ...common, top, paths: [["area", band], ["line", line]], sentence, rows }, now);
}

function drawEnds(common, within, groups, now) {
  const sums = endsOf(past.slots), top = roundUp(Math.max(...past.slots.map(({ ends }) => total(ends))));
  const paths = new Map(REASONS.map((reason) => [reason, ""]));
  past.slots.forEach(({ ends }, x) => {
    let from = 100;
    for (const reason of REASONS) {
      if (!ends[reason]) continue;
      // One end among thousands must be seen, too.
      const height = Math.max(3, 99 * ends[reason] / top);
      paths.set(reason, `${paths.get(reason)}M${x + .08} ${from}v${-height}h.84v${height}z`);
      from -= height;
    }
  });
  const sentence = total(sums) ? `${count(total(sums))} ended ${within}: ${listed(sums)}.` : `No session ended ${within}.`;
  const rows = [["From", "Ended", "Reasons"], ...groups.map((slots) => {
    const ends = endsOf(slots);
    return [startOf(slots[0].at), count(total(ends)), listed(ends)];
  })];
  graphs.get("ends").draw({ ...common, top, paths: [...paths].map(([reason, d]) => [`end ${classOf(reason)}`, d]), sentence, rows }, now);
  const legend = $("legend"), reasons = Object.keys(sums).join();
  if (legend.dataset.reasons === reasons) return;
  legend.dataset.reasons = reasons;
  legend.replaceChildren(...Object.keys(sums).map((reason) => {
    const item = element("li", classOf(reason));
    item.append(element("i", "swatch"), wordButton(reason));
    return item;
  }));
}
const classOf = (reason) => `end-${reason.replaceAll(" ", "-")}`;

function drawTrips(within, now) {
  const trips = past.trips = new Array(past.bounds.length + 1).fill(0);
  for (const { round_trips } of past.slots) for (const [at, n] of round_trips) trips[at] += n;
  const longest = Math.max(...past.slots.map(({ longest_ms }) => longest_ms)), sum = total(trips);
  // The first class ends where the second power of ten begins, so that each power of ten has as many positions.
  const used = trips.flatMap((n, at) => (n ? [at + PER_DECADE - 1] : []));
  let [from, to] = used.length ? [used[0], used.at(-1)].map((at) => Math.floor(at / PER_DECADE)) : [2, 4];
  if (to - from < 2) { to += 1; from = Math.max(0, to - 2); }
  const first = from * PER_DECADE, length = (to - from + 1) * PER_DECADE, top = roundUp(Math.max(...trips));
  let bars = "";
  trips.forEach((n, at) => {
    const height = Math.max(3, 99 * n / top);
    if (n) bars += `M${at + PER_DECADE - 1 - first + .06} 100v${-height}h.88v${height}z`;
  });
  /** Returns the length that this part of the round trips did not exceed. */
  const lengthOf = (part) => {
    let passed = 0;
    const at = trips.findIndex((n) => (passed += n) >= part * sum);
    return past.bounds[at] < longest ? whole(past.bounds[at]) : span(longest);
  };
  const sentence = sum === 0 ? `No round trip was measured ${within}.`
    : `${plural(sum, "round trip", "round trips")} ${within}: half within ${lengthOf(.5)}, 99 % within ${lengthOf(.99)}, the longest ${span(longest)}.`;
  const labels = Array.from({ length: to - from + 2 }, (_, i) => whole(10 ** (from + i) / 1000));
  const rows = [["Length", "Round trips"], ...trips.flatMap((n, at) => (n ? [[classWords(at), count(n)]] : []))];
  graphs.get("trips").draw({ first, length, top, labels, paths: [["bars", bars]], sentence, rows }, now);
}

document.querySelectorAll("[data-scale]").forEach((button, _, buttons) => {
  button.onclick = () => {
    past.chosen = Number(button.dataset.scale);
    time.at = null;
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    graphs.forEach((graph) => { graph.tableAt = -Infinity; });
    drawPast();
  };
});
