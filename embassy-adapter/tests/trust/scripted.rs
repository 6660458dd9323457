//! A TLS 1.3 server that does what a test tells it, also what no server may do.
//!
//! It knows one cipher suite and one group, those of the board. RFC 8446 describes its messages (section 4) and its keys
//! (section 7.1).

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use rcgen::{Certificate, KeyPair};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

/// A message of the server's after its `EncryptedExtensions`.
pub(crate) enum Say {
    /// `Certificate`, with these.
    Certificate(Vec<Vec<u8>>),
    /// `CertificateVerify` by this key in PKCS #8, over the handshake so far.
    Proof(Vec<u8>),
    /// `CertificateVerify` with this scheme and these bytes.
    Bytes(u16, Vec<u8>),
    /// `Finished`.
    Finished,
    /// A record of this kind that is not encrypted, as anybody between the server and the board can send it, after all
    /// messages.
    Injected(u8, Vec<u8>),
}

/// What the server heard after its messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The board's first line.
    Line(String),
    /// The end of the connection.
    Nothing,
}

/// The messages of a server that keeps the rules.
pub(crate) fn honest(certificate: &Certificate, key: &KeyPair) -> Vec<Say> {
    vec![Say::Certificate(vec![certificate.der().to_vec()]), Say::Proof(key.serialize_der()), Say::Finished]
}

/// A server for one connection.
pub(crate) struct Scripted {
    pub(crate) address: String,
    story: JoinHandle<Heard>,
}

impl Scripted {
    pub(crate) fn new(script: Vec<Say>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let story = std::thread::spawn(move || serve(listener.accept().expect("a board").0, script));
        Self { address, story }
    }

    /// What it heard.
    pub(crate) fn heard(self) -> Heard {
        self.story.join().expect("its story")
    }
}

fn serve(mut tcp: TcpStream, script: Vec<Say>) -> Heard {
    let (_, hello) = read_record(&mut tcp).expect("a client hello");
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).expect("a key");
    let public = private.compute_public_key().expect("a key");
    let (session_id, share) = read_client_hello(&hello);
    let answer = server_hello(session_id, public.as_ref());
    write_record(&mut tcp, HANDSHAKE, &answer);
    let mut transcript = Transcript::new();
    transcript.add(&hello);
    transcript.add(&answer);

    let peer = UnparsedPublicKey::new(&ECDH_P256, share);
    let shared = agree_ephemeral(private, &peer, <[u8]>::to_vec).expect("a point");
    let early = extract(&[0; 32], &[0; 32]);
    let handshake = extract(&derived(&early), &shared);
    let secret = expand(&handshake, "s hs traffic", &transcript.hash(), 32);
    let (mut flight, injected) = speak(script, &mut transcript, &secret);
    flight.push(HANDSHAKE);
    Keys::new(&secret).seal(&mut flight);
    write_record(&mut tcp, APPLICATION, &flight);
    for (kind, body) in injected {
        write_record(&mut tcp, kind, &body);
    }
    echo(&mut tcp, &extract(&derived(&handshake), &[0; 32]), &transcript.hash()).unwrap_or(Heard::Nothing)
}

/// Returns the messages of the script, and what is injected after them.
fn speak(script: Vec<Say>, transcript: &mut Transcript, secret: &[u8]) -> (Vec<u8>, Vec<(u8, Vec<u8>)>) {
    // No encrypted extensions.
    let (mut flight, mut injected) = (vec![8, 0, 0, 2, 0, 0], Vec::new());
    transcript.add(&flight);
    for message in script {
        let (kind, body) = match message {
            Say::Certificate(chain) => {
                let entry = |it: &Vec<u8>| [&length::<3>(it.len())[..], it, &[0, 0]].concat();
                let entries: Vec<u8> = chain.iter().flat_map(entry).collect();
                (11, [&[0], &length::<3>(entries.len())[..], &entries].concat())
            }
            Say::Proof(key) => {
                let spaces = [b' '; 64];
                let content =
                    [&spaces[..], b"TLS 1.3, server CertificateVerify\0", &transcript.hash()].concat();
                (15, proof(0x0403, &sign(&key, &content)))
            }
            Say::Bytes(scheme, bytes) => (15, proof(scheme, &bytes)),
            Say::Finished => {
                let key = expand(&Prk::new_less_safe(HKDF_SHA256, secret), "finished", &[], 32);
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                (20, hmac::sign(&key, &transcript.hash()).as_ref().to_vec())
            }
            Say::Injected(kind, body) => {
                injected.push((kind, body));
                continue;
            }
        };
        let message = [&[kind][..], &length::<3>(body.len()), &body].concat();
        transcript.add(&message);
        flight.extend(message);
    }
    (flight, injected)
}

/// Reads the board's `Finished` and a line, and sends the line back.
fn echo(tcp: &mut TcpStream, master: &Prk, transcript: &[u8]) -> Option<Heard> {
    read_record(tcp)?;
    let keys = |label| Keys::new(&expand(master, label, transcript, 32));
    let (mut sending, mut receiving) = (keys("s ap traffic"), keys("c ap traffic"));
    let line = receiving.open(&mut read_record(tcp)?.1);
    let mut answer = [&line[..], &[APPLICATION]].concat();
    sending.seal(&mut answer);
    write_record(tcp, APPLICATION, &answer);
    Some(Heard::Line(String::from_utf8(line).expect("text")))
}

