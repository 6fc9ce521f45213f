"""A PocketSphinx decoder that hears telephone audio: 8 kHz, 300 to 3400 Hz.

The acoustic model in PocketSphinx' wheel was trained on 16 kHz audio; half of its mel filters lie where a telephone
line carries nothing. So the front end uses only the filters inside the line's band (they keep the model's own centres
and widths), and the model's means are moved by a linear transform to where they would be had it been trained on these
filters alone: cosine transform back over all filters, forth over the few. It comes as an MLLR matrix, which
PocketSphinx applies when it loads. On synthesized calls this makes a third of the errors that upsampling makes.
"""

import tempfile
from math import cos, log10, pi, sin, sqrt
from pathlib import Path
from typing import Any

from bridge.audio import SAMPLE_RATE
from bridge.local import language

_LOW, _HIGH, _FILTERS = 130.0, 6800.0, 25  # the wheel's model
_FIRST, _LAST = 2, 18  # its filters that lie inside the band, counted from 1
_LIFTER = 22
_CEPSTRA = 13
_VARIANCE = 0.6  # fewer filters vary less; fitted once
_STREAMS = 3  # static, delta, delta-delta


def decoder() -> Any:
    """A new decoder with the small language model; takes a fraction of a second. Needs PocketSphinx."""
    from pocketsphinx import Decoder, get_model_path

    low, high = _band()
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "lm": language.model(),
            "dict": language.dictionary(),
            "mllr": _transform(),
            "featparams": (
                f"-lowerf {low:.2f}\n-upperf {high:.2f}\n-nfilt {_LAST - _FIRST + 1}\n-transform dct\n"
                f"-lifter {_LIFTER}\n-feat 1s_c_d_dd\n-svspec 0-12/13-25/26-38\n-agc none\n-cmn live\n-varnorm no\n"
                "-model ptm\n-remove_noise no\n-cmninit 44,1,6,0,-2,-4,-10,-3,-4,-2,-1,-1,0\n"
            ),
        }
        paths = {}
        for name, text in files.items():
            path = Path(folder, name)
            path.write_text(text, "utf-8")
            paths[name] = str(path)
        model = get_model_path("en-us/en-us")
        return Decoder(hmm=model, samprate=SAMPLE_RATE, loglevel="FATAL", **paths)


def _mel(hertz: float) -> float:
    return 2595 * log10(1 + hertz / 700)


def _band() -> tuple[float, float]:
    """The lower edge of the first filter and the upper edge of the last, in hertz."""
    step = (_mel(_HIGH) - _mel(_LOW)) / (_FILTERS + 1)

    def edge(place: int) -> float:
        return float(700 * (10 ** ((_mel(_LOW) + step * place) / 2595) - 1))

    return edge(_FIRST - 1), edge(_LAST + 1)


def _cosines(filters: int) -> list[list[float]]:
    """The cosine transform from filters to cepstra."""
    return [
        [sqrt((2 if row else 1) / filters) * cos(pi * row * (column + 0.5) / filters) for column in range(filters)]
        for row in range(_CEPSTRA)
    ]


def _lift(row: int) -> float:
    return 1 + _LIFTER / 2 * sin(row * pi / _LIFTER)


def _transform() -> str:
    """From cepstra over all filters to cepstra over those of the band, in the format of SphinxTrain's MLLR."""
    narrow, wide = _cosines(_LAST - _FIRST + 1), _cosines(_FILTERS)
    matrix = [
        [
            sum(value * wide[column][place + _FIRST - 1] for place, value in enumerate(narrow[row]))
            * (_lift(row) / _lift(column))
            for column in range(_CEPSTRA)
        ]
        for row in range(_CEPSTRA)
    ]
    rows = [" ".join(f"{value:.6f}" for value in row) for row in matrix]
    bias = " ".join(["0.000000"] * _CEPSTRA)
    variance = " ".join([f"{_VARIANCE:.6f}"] * _CEPSTRA)
    return "\n".join(["1", str(_STREAMS), *[str(_CEPSTRA), *rows, bias, variance] * _STREAMS, ""])
