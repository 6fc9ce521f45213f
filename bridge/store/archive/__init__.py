"""Audio that must outlive this machine's disk, in an object store: S3, Google Cloud Storage, Azure or a shared folder.

`base` has the words, `errands` decides what is done next, `plan` what an errand is; `objects` speaks to the store by
the library `obstore`, and `archive` does the errands. Calls never wait for any of it: audio is written to the disk as
always, and stays there until its object is confirmed.
"""
