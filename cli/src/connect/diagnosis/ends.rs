//! Diagnoses of an open session that ends.

use super::diagnoses;

diagnoses! { LIST:
    CLOSED, "closed",
        "eio closed the session, and saw nothing wrong with it.",
        "";
    NOT_CLOSED_IN_TIME, "close-unconfirmed",
        "eio closed the session, but did not wait for the server to confirm it.",
        "";
    EIO_FAILED, "eio-failed",
        "eio failed, which is a bug in eio.",
        "Report it with the lines above.";
    EIO_WAS_STOPPED, "eio-was-stopped",
        "eio did not run for {nap}: this machine slept or set its clock, or the process was suspended, so that heartbeats came late or not at all.",
        "Keep the machine awake and the process running. A client that sleeps has to connect again when it wakes.";
    NETWORK_CUT, "network-cut",
        "The network is cut: the host does not answer a new connection either.",
        "Check the network, the VPN, firewalls, and whether the host is up.";
    SERVER_HANGS, "server-hangs",
        "The server hangs: a new connection is accepted, but gets no answer.",
        "Look for what blocks its event loop (a long loop, synchronous I/O, a stopped process), or whether it has run out of connections.";
    SERVER_GONE, "server-gone",
        "The server's process has ended or restarts: a new connection is refused or closed at once.",
        "Look at its log, and for a crash, a deployment, or the kernel's out-of-memory killer.";
    CONNECTION_DROPPED, "connection-dropped",
        "The connection was lost without notice, although the server answers new ones: a router, a firewall, a NAT or a proxy has lost it, or the server hung and works again.",
        "Check the server's event loop, and changes of the network, at this time. If it happens whenever no messages come, send pings more often (pingInterval is {interval}).";
    SERVER_SILENT, "server-silent",
        "The server was silent: the network is cut, the server hangs, or the connection was lost on the way.",
        "Connect again, and try nc -vz HOST PORT: whether a new connection is refused, gets no answer or works tells which.";
    HEARTBEAT_STUCK, "heartbeat-stuck",
        "Other packets arrived long after the heartbeat was due, so the connection worked: the server's heartbeat is stuck.",
        "Look at the timers of the server, and for a proxy or middleware that drops pings.";
    NEVER_PINGED, "never-pinged",
        "No heartbeat has arrived in this session, although the server answers new connections: its heartbeats are off, it speaks the other revision, or a firewall, a NAT or a proxy has forgotten the idle connection.",
        "Check the server's heartbeat settings, and idle limits below {interval} on the way. If the server may speak the other revision, try --eio {other}.";
    SERVER_STALLED, "server-stalled",
        "The server was late with its ping when the session ended: its event loop was blocked, so it also missed the answers to its pings.",
        "Look for what blocks it (long loops, synchronous I/O, garbage collection): work longer than pingTimeout cuts every session.";
    NO_NAMESPACE_JOINED, "no-namespace-joined",
        "The server at this path seems to be one of Socket.IO, which closes sessions that join no namespace (connectTimeout, 45 s) or send other packets before.",
        "Use --socketio, or --socketio=/NAME for another namespace than /.";
    SHUT_DOWN, "server-shut-down",
        "The server closed the session in order, and is gone: it shut down.",
        "Connect again when it is back, and check for a deployment at this time.";
    RESTARTING, "server-restarting",
        "The server says that it restarts or goes away.",
        "Connect again, after a random delay if there are many clients.";
    CLOSED_BY_SERVER, "closed-by-server",
        "The server closed the session but is still there: its application closed it, or it did not receive the answers to its pings.",
        "Look at the reason in the server's log: with ping timeout, something on the way drops or delays what clients send.";
    CLOSED_WITH_CODE, "closed-with-code",
        "The server closed the session with a code that says why.",
        "Look the code up: below 3000 in RFC 6455, from 3000 on in the server's application.";
    MESSAGE_TOO_LARGE, "message-too-large",
        "A message was larger than the server accepts.",
        "Send smaller messages, or raise maxHttpBufferSize of the server.";
    IDLE_LIMIT, "idle-limit",
        "Nothing arrived for {silence}, longer than ever before on this connection, and pings come only every {interval}: a proxy with an idle limit probably cut it.",
        "Set that limit above pingInterval + pingTimeout, here {sum} (nginx: proxy_read_timeout; HAProxy: timeout client, server and tunnel), or keep that sum below {silence}.";
    CONNECTION_CUT, "connection-cut",
        "The connection ended without a word, although the server answers new ones: its process restarted, or a proxy or the network cut the connection.",
        "Compare the time with restarts of the server and of proxies, and with limits on the life of a connection.";
    CAUSE_UNKNOWN, "cause-unknown",
        "What ended the session is unknown: no second connection shows whether the server is still there.",
        "Connect again: whether a new connection is refused, gets no answer or works tells more.";
    TOO_LARGE_FOR_EIO, "too-large-for-eio",
        "The server sent a message, or several at once, larger than eio accepts: 16 MiB.",
        "Let the server send smaller messages.";
    PROTOCOL_BROKEN, "protocol-broken",
        "The server, or a proxy, does not follow the protocol.",
        "Compare with a connection that bypasses the proxy, and check the version of the server's library.";
    WRONG_NAMESPACE, "wrong-namespace",
        "The Socket.IO server has no such namespace.",
        "Check the name after --socketio=, which is not the path of the URL.";
    NAMESPACE_REFUSED, "namespace-refused",
        "A middleware of the namespace refused this client.",
        "Pass the credentials that it wants with --auth.";
    NAMESPACE_LEFT, "disconnected-from-namespace",
        "The server's application disconnected this client from the namespace. The session itself was alive.",
        "Look at the server's log for why.";
}
