//! `eio serve --tls-cert --tls-key`: sessions over https and wss, and files that cannot be used.

use std::process::Command;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::connection::{Directory, echoes};
use crate::program::{Eio, lines_of};

/// A certificate for `localhost` that has signed itself, and its key, in PEM form.
fn pair(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Writes a new certificate and its key, and returns the names of the files.
fn write_pair(directory: &Directory) -> (String, String) {
    let (certificate, key) = pair(|_| {});
    (directory.write("own.pem", &certificate), directory.write("own.key", &key))
}

/// Returns what is wrong with these options. The program exits with code 2.
fn mistake(options: &[&str]) -> String {
    let mut program = Eio::start(&[&["serve"], options].concat());
    assert_eq!(program.exit_code(), 2, "{options:?}");
    assert!(program.rest().is_empty());
    program.errors()
}

/// Starts a server with this certificate. Returns it with its port.
fn serve(certificate: &str, key: &str) -> (Eio, String) {
    let options = ["--echo", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let mut server = Eio::start(&[&["serve", "--json"], &options[..]].concat());
    let listening = server.event("listening");
    let url = listening["url"].as_str().unwrap();
    let address = listening["address"].as_str().unwrap();
    assert_eq!(url, format!("https://{address}/"));
    assert_eq!(listening["tls"], true);
    (server, address.rsplit_once(':').unwrap().1.to_owned())
}

#[test]
fn sessions_and_the_page_are_served_over_tls() {
    let directory = Directory::new("serve-tls");
    let (certificate, key) = write_pair(&directory);
    let (mut server, port) = serve(&certificate, &key);
    for scheme in ["https", "wss"] {
        let url = format!("{scheme}://localhost:{port}");
        echoes(&mut Eio::start(&["connect", "--json", "--ca", &certificate, &url]));
        server.event("open");
    }
    let page = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &format!("localhost:{port}"), "-CAfile", &certificate])
        .args(["-verify_return_error", "-alpn", "http/1.1"])
        .stdin(request("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", &directory))
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("</html>"), "{page}");
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    assert_eq!(server.errors(), "");
}

/// A file to read a request from.
fn request(text: &str, directory: &Directory) -> std::fs::File {
    std::fs::File::open(directory.write("request", text)).unwrap()
}

#[test]
fn a_configuration_file_names_the_certificate_too() {
    let directory = Directory::new("serve-tls-config");
    let (certificate, key) = write_pair(&directory);
    let listen = "listen = '127.0.0.1:0'";
    let file =
        directory.write("eio.toml", &format!("{listen}\ntlsCert = '{certificate}'\ntlsKey = '{key}'\n"));
    let mut server = Eio::start(&["serve", "--config", &file]);
    let line = server.line();
    assert!(line.starts_with("eio listens on https://127.0.0.1:"), "{line}");
    for (given, expected) in [("tlsCert", "tlsKey"), ("tlsKey", "tlsCert")] {
        let file = directory.write("half.toml", &format!("{listen}\n{given} = '{certificate}'\n"));
        let errors = mistake(&["--config", &file]);
        let sentence = format!("eio: {file}: it has `{given}`: expected `{expected}` as well\n");
        assert!(errors.starts_with(&sentence), "{errors}");
    }
    let file = directory.write("gone.toml", &format!("{listen}\ntlsCert = '/gone'\ntlsKey = '{key}'\n"));
    let errors = mistake(&["--config", &file]);
    assert!(
        errors.starts_with(&format!("eio: {file}: tlsCert, tlsKey: cannot read \"/gone\": ")),
        "{errors}"
    );
    assert_eq!(lines_of(&errors).len(), 1, "{errors}");
}

#[test]
fn files_that_cannot_be_used_are_one_sentence_and_code_2() {
    let directory = Directory::new("serve-tls-files");
    let (certificate, key) = write_pair(&directory);
    let (old, old_key) = pair(|params| params.not_after = date_time_ymd(2002, 1, 1));
    let (early, early_key) = pair(|params| {
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 2, 1);
    });
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let half = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let der = pair_in_der(&directory);
    let cases = [
        (certificate.clone(), directory.write("old.key", &old_key), "does not belong to the certificate"),
        (directory.write("old.pem", &old), directory.file("old.key"), "days ago"),
        (directory.write("early.pem", &early), directory.write("early.key", &early_key), "is not valid yet"),
        (directory.file("missing"), key.clone(), "No such file"),
        (certificate.clone(), directory.file("missing"), "No such file"),
        (directory.file("."), key.clone(), "cannot read"),
        (directory.write("empty", ""), key.clone(), "is empty"),
        (der, key.clone(), "is binary"),
        (certificate.clone(), directory.write("locked.key", encrypted), "is encrypted"),
        (key.clone(), certificate.clone(), "but a private key"),
        (directory.write("half.pem", half), key.clone(), "the line \"-----END CERTIFICATE-----\" is missing"),
    ];
    // Nobody can listen there: a file that is wrong is found before that.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (certificate, key, expected) in &cases {
        let errors = mistake(&["--listen", &address, "--tls-cert", certificate, "--tls-key", key]);
        assert!(errors.starts_with("eio: --tls-cert, --tls-key: "), "{errors}");
        assert!(errors.contains(expected), "{expected}: {errors}");
        assert_eq!(lines_of(&errors).len(), 1, "{errors}");
    }
    for (given, expected) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let errors = mistake(&[given, &certificate]);
        assert!(errors.contains(expected), "{errors}");
    }
}

fn pair_in_der(directory: &Directory) -> String {
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    std::fs::write(directory.file("own.der"), der).unwrap();
    directory.file("own.der")
}

#[test]
fn a_changed_certificate_is_taken_into_use_and_open_sessions_stay() {
    let directory = Directory::new("serve-tls-reload");
    let (certificate, key) = write_pair(&directory);
    let (mut server, port) = serve(&certificate, &key);
    let url = format!("wss://localhost:{port}");
    let mut session = Eio::start(&["connect", "--json", "--ca", &certificate, &url]);
    session.event("open");
    write_pair(&directory);
    assert_eq!(server.complaint(), "eio: the certificate has changed, and new connections get it");
    // This client trusts only the new one.
    echoes(&mut Eio::start(&["connect", "--json", "--ca", &certificate, &url]));
    session.say("still here");
    assert_eq!(session.event("message")["data"], "still here");
}
