"""Bytes and sockets: framing of streams, listening sockets, transports."""
