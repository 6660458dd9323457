// ---- Sessions of this tab: a minimal Engine.IO client over WebSocket ----
const ENDED_SHOWN = 50, OWN_AT_ONCE = 100, SHORTEST_MS = 0.1;
let scaleLabels = [];
const own = new Map();  // sid -> { socket, silent }

/** Returns the session of this tab that is shown so: the beginning of its sid, and an ellipsis. */
const ownOf = (shown) => [...own].find(([sid]) => sid.startsWith(shown.slice(0, -1)))?.[1];

function openSession() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${about.path}?EIO=4&transport=websocket`);
  const session = { socket, silent: false };
  let sid = null;
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    if (data[0] === "0") { // open: the handshake
      ({ sid } = JSON.parse(data.slice(1)));
      own.set(sid, session);
      rows.forEach((row) => row.draw());
      if (about.socketio) socket.send("40"); // join the namespace /
    } else if (data[0] === "2" && !session.silent) { // ping: answer with a pong
      socket.send("3");
    }
  };
  socket.onclose = () => { own.delete(sid); updateButtons(); };
  updateButtons();
}

function updateButtons() {
  const canOpen = about !== null && about.websocket && document.body.dataset.state === "live";
  $("open-one").disabled = !canOpen || own.size >= OWN_AT_ONCE;
  $("open-ten").disabled = !canOpen || own.size + 10 > OWN_AT_ONCE;
}

$("open-one").onclick = openSession;
$("open-ten").onclick = () => { for (let i = 0; i < 10; i++) openSession(); };

// ---- The bars of heartbeats ----
/** Returns the height of a round trip in percent, on a logarithmic scale from 0.1 ms to the ping timeout. */
function height(rtt) {
  const part = Math.log(rtt / SHORTEST_MS) / Math.log(about.timeout_ms / SHORTEST_MS);
  return Math.round(100 * Math.min(1, Math.max(0, part)));
}

/** Puts lines at the powers of ten behind the bars, and chooses the lengths that are written beside them. */
function setScale() {
  const powers = [];
  for (let ms = 10 * SHORTEST_MS; ms < about.timeout_ms; ms *= 10) powers.push(ms);
  const marks = powers.map((ms) => `linear-gradient(to top, transparent calc(${height(ms)}% - 1px), var(--line) 0 ${height(ms)}%, transparent 0)`);
  document.documentElement.style.setProperty("--marks", marks.join(", ") || "none");
  const middle = powers.toSorted((a, b) => Math.abs(height(a) - 50) - Math.abs(height(b) - 50)).slice(0, 1);
  scaleLabels = [SHORTEST_MS, ...middle, about.timeout_ms].map((ms) => [whole(ms), height(ms)]);
}

// ---- One open session ----
class Row {
  constructor() {
    this.tr = element("tr", "new");
    const cell = cellsOf(this.tr);
    this.session = cell("session");
    this.number = element("span", "number");
    this.sid = element("span", "sid mono");
    this.mine = element("span", "tag mine", "this tab");
    this.session.append(this.number, this.sid, this.mine);
    this.transport = element("span", "tag");
    cell("transport", "Transport").append(this.transport);
    this.seen = cell("number when", "Last sign of life");
    this.rtt = cell("number when", "Round trip");
    this.strip = element("div", "strip");
    this.strip.setAttribute("role", "img");
    this.bars = element("div", "bars");
    this.strip.append(this.bars, ...scaleLabels.map(([text, percent]) => {
      const label = element("b", "", text);
      label.style.bottom = `${percent}%`;
      return label;
    }));
    cell("beats").append(this.strip);
    this.clock = element("div", "clock");
    this.clockText = element("span", "text");
    const bar = element("div", "bar");
    this.fill = element("span");
    bar.append(this.fill);
    bar.setAttribute("aria-hidden", "true");
    this.clock.append(this.clockText, bar);
    cell("clock-cell").append(this.clock);
    this.actions = cell("act");
    this.silence = element("button", "small silence");
    this.silence.onclick = () => {
      const session = ownOf(this.data.sid);
      if (session) { session.silent = !session.silent; this.draw(); }
    };
    this.close = element("button", "small close", "Close");
    this.close.onclick = () => ownOf(this.data.sid)?.socket.close();
  }

  update(data, now) {
    this.data = data;
    this.at = now;
    const bars = data.heartbeats.map(([rtt, ago]) => {
      const bar = element("i");
      bar.style.height = `${rtt === null ? 50 : height(rtt)}%`;
      bar.title = rtt === null ? "ping from the client" : `round trip ${span(rtt)}`;
      return bar;
    });
    if (data.ping_sent_ms !== null) {
      this.pending = element("i", "pending");
      this.pending.title = "ping without an answer so far";
      bars.push(this.pending);
    } else {
      this.pending = null;
    }
    this.bars.replaceChildren(...bars.slice(-30));
    const trips = data.heartbeats.map(([rtt]) => rtt).filter((rtt) => rtt !== null);
    const range = trips.length ? `, round trips ${span(Math.min(...trips))} to ${span(Math.max(...trips))}` : "";
    this.strip.setAttribute("aria-label", `${data.heartbeats.length} recent heartbeats${range}${data.ping_sent_ms !== null ? ", one ping without an answer" : ""}`);
    this.draw();
  }

  draw() {
    const { data } = this, session = ownOf(data.sid);
    setText(this.number, `#${data.number}`);
    setText(this.sid, data.sid);
    this.mine.hidden = !session;
    this.tr.classList.toggle("mine", Boolean(session));
    this.transport.className = `tag ${data.transport === "websocket" ? "websocket" : ""}`;
    setText(this.transport, data.transport + (data.revision === 3 ? ", EIO 3" : ""));
    setText(this.rtt, data.rtt_ms === null ? "–" : span(data.rtt_ms));
    if (session && !this.silence.isConnected) this.actions.append(this.silence, this.close);
    if (!session) this.actions.replaceChildren();
    if (session) {
      setText(this.silence, session.silent ? "Answer pings" : "Ignore pings");
      this.silence.setAttribute("aria-pressed", String(session.silent));
      this.silence.setAttribute("aria-label", `${session.silent ? "Answer pings" : "Ignore pings"}: session ${data.number}`);
      this.close.setAttribute("aria-label", `Close session ${data.number}`);
    }
    this.tick(performance.now());
  }

  tick(now) {
    const { data } = this, passed = now - this.at;
    setText(this.seen, `${span(data.seen_ms + passed)} ago`);
    if (data.deadline_ms === null) { setText(this.clockText, "closing"); return; }
    const left = Math.max(0, data.deadline_ms - passed);
    const waiting = data.ping_sent_ms !== null;
    this.fill.style.transform = `scaleX(${data.span_ms > 0 ? Math.min(1, left / data.span_ms) : 0})`;
    // An answer takes a moment. It counts as missing only after that.
    const missing = waiting && data.ping_sent_ms + passed > Math.min(1000, data.span_ms / 4);
    const late = missing && left < data.span_ms / 3;
    const words = missing ? "no answer, ends in" : waiting ? "answer due in"
      : data.revision === 3 ? "client’s ping due in" : "next ping in";
    setText(this.clockText, `${words} ${(left / 1000).toFixed(1)} s`);
    this.clock.className = `clock${missing ? " waiting" : ""}${late ? " late" : ""}`;
    if (this.pending) this.pending.className = late ? "pending overdue" : "pending";
  }
}

