"""The media-stream bridge: calls in, live transcripts at a webhook out.

The floors, top to bottom; a module imports only from lower ones, or beside it in its own package
(`tests/test_architecture.py` enforces it):

    9 key       __main__
    8 roof      cli/
    7 hall      app
    6 doors     web/
    5 stage     call/, config, local/
    4 shells    deepgram/client, deepgram/prerecorded, store/, delivery/sender, delivery/poster, delivery/previews,
                live, logs, clock
    ---- below this line: no await, no clock, no randomness, no environment, no logging ----
    3 machines  align/, call/continuity, deepgram/session, deepgram/gate, transcript/assembler,
                transcript/conversation, delivery/lane, delivery/breaker
    2 pure      deepgram/options, deepgram/batch, deepgram/exchange, deepgram/window, deepgram/coverage, deepgram/pace,
                deepgram/states, deepgram/timeline, deepgram/watchdog, deepgram/ending, delivery/signing,
                delivery/envelope, store/base, transcript/speech, transcript/turns, transcript/figures,
                transcript/gaps,                transcript/captions, transcript/render
    1 dialects  carriers/, deepgram/messages, event_stream, outbox
    0 words     errors, audio, events/, text
"""

__version__ = "0.1.0"
