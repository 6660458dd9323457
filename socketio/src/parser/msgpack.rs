//! The parser of socket.io-msgpack-parser.
