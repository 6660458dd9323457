//! Diagnoses of a session that does not open because no HTTP answer comes.

use super::diagnoses;

diagnoses! { LIST:
    UNKNOWN_HOST, "unknown-host",
        "The name of the host cannot be resolved.",
        "Check its spelling, and the DNS of this machine.";
    NOTHING_LISTENS, "nothing-listens",
        "The host answers, but nothing listens on this port.",
        "Check the port, whether the server is running, and whether it listens on this address and not only on 127.0.0.1.";
    NO_UNIX_SOCKET, "no-unix-socket",
        "There is no such Unix socket.",
        "Check the path of --unix, and whether the server is running.";
    HOST_UNREACHABLE, "host-unreachable",
        "The host does not answer on this port: a firewall drops the packets, the host is down, or TLS or a proxy gets no answer.",
        "Check the address, firewalls, security groups and the VPN.";
    CONNECTION_FAILED, "connection-failed",
        "No connection could be opened.",
        "The system's error before this line says why.";
    ACCEPTED_BUT_SILENT, "accepted-but-silent",
        "Something accepts connections there, but does not answer: it has no sessions at this path, it hangs, or it has run out of connections (HAProxy: maxconn).",
        "Check the path (--path), whether the server is blocked, and use --socketio for a Socket.IO server, and only for one.";
    CLOSED_WITHOUT_ANSWER, "closed-without-answer",
        "The server closed the connection without an answer: it has no sessions at this path, speaks TLS or another protocol on this port, or limits connections.",
        "Check the path (--path), the scheme of the URL, the port and the server's limits, and use --socketio for a Socket.IO server, and only for one.";
    NOT_HTTP, "not-http",
        "What answers on this port does not speak HTTP.",
        "Check the port.";
    NEEDS_TLS, "needs-tls",
        "The server speaks TLS on this port.",
        "Use https or wss in the URL.";
    NO_TLS, "no-tls",
        "The server does not speak TLS on this port.",
        "Use http or ws in the URL, or the port on which the server speaks TLS.";
    SELF_SIGNED, "certificate-self-signed",
        "The server's certificate is self-signed and not trusted.",
        "Pass the certificate in PEM form with --ca FILE. With --insecure, eio does not check it.";
    UNKNOWN_ISSUER, "certificate-unknown-issuer",
        "The authority that signed the server's certificate is not trusted.",
        "Pass a private authority's certificate with --ca FILE. If the authority is public, let the server send the certificates between its own and the authority's.";
    BAD_SIGNATURE, "certificate-bad-signature",
        "The server's certificate is not signed by the trusted authority that it names.",
        "If the authority has a new certificate, pass that one with --ca FILE.";
    AUTHORITY_AS_SERVER, "certificate-of-authority",
        "The server's certificate is for an authority, not for a server.",
        "To trust this very certificate, pass it in PEM form with --ca FILE.";
    EXPIRED, "certificate-expired",
        "The server's certificate has expired, or the clock of this machine is wrong.",
        "Renew the certificate and make the server load it, or set the clock.";
    NOT_VALID_YET, "certificate-not-valid-yet",
        "The server's certificate is not valid yet, or the clock of this machine is wrong.",
        "Set the clock of this machine, or of the machine that made the certificate.";
    WRONG_HOST, "certificate-wrong-host",
        "The server's certificate is for another name.",
        "Use a URL with a name from the certificate, or give the server a certificate for this name.";
    CLIENT_CERTIFICATE, "client-certificate-required",
        "The server requires a client certificate, which eio connect cannot present.",
        "Connect to a port that requires none.";
    TLS_FAILED, "tls-failed",
        "TLS failed.",
        "Check whether the server speaks TLS 1.2 or 1.3 on this port.";
    PROXY_UNREACHABLE, "proxy-unreachable",
        "The proxy of --proxy or of the environment cannot be reached.",
        "Check its address, or connect without it by --proxy none.";
    PROXY_CREDENTIALS, "proxy-credentials",
        "The proxy wants a user name and a password, or does not accept these.",
        "Pass them in the URL of the proxy: --proxy http://USER:PASSWORD@HOST:PORT.";
    PROXY_REFUSES, "proxy-refuses-tunnel",
        "The proxy refuses to open a tunnel: it does not reach the server, or does not allow this port.",
        "Check its rules (many allow port 443 only), or connect without it by --proxy none.";
    NOT_A_PROXY, "not-a-proxy",
        "What answers at the address of the proxy is not an HTTP proxy on a port without TLS.",
        "Check the address of --proxy or of the environment, or connect without it by --proxy none.";
    INTERRUPTED, "interrupted",
        "eio was interrupted before the session opened, too early to say what it waited for.",
        "Wait for at least 2 s.";
}
