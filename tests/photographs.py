"""Pictures with the spectrum of photographs, and small ones in every form that files come in."""

import io

import numpy as np
from PIL import Image


def photograph(seed, *, height=480, width=640):
    """Noise whose power falls with frequency as that of photographs does."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height) * height, np.fft.rfftfreq(width) * width
    radius = np.maximum(np.hypot(down[:, None], across), 1)

    def plane(slope):
        spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / radius**slope
        noise = np.fft.irfft2(spectrum, s=(height, width))
        return noise / noise.std()

    grey = plane(1.1)
    planes = [np.clip((grey + 0.6 * plane(1.6)) * 45 + 110, 0, 255) for _ in range(3)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


def encoded(image, kind="JPEG", **options):
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
