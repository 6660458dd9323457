"use strict";
const $ = (id) => document.getElementById(id);
const ENDED_SHOWN = 50, OWN_AT_ONCE = 100;
let about = null;

// ---- Sessions of this tab: a minimal Engine.IO client over WebSocket ----
const own = new Map();  // the first characters of the session id -> { socket, silent }

function openSession() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${about.path}?EIO=4&transport=websocket`);
  const session = { socket, silent: false };
  let name = null;
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    if (data[0] === "0") {                                   // open: the handshake
      name = JSON.parse(data.slice(1)).sid.slice(0, 4) + "…";
      own.set(name, session);
      rows.forEach((row) => row.draw());
      if (about.socketio) socket.send("40");                 // join the namespace /
    } else if (data[0] === "2" && !session.silent) {         // ping: answer with a pong
      socket.send("3");
    }
  };
  socket.onclose = () => { own.delete(name); updateButtons(); };
  updateButtons();
}

function updateButtons() {
  const canOpen = about !== null && about.websocket && document.body.dataset.state === "live";
  $("open-one").disabled = !canOpen || own.size >= OWN_AT_ONCE;
  $("open-ten").disabled = !canOpen || own.size + 10 > OWN_AT_ONCE;
}

$("open-one").onclick = openSession;
$("open-ten").onclick = () => { for (let i = 0; i < 10; i++) openSession(); };

// ---- Words and numbers ----
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

function span(ms) {                                          // 0.7 ms, 42 ms, 3.4 s, 2 min 5 s, 3 h 10 min
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.floor(ms / 1000);
  if (s < 7200) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} days`;
}
const whole = (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`);
const count = (n) => n.toLocaleString("en");

/** Returns the height of a round trip in percent, on a logarithmic scale from 0.1 ms to the ping timeout. */
function height(rtt) {
  const shortest = 0.1, part = Math.log(rtt / shortest) / Math.log(about.timeout_ms / shortest);
  return Math.round(100 * Math.min(1, Math.max(0.1, part)));
}

// ---- One open session ----
class Row {
  constructor() {
    this.tr = element("tr", "new");
    const cell = (className, label) => {
      const td = element("td", className);
      if (label) td.dataset.label = label;
      this.tr.append(td);
      return td;
    };
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
      const session = own.get(this.data.sid);
      if (session) { session.silent = !session.silent; this.draw(); }
    };
    this.close = element("button", "small close", "Close");
    this.close.onclick = () => own.get(this.data.sid)?.socket.close();
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
    this.strip.replaceChildren(...bars.slice(-30));
    const trips = data.heartbeats.map(([rtt]) => rtt).filter((rtt) => rtt !== null);
    const range = trips.length ? `, round trips ${span(Math.min(...trips))} to ${span(Math.max(...trips))}` : "";
    this.strip.setAttribute("aria-label", `${data.heartbeats.length} recent heartbeats${range}${data.ping_sent_ms !== null ? ", one ping without an answer" : ""}`);
    this.draw();
  }

  draw() {
    const { data } = this, session = own.get(data.sid);
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
const ended = new Map(); // number -> { tr, tick }

function showLive(data, now) {
  let row = rows.get(data.number);
  if (!row) {
    row = new Row();
    rows.set(data.number, row);
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
  const cell = (className, label, ...content) => {
    const td = element("td", className);
    if (label) td.dataset.label = label;
    td.append(...content);
    tr.append(td);
    return td;
  };
  cell("session", "", element("span", "number", `#${data.number}`), element("span", "sid mono", data.sid));
  const reason = element("span", ORDERLY.has(data.reason) && !data.detail.includes("panicked") ? "tag" : "tag bad", data.reason);
  const prefix = `${data.reason}: `;
  const detail = data.detail.startsWith(prefix) ? data.detail.slice(prefix.length) : data.detail;
  const words = data.close_reason ? ` ${JSON.stringify(data.close_reason)}` : "";
  const frame = data.close_code === null ? "" : `, close code ${data.close_code}${words}`;
  cell("wide reason", "Reason", reason, " ", element("span", "soft", detail + frame));
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

// ---- Namespaces of Socket.IO ----
const RATE_OVER_MS = 3000;
const namespaces = new Map(); // name -> NamespaceRow

class NamespaceRow {
  constructor(name) {
    this.tr = element("tr", "new");
    const cell = (className, label) => {
      const td = element("td", className);
      if (label) td.dataset.label = label;
      this.tr.append(td);
      return td;
    };
    setText(cell("name mono"), name);
    this.sockets = cell("number", "Sockets");
    this.rooms = cell("number", "Rooms");
    this.events = ["received", "sent"].map((member) => {
      const td = cell("number when", member === "received" ? "Events in" : "Events out");
      const shown = { member, total: element("span"), rate: element("span", "soft") };
      td.append(shown.total, " ", shown.rate);
      return shown;
    });
    this.reasons = element("ul", "reasons");
    cell("wide", "Ended sockets").append(this.reasons);
    this.samples = [];
  }

  update(data, now) {
    this.samples.push({ at: now, received: data.received, sent: data.sent });
    setText(this.sockets, count(data.sockets));
    const largest = data.largest.map(([room, sockets]) => element("span", "soft", `${room} × ${count(sockets)}`));
    this.rooms.replaceChildren(element("span", "", count(data.rooms)), ...largest.flatMap((room) => [" ", room]));
    for (const { member, total } of this.events) setText(total, count(data[member]));
    this.reasons.replaceChildren(...chips(data.reasons));
    this.tick(now);
  }

  tick(now) {
    const { samples } = this;
    while (samples.length > 1 && samples[1].at <= now - RATE_OVER_MS) samples.shift();
    for (const { member, rate } of this.events) {
      const events = samples.at(-1)[member] - samples[0][member];
      setText(rate, `${(events * 1000 / RATE_OVER_MS).toFixed(1)}/s`);
    }
  }
}

function showNamespaces({ rows: shown, more }, now) {
  const present = new Set(shown.map(({ name }) => name));
  for (const [name, row] of namespaces) if (!present.has(name)) { row.tr.remove(); namespaces.delete(name); }
  shown.forEach((data, at) => {
    let row = namespaces.get(data.name);
    if (!row) {
      row = new NamespaceRow(data.name);
      namespaces.set(data.name, row);
      const body = $("namespaces").tBodies[0];
      body.insertBefore(row.tr, body.rows[at] ?? null);
    }
    row.update(data, now);
  });
  $("namespaces").hidden = shown.length === 0;
  $("namespaces-empty").hidden = shown.length !== 0;
  $("namespaces-more").hidden = more === 0;
  setText($("namespaces-more"), `${count(more)} more namespaces have sockets but are not shown.`);
}

// ---- The whole page ----
function chips(reasons) {
  return Object.entries(reasons).map(([reason, number]) =>
    element("li", ORDERLY.has(reason) ? "tag" : "tag bad", `${reason} × ${count(number)}`));
}

function showTotals(totals) {
  for (const name of ["open", "opened", "heartbeats", "messages"]) setText($(name), count(totals[name]));
  $("reasons").replaceChildren(...chips(totals.reasons));
  $("live").hidden = totals.open === 0;
  $("live-empty").hidden = totals.open !== 0;
  $("ended").hidden = ended.size === 0;
  $("ended-empty").hidden = ended.size !== 0;
  $("live-more").hidden = totals.open <= totals.shown;
  setText($("live-more"), `${count(totals.open - totals.shown)} more sessions are open but not shown.`);
  document.title = totals.open ? `eio: ${count(totals.open)} open` : "eio: sessions";
}

function showAbout(data) {
  about = data;
  const strong = (text) => element("strong", "", text);
  const promise = ["The server sends a ping every ", strong(whole(data.interval_ms)), " and waits ", strong(whole(data.timeout_ms)),
    " for the answer. If a client disappears, the server ends its session ",
    strong(`${whole(data.noticed_min_ms)} to ${whole(data.noticed_max_ms)}`), " later, with the reason “ping timeout”."];
  if (data.echo) promise.push(` It sends every ${data.socketio ? "event" : "message"} back.`);
  if (!data.websocket) promise.push(" WebSocket is disabled, so this tab cannot open sessions.");
  $("promise").replaceChildren(...promise);
  setText($("path"), data.path);
  setText($("liveness"), data.liveness);
  const [origin, path] = [location.origin, data.path].map((text) => JSON.stringify(text));
  setText($("hint"), `new Socket(${origin}, { path: ${path} })`);
  setText($("io-hint"), data.path === "/socket.io/" ? `io(${origin})` : `io(${origin}, { path: ${path} })`);
  $("socketio").hidden = !data.socketio;
  updateButtons();
}

// ---- Data from the server ----
function setState(state, words) {
  document.body.dataset.state = state;
  document.body.classList.toggle("stale", state !== "live");
  $("link").dataset.state = state;
  setText($("link"), words);
  updateButtons();
}

function listen() {
  const source = new EventSource("events");
  source.addEventListener("about", ({ data }) => { showAbout(JSON.parse(data)); setState("live", "live"); });
  source.onmessage = ({ data }) => showChanges(JSON.parse(data));
  source.onerror = () => {
    // The browser connects again by itself, but not after an answer that is an error.
    const refused = source.readyState === EventSource.CLOSED;
    setState("lost", refused ? "the server refuses more open pages, trying again" : "no connection to the server, trying again");
    if (refused) setTimeout(listen, 5000);
  };
}

function showChanges(changes) {
  const now = performance.now();
  if (changes.all) {
    rows.forEach((row) => row.tr.remove());
    ended.forEach(({ tr }) => tr.remove());
    namespaces.forEach(({ tr }) => tr.remove());
    for (const shown of [rows, ended, namespaces]) shown.clear();
  }
  for (const session of changes.open) showLive(session, now);
  for (const session of changes.ended) showEnded(session, now, !changes.all);
  if (changes.namespaces) showNamespaces(changes.namespaces, now);
  showTotals(changes.totals);
}

listen();

setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  rows.forEach((row) => row.tick(now));
  ended.forEach((row) => row.tick(now));
  namespaces.forEach((row) => row.tick(now));
}, 100);
