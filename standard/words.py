"""Makes sendit/deid/identifiers/words/clinical.txt of pydicom's dictionaries: `python -m standard.words`.

The list has the words of PS3.6's attribute names and of PS3.16's code meanings, but no names of people and no words of
protocol.txt. Loading pydicom's codes takes a second or two; reading the list takes milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary
from pydicom.sr._concepts_dict import concepts

import sendit.deid
from sendit.deid.identifiers.vocabulary import fold, listed

PATH = Path(sendit.deid.__file__).parent / "identifiers" / "words" / "clinical.txt"
HEAD = """\
# Words of PS3.6's attribute names and of the meanings of PS3.16's codes, names of people left out.
# Made by `python -m standard.words` from pydicom's dictionaries; not to be edited.
"""
WIDTH = 118


def texts() -> Iterator[str]:
    """Yield the attribute names and code meanings."""
    yield from (entry[2] for entry in DicomDictionary.values())
    schemes: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    for scheme in schemes.values():
        yield from (meaning for codes in scheme.values() for meaning, _ in codes.values())


def words() -> list[str]:
    """Return the words, sorted."""
    found = {word for text in texts() for word in re.findall(r"[^\W\d_]+", fold(text))}
    return sorted(word for word in found - listed("names") - listed("protocol") if len(word) > 1 and word.isalpha())


def page() -> str:
    """Return the text of the file."""
    lines = [""]
    for word in words():
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(page(), "utf-8")
