"""Names in any character set are read, shown and found."""

from __future__ import annotations

import pytest

from star_core.dicom.names import decode_name, decode_text, find_encodings, fold, to_display_name

NAMES = {
    "ISO_IR 100": ("Müller^Jérôme", "latin-1"),
    "ISO_IR 126": ("Διονυσιος", "iso8859_7"),
    "ISO_IR 144": ("Люкceмбypг", "iso8859_5"),
    "ISO_IR 192": ("王^小东", "utf-8"),
    "GB18030": ("王^小东", "gb18030"),
}


@pytest.mark.parametrize("term", NAMES)
def test_names_of_single_sets_are_decoded(term: str) -> None:
    name, encoding = NAMES[term]
    assert decode_name(name.encode(encoding), find_encodings(term)) == name


def test_an_equals_sign_within_two_byte_characters_splits_nothing() -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    groups = [group.encode("iso2022_jp") for group in name.split("=")]
    assert b"=" in "秀".encode("iso2022_jp")
    assert decode_name(b"=".join(groups), find_encodings("\\ISO 2022 IR 87")) == name
    assert decode_name("秀".encode("iso2022_jp"), find_encodings("\\ISO 2022 IR 87")) == "秀"


def test_korean_by_code_extension_is_decoded() -> None:
    raw = b"Hong^Gildong=\x1b$)C" + "洪".encode("euc_kr") + b"^\x1b$)C" + "吉洞".encode("euc_kr")
    name = decode_name(raw, find_encodings("\\ISO 2022 IR 149"))
    assert name == "Hong^Gildong=洪^吉洞"
    assert to_display_name(name) == "Hong, Gildong · 洪, 吉洞"


def test_unknown_character_sets_and_control_characters_stay_readable() -> None:
    assert decode_text(b"liver\x00\x1f  phase", find_encodings("ISO_IR nonsense")) == "liver phase"


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("Müller^Jérôme", "muller jerome"),
        ("Διονύσιος", "διονυσιος"),
        ("ﾔﾏﾀﾞ", "ヤマダ"),
        ("김희중", "김희중"),
        ("ÅSE", "åse"),
    ],
)
def test_what_is_typed_finds_what_is_stored(stored: str, typed: str) -> None:
    assert fold(typed) == fold(stored)


def test_a_name_longer_than_names_can_be_is_shown_all_the_same() -> None:
    assert to_display_name("A" * 512) == "A" * 512
