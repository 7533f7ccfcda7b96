"""What people upload, for as long as it is needed: bytes by their sha256, in memory, bounded. Torch-free.

A request names an upload as `blob:<sha256>`; nothing of it is written to disk, and only who has the bytes or
their digest can name them. The least recently used ones make room for others.
"""

import hashlib
import threading
from collections import OrderedDict

from models.errors import UserError


class Blobs:
    """Bytes by digest, at most `count` of them with `nbytes` together. Safe for threads."""

    def __init__(self, count: int, nbytes: int) -> None:
        self._count = count
        self._nbytes = nbytes
        self._held = 0
        self._lock = threading.Lock()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()

    def put(self, data: bytes) -> str:
        """Keep some bytes and return the reference that requests name them by.

        Raises:
            UserError: They alone are more than may be kept.
        """
        if len(data) > self._nbytes:
            problem = (
                f"The upload has {len(data) / 1e6:.1f} MB; at most {self._nbytes / 1e6:.1f} MB are kept."
            )
            raise UserError("upload-too-large", problem, "Give a smaller file.")
        reference = f"blob:{hashlib.sha256(data).hexdigest()}"
        with self._lock:
            self._held += 0 if reference in self._blobs else len(data)
            self._blobs[reference] = data
            self._blobs.move_to_end(reference)
            while len(self._blobs) > self._count or self._held > self._nbytes:
                _, dropped = self._blobs.popitem(last=False)
                self._held -= len(dropped)
        return reference

    def get(self, reference: str) -> bytes:
        """Return the bytes; raises UserError if they are not kept any more."""
        with self._lock:
            data = self._blobs.get(reference)
            if data is not None:
                self._blobs.move_to_end(reference)
        if data is None:
            raise UserError("no-upload", "The uploaded image is no longer there.", "Upload it again.")
        return data

    def __len__(self) -> int:
        return len(self._blobs)


BLOBS = Blobs(count=1024, nbytes=64_000_000)
