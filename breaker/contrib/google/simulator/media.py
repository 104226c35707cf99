"""The smallest honest picture and film: bytes that a viewer accepts, made without a library."""

import struct
import zlib

SIDE = 64


def png(seed: str) -> bytes:
    """A square gradient whose colour follows from ``seed``, so equal prompts look equal."""
    red, green, blue, _ = zlib.crc32(seed.encode()).to_bytes(4)
    rows = b"".join(
        b"\0" + bytes(c for x in range(SIDE) for c in ((red + x) % 256, (green + y) % 256, blue))
        for y in range(SIDE)
    )
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def mp4(seed: str) -> bytes:
    """An MP4 with a file type, a movie header of one second and no track."""
    header = struct.pack(
        ">4xIIIIIH10x9I24xI",
        0, 0, 1000, 1000, 0x10000, 0x100,
        0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000,
        1,
    )  # fmt: skip
    return (
        _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
        + _box(b"moov", _box(b"mvhd", header))
        + _box(b"mdat", zlib.crc32(seed.encode()).to_bytes(4))
    )


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data
