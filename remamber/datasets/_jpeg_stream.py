"""Whether a JPEG file holds all of its compressed pixels, which decoders do not say.

libjpeg fills what it cannot decode with grey and only warns, and Pillow drops its warnings. Three
things can be known all the same. The order of the markers (ITU T.81, annex B) breaks in a file
that was cut short, whose end is zeros, or whose pixels were overwritten with noise. Without its
last marker, a file whose pixels end too early is refused by the decoder, which waits for more.
And a decoder that is done before it has asked for the last bytes has misread those before them.

Of progressive files, whose scans each end in a marker, only the first is known. Bits that were
changed so that the rest decodes to its exact end are not found.
"""

import io
import re

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What compressed pixels cannot hold: 0xFF is followed by a zero or by a restart's number."""

_BETWEEN_SCANS = frozenset({0xC4, _SCAN, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Tables, further scans and comments; the frame itself is over before the first scan."""

_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
"""Tables and reserved codes among those of the frames."""

_SEQUENTIAL = frozenset({0xC0, 0xC1})
"""Huffman-coded frames whose one scan ends with the last pixel."""

_LOOK_AHEAD = b"\xfe" * 8
"""The decoder reads so far beyond what it needs; few of its codes are as short as these bits."""

_HELD_BACK = 128
"""Bytes at the end that are given last; some programs pad their files with a few."""


class BadJpegError(ValueError):
    """A JPEG file whose compressed pixels are not all there; the text says why."""


def is_jpeg(content: bytes) -> bool:
    """Whether a file's first bytes are a JPEG's."""
    return content.startswith(b"\xff\xd8\xff")


def strict(content: bytes) -> "StrictStream":
    """The file so that a decoder gives the same pixels, or an error instead of grey ones.

    Bytes after the end of the first image are left out: phones append further ones.

    Raises:
        BadJpegError: its markers are not in order.
    """
    at, scans, frame, start = 2, 0, 0, 0
    while (found := _MARKER.search(content, at)) is not None:
        code, at = content[found.end() - 1], found.end()
        if code == _END and scans:
            if scans > 1 or frame not in _SEQUENTIAL:
                return StrictStream(content[:at], edge=at)
            whole = content[: at - 2] + _LOOK_AHEAD
            return StrictStream(whole, edge=max(start, len(whole) - _HELD_BACK))
        if code == _END:
            raise BadJpegError("it ends before its first pixel")
        if code == _START or (scans and code not in _BETWEEN_SCANS):
            raise BadJpegError(f"its compressed pixels are damaged at byte {found.start():,}")
        if 0xC0 <= code <= 0xCF and code not in _NO_FRAMES:
            frame = code
        scans += code == _SCAN
        at += int.from_bytes(content[at : at + 2], "big")
        start = at
    raise BadJpegError("its end is missing: it was cut short or overwritten")


class StrictStream(io.BytesIO):
    """A file whose last bytes are given in a read of their own, so that it shows if they were not.

    Args:
        content: the whole file.
        edge: where the last bytes begin.
    """

    def __init__(self, content: bytes, *, edge: int) -> None:
        super().__init__(content)
        self._edge = edge

    def read(self, size: int | None = -1, /) -> bytes:
        """At most so many bytes, and none beyond the edge before one from there on is asked for."""
        room = self._edge - self.tell()
        if size is not None and size > room > 0:
            size = room
        return super().read(size)

    def require_read(self) -> None:
        """Refuse the file if a decoder was done before the edge.

        Raises:
            BadJpegError: there is more than its pixels needed.
        """
        if self.tell() <= self._edge < len(self.getbuffer()):
            raise BadJpegError("its compressed pixels are damaged: they decode to too many")
