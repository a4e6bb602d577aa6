"""Grey pictures and clips in the size of others, as the control ``blind`` shows them.

Not here: which parts of a prompt are replaced (`harness.controls`). They are handles like those of `harness.data.media`: nothing
is drawn until it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from harness.errors import MediaError
from harness.types import MediaSource

GREY = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class GreyPicture:
    """A uniform grey PNG in the size of another picture."""

    of: MediaSource

    @property
    def label(self) -> str:
        """Names the picture that it stands for."""
        return f"grey in place of {self.of.label}"

    def locator(self) -> dict[str, Any]:
        """Names the picture that it stands for."""
        return {"kind": "grey", "of": self.of.locator()}

    def read(self) -> bytes:
        """Encode the grey picture. Raises `MediaError` if the size of the other cannot be had."""
        from PIL import Image as Pictures
        from PIL import UnidentifiedImageError

        from harness.data.media import PIXEL_LIMIT

        try:
            with Pictures.open(BytesIO(self.of.read())) as picture:  # reads the header only
                size = picture.size
        except (Pictures.DecompressionBombError, Pictures.DecompressionBombWarning) as error:
            raise MediaError(f"{self.of.label}: above the limit of {PIXEL_LIMIT} pixels ({error})") from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise MediaError(f"{self.of.label}: not a picture whose size can be read ({error})") from error
        if size[0] * size[1] > PIXEL_LIMIT:
            raise MediaError(f"{self.of.label}: {size[0]} x {size[1]} pixels, above the limit of {PIXEL_LIMIT}")
        encoded = BytesIO()
        Pictures.new("RGB", size, GREY).save(encoded, "PNG")
        return encoded.getvalue()


@dataclass(frozen=True, slots=True)
class GreyClip:
    """A clip of grey frames in the size of another clip, one for each frame of the plan."""

    of: MediaSource
    frames: int

    @property
    def label(self) -> str:
        """Names the clip that it stands for."""
        return f"{self.frames} grey frames in place of {self.of.label}"

    def locator(self) -> dict[str, Any]:
        """Names the clip that it stands for."""
        return {"kind": "grey", "of": self.of.locator(), "frames": self.frames}

    def read(self) -> bytes:
        """Encode the grey clip (Motion JPEG in Matroska). Raises `MediaError` if the size of the other cannot be had."""
        import av
        from PIL import Image as Pictures

        from harness.data.video import frame_size

        width, height = (edge + edge % 2 for edge in frame_size(self.of))
        encoded = BytesIO()
        with av.open(encoded, "w", format="matroska", options={"fflags": "+bitexact"}) as out:
            stream = out.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            frame: av.VideoFrame = av.VideoFrame.from_image(Pictures.new("RGB", (width, height), GREY))  # type: ignore[no-untyped-call]
            for _ in range(self.frames):
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        return encoded.getvalue()
