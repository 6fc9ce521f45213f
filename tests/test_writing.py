import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.writing import characters, cut, joined, slices, spaced, unbroken, units, width


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (["where", "is it?"], "where is it?"),
        (["", "one", "", "two"], "one two"),
        ([], ""),
        (["我想", "查订单，", "谢谢你。"], "我想查订单，谢谢你。"),
        (["もし", "もし。", "田中です"], "もしもし。田中です"),
        (["ﾓｼ", "ﾓｼ"], "ﾓｼﾓｼ"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["ສະບາຍ", "ດີ"], "ສະບາຍດີ"),
        (["សួស្តី", "បង"], "សួស្តីបង"),
        (["မင်္ဂလာ", "ပါ"], "မင်္ဂလာပါ"),
        (["안녕하세요", "여러분"], "안녕하세요 여러분"),
        (["привет", "мир"], "привет мир"),
        (["नमस्ते", "दुनिया"], "नमस्ते दुनिया"),
        (["مرحبا", "بك"], "مرحبا بك"),
        (["我用", "iPhone", "12", "打"], "我用iPhone 12打"),
        (["订单,", "谢谢"], "订单,谢谢"),
        (["“谢谢”", "你"], "“谢谢”你"),
        (["OK。", "Thanks"], "OK。Thanks"),
        (["ＡＢＣ", "ＤＥＦ"], "ＡＢＣ ＤＥＦ"),
        (["…", "well"], "… well"),
        (["𠀀", "𠀁"], "𠀀𠀁"),
        (["é", "ü"], "é ü"),
    ],
)
def test_texts_are_joined_as_their_scripts_are_written(texts, text):
    assert joined(texts) == text


@given(st.text(), st.text())
def test_a_blank_stands_between_two_or_does_not(one, other):
    assert joined([one, other]).replace(" ", "") == (one + other).replace(" ", "")
    assert isinstance(spaced(one, other), bool)


@pytest.mark.parametrize(
    ("text", "found"), [("one\ntwo", "one two"), ("一\u2028二\r\n三\n", "一二三"), ("", ""), ("one", "one")]
)
def test_a_line_end_is_a_blank_where_there_are_blanks(text, found):
    assert unbroken(text) == found


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("一、二三。", ["一", "二", "三"], ["一、", "二", "三。"]),
        ("«a b»", ["a", "b"], ["«a ", "b»"]),
        ("a b", ["b", "a"], None),
        ("text", [], []),
    ],
)
def test_a_text_is_cut_before_its_words(text, words, found):
    assert slices(text, words) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello", ["hello"]),
        ("我想查。", ["我", "想", "查。"]),
        ("「もし」、iPhoneを買った", ["「も", "し」、", "iPhone", "を", "買っ", "た"]),
        ("ไป\u200bไหน", ["ไป\u200b", "ไหน"]),
        ("สวัสดี", ["สวัสดี"]),
        ("안녕", ["안녕"]),
        ("\u200b日", ["\u200b", "日"]),
    ],
)
def test_a_line_may_be_broken_between_units(text, found):
    assert units(text) == found


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("订单", 4), ("ＡＢ", 4), ("ｱｲ", 2), ("ที่", 1), ("é", 1), ("e\u0301", 1), ("한", 2), ("\u200b", 0)],
)
def test_a_text_has_a_width(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize("character", ["e\u0301", "ที่", "กำ", "ကြွ", "က္က", "ស្ត", "한", "👍🏽", "👩\u200d🚒", "हि"])
def test_a_character_keeps_its_marks(character):
    assert list(characters(f"{character}{character}")) == [character, character]


@given(st.text(st.sampled_from("ab 订单，「」ที่กำ\u200bᄒ\u200d👍🏽é\u0301가"), max_size=30), st.integers(2, 9))
def test_parts_hold_all_of_a_text_and_are_no_wider_than_asked_for(text, columns):
    parts = cut(text, columns)

    assert "".join(parts) == text
    assert "".join(units(text)) == text
    assert "".join(characters(text)) == text
    assert all(width(part) <= columns or len(list(characters(part))) == 1 for part in parts)
