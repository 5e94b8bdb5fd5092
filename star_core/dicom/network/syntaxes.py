"""Transfer syntaxes that are offered and accepted."""

from __future__ import annotations

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

UNCOMPRESSED = [str(uid) for uid in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)]
COMPRESSED = [
    str(uid)
    for uid in (
        *(JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEG2000Lossless, RLELossless, HTJ2KLossless),
        *(HTJ2KLosslessRPCL, DeflatedExplicitVRLittleEndian, JPEGLSNearLossless, JPEG2000, HTJ2K),
        *(JPEGBaseline8Bit, JPEGExtended12Bit),
    )
]
KNOWN_SYNTAXES = [*UNCOMPRESSED, *COMPRESSED]
