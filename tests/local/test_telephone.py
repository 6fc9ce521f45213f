import importlib.util

import pytest

from bridge.local import telephone


def matrix():
    """The first stream's matrix out of the file that PocketSphinx reads."""
    lines = telephone._transform().splitlines()
    return [[float(value) for value in line.split()] for line in lines[3:16]]


def test_the_band_is_that_of_a_telephone_line():
    low, high = telephone._band()

    assert 150 < low < 350
    assert 3000 < high < 4000


def test_there_is_a_transform_for_each_stream():
    lines = telephone._transform().splitlines()

    assert lines[:2] == ["1", "3"]
    assert len(lines) == 2 + 3 * (1 + 13 + 1 + 1)


def test_the_transform_of_a_spectrum_inside_the_band_is_its_own_cosine_transform():
    wide, narrow = telephone._cosines(25), telephone._cosines(17)
    # A spectrum smooth enough for thirteen cepstra to hold all of it.
    cepstra = [1.0, 0.5, -0.3, 0.2] + [0.0] * 9
    spectrum = [sum(c * row[band] for c, row in zip(cepstra, wide, strict=True)) for band in range(25)]
    inside = spectrum[telephone._FIRST - 1 : telephone._LAST]
    expected = [sum(a * b for a, b in zip(row, inside, strict=True)) for row in narrow]
    lifted = [value * telephone._lift(row) for row, value in enumerate(cepstra)]
    got = [sum(a * b for a, b in zip(row, lifted, strict=True)) for row in matrix()]

    assert got == pytest.approx([value * telephone._lift(row) for row, value in enumerate(expected)], abs=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="no PocketSphinx for this Python")
def test_the_decoder_takes_it():
    decoder = telephone.decoder()

    assert decoder.config["samprate"] == 8000
    assert decoder.config["nfilt"] == 17
