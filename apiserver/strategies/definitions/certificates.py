"""Whether a CA bundle can be used."""

import base64
import binascii

from cryptography import x509


def bundle_problem(text: str) -> str:
    """Why base64 text is no PEM with certificates, all of which can be read; "" when it is."""
    try:
        data = base64.b64decode(text)
        found = x509.load_pem_x509_certificates(data)
    except (ValueError, binascii.Error) as error:
        if b"-----BEGIN" not in data_or_nothing(text):
            return "unable to load root certificates: unable to parse bytes as PEM block"
        return f"unable to load root certificates: unable to parse CA certificates: {error}"
    return "" if found else "unable to load root certificates: unable to parse bytes as PEM block"


def data_or_nothing(text: str) -> bytes:
    """The bytes, none where it is no base64."""
    try:
        return base64.b64decode(text)
    except (ValueError, binascii.Error):
        return b""
