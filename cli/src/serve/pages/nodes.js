// ---- Several nodes ----
const NODE_STATES = { up: "up", draining: "takes no new sessions", unknown: "unknown: the bus is away" };

function showNodes({ nodes, bus, twice }) {
  $("cluster").hidden = false;
  setText($("bus"), bus.up ? "The bus is connected." : `The bus is not connected: ${bus.cause ?? "connecting"}. This node goes on alone.`);
  $("bus").classList.toggle("alarm", !bus.up);
  const facts = [`${count(bus.published)} messages sent to other nodes`, `${count(bus.received)} received`, `${count(bus.lost)} lost`];
  setText($("bus-facts"), `${facts.join(", ")}.`);
  $("twice").hidden = twice.length === 0;
  setText($("twice"), `More than one node has the name ${twice.join(", ")}: give each node its own, because sessions get lost.`);
  $("nodes").tBodies[0].replaceChildren(...nodes.map((node) => {
    const tr = element("tr");
    const cell = cellsOf(tr);
    setText(cell("name mono"), node.own ? `${node.name} (this one)` : node.name);
    const silent = node.silent_s === null ? "" : `, silent for ${node.silent_s} s`;
    const state = element("span", node.state === "up" ? "" : "tag bad", NODE_STATES[node.state] + silent);
    cell("wide", "State").append(state);
    setText(cell("number", "Sessions"), count(node.sessions));
    return tr;
  }));
  const others = nodes.filter((node) => node.state !== "unknown");
  setText($("everywhere"), `${count(others.reduce((sum, node) => sum + node.sessions, 0))} sessions on ${count(others.length)} nodes`);
}

