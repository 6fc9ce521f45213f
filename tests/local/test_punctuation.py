from bridge.local import sample
from bridge.local.punctuation import Punctuation
from bridge.local.script import load_script

SAMPLE = [" ".join(word.text for word in channel) for channel in load_script(sample.SCRIPT).channels]


def written(*utterances, pause=True):
    """Utterances of bare words, each with a pause behind it."""
    punctuation = Punctuation()
    return [" ".join(punctuation.write(words.split(), settled=True, pause=pause)) for words in utterances]


def test_the_sample_call_is_written_as_its_script():
    channels = [[word.word for word in channel] for channel in load_script(sample.SCRIPT).channels]

    assert [written(" ".join(words))[0] for words in channels] == SAMPLE


def test_an_utterance_goes_on_with_the_one_before():
    assert written(
        "hi this is laura miller", "i'm calling about an order it was supposed to arrive on monday", "and"
    ) == [
        "Hi, this is Laura Miller.",
        "I'm calling about an order. It was supposed to arrive on Monday,",
        "and.",
    ]


def test_what_follows_is_asked_before_a_sentence_ends():
    assert written("thank you could you hold on for a moment please") == [
        "Thank you. Could you hold on for a moment, please?"
    ]


def test_new_words_have_no_marks_but_the_last():
    assert written("zebras yodel quietly") == ["Zebras yodel quietly."]
    assert written("zebras yodel", "quietly", pause=False) == ["Zebras yodel", "quietly"]


def test_what_is_not_settled_has_no_last_mark_and_changes_nothing():
    punctuation = Punctuation()

    assert punctuation.write(["can", "you", "hear", "me"]) == ["Can", "you", "hear", "me"]
    assert punctuation.write(["goodbye"], settled=True, pause=True) == ["Goodbye."]


def test_an_utterance_without_words():
    punctuation = Punctuation()

    assert punctuation.write([], settled=True, pause=True) == []
    assert punctuation.write(["yes"]) == ["Yes"]
