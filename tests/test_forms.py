"""The types, where they add something to the forms of `values`."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from bridge import forms


def read(form, text):
    return TypeAdapter(form).validate_python(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (forms.DialTarget, "mum"),
        (forms.Label, "x" * 401),
        (forms.DeepgramOptions, "channels=1"),
        (forms.DeepgramOptions, "language=en\nmodel=nova-2"),
        (forms.OptionNames, "language,langauge"),
        (forms.OptionNames, "callback"),
        (forms.OptionNames, "encoding"),
        (forms.Folder, "da\x00ta"),
    ],
)
def test_a_fault_is_the_forms_own_sentence(form, text):
    with pytest.raises(ValidationError) as caught:
        read(form, text)
    assert caught.value.errors()[0]["type"] in ("value_error", "string_too_long")


def test_a_secret_is_checked_and_hidden():
    key = read(forms.Keys, "a1b2")

    assert key.get_secret_value() == "a1b2"
    assert "a1b2" not in repr(key)
    assert read(forms.Keys, key) == key


def test_a_folder_may_be_at_home():
    assert read(forms.Folder, "~/data") == Path.home() / "data"
    assert read(forms.Folder, Path("~/data")) == Path("~/data")


def test_a_target_and_names_pass():
    assert read(forms.DialTarget, "sip:a@b.example") == "sip:a@b.example"
    assert read(forms.OptionNames, "language, brand_new") == "language, brand_new"
