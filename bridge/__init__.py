"""The media-stream bridge: calls in, live transcripts at a webhook out.

The layers, top to bottom; a module imports only from lower ones, or beside it in its own package
(`tests/test_architecture.py` enforces it):

   10 entry     __main__
    9 commands  cli/
    8 wiring    app
    7 parts     parts, stop, doctor/
    6 handlers  web/, policies, checks, standby
    5 calls     call/, config/, endpoints, local/, doctor/measuring/
    4 shells    deepgram/client, deepgram/mono, deepgram/socket, deepgram/masking, deepgram/dialing,
                deepgram/prerecorded, deepgram/prober, store/, delivery/sender, delivery/batches, delivery/attempts,
                delivery/posting, delivery/poster, delivery/connection, delivery/interims, client/, live, logs, clock,
                process, certificates, forms, telemetry/, supervisor
    ---- below this line: no await, no clock, no randomness, no environment, no logging ----
    3 machines  align/, call/continuity, call/pauses, restarts, deepgram/session, deepgram/channels, deepgram/asking,
                deepgram/breaker, deepgram/origins, deepgram/choice, transcript/assembler, transcript/conversation,
                delivery/lane, delivery/breaker, delivery/format, delivery/twilio, delivery/whole, delivery/timing,
                redaction/redactor, redaction/muting, store/archive/errands, store/postgres/plan, store/postgres/works,
                store/postgres/lease, store/postgres/order, store/postgres/asked, call/overlap, call/requests,
                call/relay
    2 pure      align/seam, call/states, call/lull, deepgram/options, deepgram/flux_options, deepgram/languages,
                deepgram/batch,
                deepgram/exchange, deepgram/window, deepgram/coverage, deepgram/states, deepgram/timeline,
                deepgram/watchdog, deepgram/outflow, deepgram/interruption, deepgram/retries, deepgram/standing,
                deepgram/ending, deepgram/sounds, deepgram/backlog, deepgram/journal, deepgram/latency, deepgram/delay,
                deepgram/configuring, delivery/signing, delivery/envelope, delivery/address, delivery/allowed, tunnel,
                store/base, store/auditing, store/outbox, store/kept, store/load, store/passing, store/relaying,
                store/handing, store/archive/base, store/archive/plan, transcript/speech, transcript/turns,
                transcript/figures, transcript/gaps, transcript/captions, transcript/render, vosk/messages,
                doctor/finding, doctor/judging/, contract/, redaction/rules, redaction/numbers, redaction/spoken,
                web/mark, redaction/tokens, redaction/addresses, redaction/cards, redaction/cues, redaction/finding
    1 dialects  carriers/, deepgram/messages, deepgram/dialect, deepgram/flux, deepgram/usual, deepgram/words,
                deepgram/extras, event_stream, outbox, answer, egress, rights, guard, outlets, roles
    0 words     errors, failure, audio, events/, recognition, text, spelling, values, traces, installing
   -1 base      spans, pace, writing, histogram, standstill

One word for one thing:

    carrier       carries the telephone call, and sends us its audio: Twilio, Telnyx, jambonz
    call          a telephone call; the carrier's id of it is `carrier_call_id`
    record        what is kept of a call from its `call.started` to its `call.ended`; a call may have further records;
                  `call_id`, in code, logs and events, is the record's id
    stream        one media socket of a call; a call may have several, one after the other or at once
    track         a direction of a stream, `inbound` or `outbound`; its place in the two-channel audio is its channel
    frame         some audio of one track, as the carrier sends it; a chunk is aligned audio of both tracks
    position      a place in the call's audio, in samples since call time 0; a span lies between two of them
    gap           audio that never reached the transcript, and is said to be missing; a hole is what finals have passed
                  over and not covered; a stretch is a span as an event names it, in seconds and of one track
    cover         a final covers the span that it transcribes; what is not covered is transcribed later, or is a gap
    kept audio    a call's audio on the disk, until it is covered; a recording is kept for good
    archive       audio in an object store, which outlives this disk; each of its objects is of one call
    result        what a recognizer says of a span: an interim, which the next one replaces, or a final
    voice         one of several people on a track, by the number that the recognizer gives their words (`speaker`)
    segment       what its interims and its final say in turn, under one id; a turn, told as `utterance.completed`, is
                  the finals up to a pause; a turn that is read goes on until a long one, or the other's word
    backfill      to transcribe kept audio after the call
    import        to make a recording from elsewhere a record; intake takes it in, by whichever process has the store
    event         a thing that is told of a call; a durable one has a `seq`, its number in the record
    event writer  numbers a call's events and hands them to the store
    projection    what the log says of a call, and its kept audio's note: all that is needed to go on with it
    registry      the calls that are going on
    owner         the process, by its open store, that goes on with a call; an epoch counts the owners
    chore         what one of several processes does for all of them, now and then: deleting what is too old
    request       what is asked of a call while it goes on, such as a pause; a process that is not its owner passes it
                  on, and answers what the owner has answered
    relay         a stream of a call that another process has is relayed to it: that process, its keeper, hears it as if
                  it had come there by itself
    leave, adopt  a process that stops leaves its calls open; the next one adopts them
    successor     a process that hears another's calls to take them over: it waits for its `DATA_DIR`, or is a node
                  beside it, with the same record
    seam          where a successor goes on with what the other process has heard, to the sample; found by the tail,
                  which is what that has heard last
    anchor        the wall clock of call time 0
    grace         how long a call without a stream waits for one; the carrier is asked for it (refork)
    pause         someone asks that a call be heard by no one for a while; what is said then is nowhere
    lull          streams are there, and the carrier sends nothing: the call goes on in silence
    lane          one record's way to one endpoint, with a cursor; the outbox is all of them
    parked        given up, as a dead letter is, until it is resumed: said of a lane
    origin        where Deepgram is reached: one of its regions, or a server of one's own; the first is preferred; a
                  probe asks one that has failed
    breaker       a circuit breaker: spares a peer that fails, and tries it now and then
    consumer      a program of others: it receives the webhook, or reads the record or a feed, with `bridge.client`
    redaction     takes out of results what is not to be read; a final that may go on with it is held until it is known
    access        who may read which calls
    role          a part of the work: media, web or worker; a process has one, several, or all
    supervisor    starts several processes on one port, and starts again those that end
    route         how a peer is reached: through which proxy, with which certificates; egress knows all routes
    finding       what the doctor says of one thing that it has measured: how it stands, and a remedy
    session       the conversation with Deepgram about one call, over as many sockets as it takes
    dialect       reads one carrier's, or Deepgram's, messages
    machine       decides, without a socket or a clock; a shell acts, and decides nothing
"""

__version__ = "0.1.0"
