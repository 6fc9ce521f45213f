"""The audio of calls on the disk: until it is settled, and for good, as recordings.

The event loop only collects: `append` puts a chunk on a list (`file`). A few times a second everything that all calls
have collected goes to one thread as one job (`writer`), and that thread alone touches the files (`segments`), so that
reading, deleting and notes keep their places in the order too. `store` knows which calls there are; `recordings`
reads, and deletes, those that are finished and kept for good.

What was flushed survives `kill -9`, but not a power cut: there is no fsync. A disk that is full, slow or broken never
reaches a call as an exception: what could not be written is counted, logged once a trouble, and stands in
`AudioFile.lost` for the call to report. What Deepgram has settled, and which calls have ended, is known elsewhere.
"""

from bridge.store.audio.file import AudioFile
from bridge.store.audio.recordings import Recording, Recordings
from bridge.store.audio.store import AudioStore

__all__ = ["AudioFile", "AudioStore", "Recording", "Recordings"]
