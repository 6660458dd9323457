//! What is noticed while a session is open. If nothing worse ends the session, it is the diagnosis of its end.

use super::diagnoses;

diagnoses! { LIST:
    WEBSOCKET_REFUSED, "websocket-refused",
        "Long-polling works, but the WebSocket was refused or cut: a proxy or the server has no route for WebSockets.",
        "Route WebSockets for this path to the same server. Until then, the session stays on long-polling.";
    UPGRADE_STUCK, "upgrade-stuck",
        "No answer came through the WebSocket: a proxy holds its data back.",
        "Switch buffering and inspection of WebSockets off in the proxy. Until then, the session stays on long-polling.";
    LATE_PINGS, "late-pings",
        "The session was alive, but pings came up to {late} late: the server's event loop was blocked, or the network was slow.",
        "Measure the delay of the server's event loop (Node.js: perf_hooks.monitorEventLoopDelay), and keep pingTimeout well above it.";
    LONG_INTERVAL, "long-ping-interval",
        "The ping interval of {interval} is not below the idle limits of common proxies, which then cut the session: 60 s in nginx and AWS ALB, 100 s in Cloudflare.",
        "Set the server's pingInterval below these limits, or raise them.";
    JOIN_UNANSWERED, "join-unanswered",
        "The server had not answered the request to join the namespace.",
        "Wait longer, or leave out --socketio if the server speaks Engine.IO without Socket.IO.";
}
