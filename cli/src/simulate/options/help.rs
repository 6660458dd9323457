//! The parts of the help that are not about one option.

/// The end of the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  eio simulate --ping-interval 10s --ping-timeout 5s
  eio simulate --death-at 61s --rtt 600ms --dead server
  eio simulate --bandwidth 64k --ping-timeout 5s     is a photo too large for this link?
  eio simulate --json | jq .detection.server
  eio simulate --tunnel 30s/5m --within 60s --sweep --plot train.svg
                                 a train enters a tunnel of 30 s every five minutes: which
                                 interval and timeout end no session of a living train, and
                                 notice a dead one within 60 s?
  eio simulate --ping-timeout 5s --server-stall 8s/10m --sessions 10000
                                 how many sessions does a stalled event loop cost?
  eio simulate --scenario fleets.toml --sweep --csv > sweep.csv";

/// The members of the result with `--json`.
pub(in crate::simulate) const MEMBERS: &str = "\
With --json, the result is one object with these members. Times are in milliseconds.
  ping_interval_ms, ping_timeout_ms, rtt_ms, eio (revision: 3 or 4), liveness
  warning      if common proxies cut connections within the ping interval, or null
  detection    for server and for client: after_death_min_ms, after_death_max_ms,
               after_packet_ms, after_heartbeat_ms (null: no limit)
  messages     a list: bits_per_second, largest_bytes
  cost         heartbeats_per_hour, websocket_bytes_per_hour, wire_bytes_per_hour (with
               the headers of TCP and IP)
  timeline     dead (server or client), death_at_ms, first (a list of steps), left_out (how
               many steps are not listed), last (a list of steps)
  scenario     null without a network; otherwise for_ms, seed and fleets, a list: name,
               sessions, rtt_min_ms, rtt_max_ms, jitter_ms, loss, tunnels, server_stalls and
               client_stalls (lists: length_ms, every_ms, from_ms, to_ms), dying, dead
  outcome      null without a network; otherwise what the setting did, and fleets, a list:
               name, and what became of its sessions (from sessions to noticed_max_ms)
A step of the timeline has at_ms, who (server or client) and step: open, send and receive
(with packet, and rtt_ms if it was measured), die, or end (with reason, silent_ms and
after_death_ms). On a network there are also repeat (TCP sends again), tunnel and tunnel_end
(the link is cut; who is null), and carried (lost or waits) in send and repeat.
What a setting did has these members, which are also the columns with --csv:
  ping_interval_ms, ping_timeout_ms
  sessions, session_hours        how many were simulated, and how long they were open in all
  false_disconnects              sessions that ended although both ends lived
  deaths                         sessions that were open when one end died
  noticed_median_ms, noticed_p99_ms, noticed_max_ms
                                 how long the deaths went unnoticed (null: no deaths)
  noticed_within_ms              the longest time: in the simulation, and by the rules
  slowest_heartbeat_ms           the longest round trip
  heartbeats_per_hour, wire_bytes_per_hour, radio_wake_ups_per_hour,
  radio_awake_minutes_per_hour   for each hour of a session
With --sweep, the object has eio, liveness, within_ms, warning (of the answer), scenario,
settings (a list of what each did) and answer: shortest (the shortest detection without a
false disconnect) and cheapest (the longest interval without one that is within --within),
or null.
";

/// The members of a scenario's file.
pub(in crate::simulate) const FILE: &str = "\
A file for --scenario, here in TOML. Only [[fleet]] is needed. Options override the file.
Times are texts with a unit, or whole numbers of milliseconds.
  for = \"2h\"                      # how long the sessions are simulated
  seed = 1
  pingInterval = \"25s\"            # of one setting, and liveness, and eio = 4
  pingTimeout = \"20s\"
  within = \"60s\"                  # as --within
  intervals = [\"5s\", \"10s\"]       # of a sweep
  timeouts = [\"20s\", \"60s\"]
  [[fleet]]
  name = \"trains\"
  sessions = 1000
  rtt = \"40ms..160ms\"             # each session has its own; or one for all, such as \"80ms\"
  jitter = \"40ms\"
  loss = \"1%\"
  tunnels = [\"30s/5m\", { length = \"2m\", every = \"1h\", from = \"10m\", to = \"2h\" }]
  serverStalls = [\"2s/10m\"]
  clientStalls = [{ length = \"1m\", from = \"30m\" }]
  dying = \"50%\"                   # how many lose an end at a random moment; default 100%
  dead = \"client\"                 # which end that is
";
