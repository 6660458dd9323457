//! Certificates of nginx and HAProxy that eio does not accept, and ports with and without TLS.

use eio_tests::built;
use eio_tests::interop::{Case, Daemon, Folder, Identity, Log, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use tokio::process::Command;

use crate::cases;
use crate::proxies::Proxy;
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        certificates_that_are_not_accepted_are_named,
        a_port_with_tls_and_one_without_are_told_apart,
        a_client_certificate_that_is_missing_is_named,
        over_tls_a_server_that_hangs_looks_like_a_cut_network,
    ]
}

/// Starts nginx with this certificate.
async fn nginx_with(identity: &Identity, more: &str, log: &Log) -> Proxy {
    let files = [
        ("own.pem", identity.certificate.as_str()),
        ("key.pem", &identity.key),
        ("authority.pem", &identity.authority),
    ];
    let server = format!("ssl_certificate own.pem; ssl_certificate_key key.pem; {more}");
    Proxy::nginx_with(&files, "", &server, log).await
}

/// Starts HAProxy with this certificate.
async fn haproxy_with(identity: &Identity, bind: &str, log: &Log) -> Proxy {
    let both = format!("{}{}", identity.certificate, identity.key);
    let files = [("both.pem", both.as_str()), ("authority.pem", &identity.authority)];
    let bind = format!("ssl crt both.pem {bind}");
    Proxy::haproxy_with(&files, &bind, "", "    http-request return status 404\n", log).await
}

/// The URL by a name instead of the address.
fn localhost(proxy: &Proxy, scheme: &str) -> String {
    format!("{scheme}://localhost:{}", proxy.port)
}

async fn certificates_that_are_not_accepted_are_named(log: Log) {
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(2100, 1, 1);
    let authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (identity, is_trusted, name) in [
        (Identity::self_signed("localhost", |_| {}), false, "certificate-self-signed"),
        (Identity::signed("localhost", |_| {}), false, "certificate-unknown-issuer"),
        (Identity::signed("app.example", |_| {}), true, "certificate-wrong-host"),
        (Identity::signed("localhost", expired), true, "certificate-expired"),
        (Identity::signed("localhost", future), true, "certificate-not-valid-yet"),
        (Identity::signed("localhost", authority), true, "certificate-of-authority"),
        (Identity::signed("localhost", |_| {}), true, "wrong-path"),
    ] {
        let proxy = nginx_with(&identity, "location / { return 404; }", &log).await;
        let file =
            std::env::temp_dir().join(format!("eio-authority-{}-{}.pem", std::process::id(), proxy.port));
        std::fs::write(&file, &identity.authority).expect("a temporary file");
        let url = localhost(&proxy, "https");
        let file_name = file.to_str().expect("a path in UTF-8");
        let trusting = ["--ca", file_name, &url];
        let words = if is_trusted { &trusting[..] } else { &trusting[2..] };
        tool::ends(words, name, if name == "wrong-path" { 20 } else { 3 }, &log).await;
        let _ = std::fs::remove_file(file);
    }
    // The authority was created again under the same name.
    let (old, new) = (Identity::signed("localhost", |_| {}), Identity::signed("localhost", |_| {}));
    let proxy = nginx_with(&new, "location / { return 404; }", &log).await;
    let file = std::env::temp_dir().join(format!("eio-authority-{}-old.pem", std::process::id()));
    std::fs::write(&file, &old.authority).expect("a temporary file");
    let words = ["--ca", file.to_str().expect("a path in UTF-8"), &localhost(&proxy, "wss")];
    tool::ends(&words, "certificate-bad-signature", 3, &log).await;
    let _ = std::fs::remove_file(file);
}

async fn a_port_with_tls_and_one_without_are_told_apart(log: Log) {
    let identity = Identity::signed("localhost", |_| {});
    let nginx = nginx_with(&identity, "location / { return 404; }", &log).await;
    let haproxy = haproxy_with(&identity, "", &log).await;
    for scheme in ["http", "ws"] {
        tool::ends(&[&localhost(&nginx, scheme)], "needs-tls", 3, &log).await;
        // It says nothing.
        tool::ends(&[&localhost(&haproxy, scheme)], "closed-without-answer", 3, &log).await;
    }
    let nginx = Proxy::nginx("", "location / { return 404; }", &log).await;
    let haproxy = Proxy::haproxy("", "    http-request return status 404\n", &log).await;
    for proxy in [&nginx, &haproxy] {
        tool::ends(&[&localhost(proxy, "https")], "no-tls", 3, &log).await;
    }
    let old = haproxy_with(&identity, "ssl-max-ver TLSv1.1", &log).await;
    tool::ends(&["--insecure", &localhost(&old, "https")], "tls-failed", 3, &log).await;
}

async fn a_client_certificate_that_is_missing_is_named(log: Log) {
    let identity = Identity::signed("localhost", |_| {});
    let verifying = "ssl_verify_client on; ssl_client_certificate authority.pem; location / { return 404; }";
    let nginx = nginx_with(&identity, verifying, &log).await;
    let haproxy = haproxy_with(&identity, "verify required ca-file authority.pem", &log).await;
    for proxy in [&nginx, &haproxy] {
        tool::ends(&["--insecure", &localhost(proxy, "https")], "client-certificate-required", 3, &log).await;
    }
}

async fn over_tls_a_server_that_hangs_looks_like_a_cut_network(log: Log) {
    let identity = Identity::self_signed("localhost", |_| {});
    let (folder, port) = (Folder::new(), free_port());
    let mut command = Command::new(built::eio());
    command.args([
        "serve",
        "--ping-interval",
        "500ms",
        "--ping-timeout",
        "500ms",
        "--port",
        &port.to_string(),
    ]);
    command.arg("--tls-cert").arg(folder.write("own.pem", &identity.certificate));
    command.arg("--tls-key").arg(folder.write("key.pem", &identity.key));
    let server = Daemon::start(command, "server", port, &log).await;
    let mut tool = Tool::start(&["--insecure", &format!("wss://127.0.0.1:{port}")], &log);
    tool.event("ping").await;
    server.signal("STOP");
    let close = tool.ends("server-silent", 5).await;
    assert_eq!(close["second_look"], "unclear", "{close}");
}
