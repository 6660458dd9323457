let about = null, openNow = 0;

// ---- The whole page ----
/** Shows how many ended for each reason. A word that is being read is not replaced by its like. */
function showReasons(list, reasons) {
  const shown = JSON.stringify(reasons);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...Object.entries(reasons).map(([reason, number]) => {
    const chip = element("li", ORDERLY.has(reason) ? "tag" : "tag bad");
    chip.append(wordButton(reason), ` × ${count(number)}`);
    return chip;
  }));
}

function showTotals(totals) {
  for (const name of ["open", "opened", "heartbeats", "messages"]) setText($(name), count(totals[name]));
  openNow = totals.open;
  showReasons($("reasons"), totals.reasons);
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
  setScale();
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
  if (changes.nodes) showNodes(changes.nodes);
  showTotals(changes.totals);
  showHistory(changes.history, now);
  drawPast();
}

listen();

let turn = 0;
setInterval(() => {
  if (document.hidden) return;
  const now = performance.now();
  tickRows(now, turn++);
  ended.forEach((row) => row.tick(now));
  namespaces.forEach((row) => row.tick(now));
  if (now - past.drawnAt >= DRAW_EVERY_MS) drawPast();
}, 100);
