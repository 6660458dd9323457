// ---- Namespaces of Socket.IO ----
const RATE_OVER_MS = 3000;
const namespaces = new Map(); // name -> NamespaceRow

class NamespaceRow {
  constructor(name) {
    this.tr = element("tr", "new");
    const cell = cellsOf(this.tr);
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
    showReasons(this.reasons, data.reasons);
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