/// Signs with a key in PKCS #8.
pub(crate) fn sign(key: &[u8], content: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key, &random).expect("a key");
    key.sign(&random, content).expect("signed").as_ref().to_vec()
}

const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

fn proof(scheme: u16, signature: &[u8]) -> Vec<u8> {
    [&scheme.to_be_bytes()[..], &length::<2>(signature.len()), signature].concat()
}

/// Returns the session's identifier and the board's share of the key.
fn read_client_hello(message: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = &message[4 + 2 + 32..];
    let session_id = take::<1>(&mut rest);
    take::<2>(&mut rest);
    take::<1>(&mut rest);
    let mut extensions = take::<2>(&mut rest);
    loop {
        let kind = [extensions[0], extensions[1]];
        extensions = &extensions[2..];
        let mut extension = take::<2>(&mut extensions);
        if kind == [0, 0x33] {
            let mut share = take::<2>(&mut extension);
            assert_eq!(share[..2], [0, 0x17], "a share of secp256r1");
            share = &share[2..];
            return (session_id, take::<2>(&mut share));
        }
    }
}

fn server_hello(session_id: &[u8], public: &[u8]) -> Vec<u8> {
    let share =
        [&[0, 0x33][..], &length::<2>(public.len() + 4), &[0, 0x17], &length::<2>(public.len()), public]
            .concat();
    let extensions = [&[0, 0x2b, 0, 2, 3, 4][..], &share].concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &length::<1>(session_id.len()),
        session_id,
        &[0x13, 1, 0],
        &length::<2>(extensions.len()),
        &extensions,
    ]
    .concat();
    [&[2][..], &length::<3>(body.len()), &body].concat()
}

/// A length in this many bytes.
fn length<const N: usize>(value: usize) -> [u8; N] {
    *value.to_be_bytes().last_chunk().expect("fewer bytes than a length has")
}

/// Takes what stands behind a length of this many bytes.
fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> &'b [u8] {
    let (len, behind) = rest.split_first_chunk::<N>().expect("a length");
    let len = len.iter().fold(0, |len, &byte| len << 8 | usize::from(byte));
    let (taken, behind) = behind.split_at(len);
    *rest = behind;
    taken
}

fn read_record(tcp: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    tcp.read_exact(&mut head).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut body).ok()?;
    Some((head[0], body))
}

fn write_record(tcp: &mut TcpStream, kind: u8, body: &[u8]) {
    // A board that has refused the server does not read.
    let _ = tcp.write_all(&[&[kind, 3, 3][..], &length::<2>(body.len()), body].concat());
}

/// The hash of the messages so far.
struct Transcript(Context);

impl Transcript {
    fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    fn hash(&self) -> Vec<u8> {
        self.0.clone().finish().as_ref().to_vec()
    }
}

/// The keys of one direction.
struct Keys {
    key: LessSafeKey,
    iv: Vec<u8>,
    records: u8,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let secret = Prk::new_less_safe(HKDF_SHA256, secret);
        let key = UnboundKey::new(&AES_128_GCM, &expand(&secret, "key", &[], 16)).expect("16 bytes");
        Self { key: LessSafeKey::new(key), iv: expand(&secret, "iv", &[], 12), records: 0 }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce: [u8; 12] = self.iv[..].try_into().expect("12 bytes");
        nonce[11] ^= self.records;
        self.records += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&mut self, record: &mut Vec<u8>) {
        let head = [&[APPLICATION, 3, 3][..], &length::<2>(record.len() + 16)].concat();
        let nonce = self.nonce();
        self.key.seal_in_place_append_tag(nonce, Aad::from(head), record).expect("sealed");
    }

    /// Returns what the record contains, without the byte that says what that is.
    fn open(&mut self, record: &mut [u8]) -> Vec<u8> {
        let head = [&[APPLICATION, 3, 3][..], &length::<2>(record.len())].concat();
        let nonce = self.nonce();
        let content =
            self.key.open_in_place(nonce, Aad::from(head), record).expect("the board's keys are the same");
        content.split_last().expect("a kind").1.to_vec()
    }
}

fn derived(secret: &Prk) -> Vec<u8> {
    expand(secret, "derived", &Transcript::new().hash(), 32)
}

fn extract(salt: &[u8], secret: &[u8]) -> Prk {
    Salt::new(HKDF_SHA256, salt).extract(secret)
}

fn expand(secret: &Prk, label: &str, context: &[u8], len: usize) -> Vec<u8> {
    struct Len(usize);

    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }

    let label = [b"tls13 ", label.as_bytes()].concat();
    let info =
        [&length::<2>(len), &length::<1>(label.len())[..], &label, &length::<1>(context.len()), context];
    let mut out = vec![0; len];
    secret.expand(&info, Len(len)).and_then(|okm| okm.fill(&mut out)).expect("a short key");
    out
}
