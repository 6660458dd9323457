//! Diagnoses of HTTP answers that open no session or end one.

use super::diagnoses;

diagnoses! { LIST:
    UNKNOWN_TRANSPORT, "unknown-transport",
        "The server does not offer this transport.",
        "Use --transport with the other one, or --try-all-transports.";
    WRONG_REVISION, "wrong-revision",
        "The server speaks the other revision of the protocol, or does not allow this one (allowEIO3).",
        "Try --eio {other}.";
    WEBSOCKET_BLOCKED, "websocket-blocked",
        "The request for a WebSocket arrives as an ordinary one: a proxy removes the headers Upgrade and Connection.",
        "In nginx, set proxy_http_version 1.1 and pass both headers on with proxy_set_header. Long-polling works without them.";
    NOT_STICKY, "not-sticky",
        "The server that answered does not know the new session: a load balancer sends the requests of one session to different servers.",
        "Switch on sticky sessions (nginx: ip_hash; HAProxy: cookie or balance source), or use WebSocket alone: --transport websocket here, transports: [\"websocket\"] in clients.";
    UNKNOWN_SESSION, "unknown-session",
        "The server does not know the session any more: it was restarted, it ended the session, or a load balancer has moved the client to another server.",
        "Check the server's log for a restart or a ping timeout at this time, and keep a client on one server (sticky sessions).";
    REDIRECTED, "redirected",
        "The server says that the sessions are at another URL, or wants a login there.",
        "Connect to that URL, or use --follow-redirects.";
    UNAUTHORIZED, "unauthorized",
        "The server or a proxy wants credentials, or does not accept these any more.",
        "Pass them with --header, or as USER:PASSWORD@ in the URL, and check whether a token has expired.";
    FORBIDDEN, "forbidden",
        "The server, or a firewall in front of it, forbids the request: it wants credentials, another origin or another address.",
        "Pass credentials or the page's origin with --header, such as --header 'Origin: https://app.example', and check the rules for this path.";
    WRONG_PATH, "wrong-path",
        "There are no sessions at this path.",
        "Check --path and the routes of proxies, and use --socketio for a Socket.IO server, and only for one (--socketio=/chat joins the namespace /chat).";
    BAD_REQUEST, "bad-request",
        "The server rejects the request: a proxy may have changed it, or a second client uses the same session.",
        "Compare with a connection that bypasses the proxy, and look at the server's log.";
    HEADERS_TOO_LARGE, "headers-too-large",
        "The headers or the query are longer than the server or a proxy accepts.",
        "Shorten the values of --header, or the cookies that the server sets.";
    PAYLOAD_TOO_LARGE, "payload-too-large",
        "The request was larger than the server or a proxy accepts.",
        "Send smaller messages, or raise maxHttpBufferSize of the server and client_max_body_size of nginx.";
    TOO_MANY_REQUESTS, "too-many-requests",
        "The server or a proxy limits the rate of requests or sessions.",
        "Wait, raise that limit, or use --transport websocket, which needs only one request.";
    BAD_GATEWAY, "bad-gateway",
        "A proxy reaches no working server: the one behind it is down, is restarting, or closed the connection without an answer.",
        "Check whether that server runs and at which address, and look at the error log of the proxy.";
    UNAVAILABLE, "unavailable",
        "A proxy has no server for the request: all are down, fail their health check, or are full (HAProxy: maxconn).",
        "Check the servers behind the proxy, their health check, and limits on connections and requests (nginx's limit_conn and limit_req answer this as well): a waiting poll takes a connection.";
    SERVER_FULL, "server-full",
        "The server is full or shutting down.",
        "Try again later, or raise its limit on sessions.";
    GATEWAY_TIMEOUT, "gateway-timeout",
        "A proxy got no answer from the server in time: the server hangs or is overloaded.",
        "Look at the server's processor time and log, and at what blocks its event loop.";
    SERVER_ERROR, "server-error",
        "The server failed.",
        "Look at its log.";
    WEB_PAGE, "web-page",
        "A web page came instead of a session: from a captive portal, a login, a proxy, or a web server at this path.",
        "Open the URL in a browser to see the page: log in there, or check --path and the routes of proxies.";
    COMPRESSED, "compressed",
        "A proxy compresses answers although eio asks it not to.",
        "Switch compression off for this path.";
    BAD_HANDSHAKE, "bad-handshake",
        "What answers is not a usable Engine.IO handshake.",
        "Check --path, and whether the server speaks Engine.IO of this revision (--eio {other} is the other one).";
}