const rows = new Map();  // number -> Row
const EVERY_ROW = 10;    // how many turns pass until rows out of sight are drawn, too

/** Sees which rows are on the screen: a text that changes ten times a second costs layout also where nobody sees it. */
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.dataset.inSight = isIntersecting;
});

/** Draws the rows that can be seen, and all of them now and then. */
function tickRows(now, turn) {
  for (const row of rows.values()) if (turn % EVERY_ROW === 0 || row.tr.dataset.inSight === "true") row.tick(now);
}

const ended = new Map(); // number -> { tr, tick }

function showLive(data, now) {
  let row = rows.get(data.number);
  if (!row) {
    row = new Row();
    rows.set(data.number, row);
    sight.observe(row.tr);
    const before = [...rows.keys()].filter((number) => number < data.number);
    const next = before.length ? rows.get(Math.max(...before)).tr : null;
    $("live").tBodies[0].insertBefore(row.tr, next);
  }
  row.update(data, now);
}

const ORDERLY = new Set(["transport close", "forced close", "client namespace disconnect", "server namespace disconnect",
  "server shutting down"]);

function showEnded(data, now, announce) {
  rows.get(data.number)?.tr.remove();
  rows.delete(data.number);
  if (ended.has(data.number)) return;
  const tr = element("tr", announce ? "new" : "");
  const cell = cellsOf(tr);
  cell("session", "", element("span", "number", `#${data.number}`), element("span", "sid mono", data.sid));
  const reason = element("span", ORDERLY.has(data.reason) && !data.detail.includes("panicked") ? "tag" : "tag bad", data.reason);
  const prefix = `${data.reason}: `;
  const detail = data.detail.startsWith(prefix) ? data.detail.slice(prefix.length) : data.detail;
  const words = data.close_reason ? ` ${JSON.stringify(data.close_reason)}` : "";
  const frame = data.close_code === null ? "" : `, close code ${data.close_code}${words}`;
  const unsent = data.unsent ? [element("span", "soft", ","), " ", element("span", "soft", count(data.unsent)), " ", wordButton("unsent")] : [];
  cell("wide reason", "Reason", reason, " ", element("span", "soft", detail + frame), ...unsent);
  cell("number when", "Silent before end", span(data.silent_ms));
  cell("", "Transport", element("span", data.transport === "websocket" ? "tag websocket" : "tag", data.transport));
  cell("number when", "Open for", span(data.lived_ms));
  const when = cell("number when", "Ended", "");
  const tick = (then) => {
    const seconds = Math.floor((data.ended_ms + then - now) / 1000);
    setText(when, seconds < 1 ? "just now" : seconds < 120 ? `${seconds} s ago` : `${span(seconds * 1000)} ago`);
  };
  tick(now);
  $("ended").tBodies[0].prepend(tr);
  ended.set(data.number, { tr, tick });
  while (ended.size > ENDED_SHOWN) {
    const [oldest, { tr: gone }] = ended.entries().next().value;
    gone.remove();
    ended.delete(oldest);
  }
  if (announce) {
    $("news").append(element("p", "", `Session ${data.number} ended: ${data.reason}, after ${span(data.silent_ms)} of silence.`));
    while ($("news").childElementCount > 10) $("news").firstElementChild.remove();
  }
}
