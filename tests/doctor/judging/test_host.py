"""The machine, by what was measured of it."""

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging import host
from bridge.doctor.judging.host import Disk, Library

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("skews", "mark", "said"),
    [
        ({"a": 0.4}, Mark.FINE, "agrees with a's"),
        ({"a": -5.0}, Mark.FINE, "agrees"),
        ({"a": 12.0}, Mark.DOUBT, "12 s ahead of a's"),
        ({"a": -12.0}, Mark.DOUBT, "12 s behind a's"),
        ({"a": 3600.0}, Mark.BROKEN, "3600 s ahead"),
        ({"a": 3600.0, "b": 0.2, "c": None}, Mark.FINE, "agrees with b's"),
        ({"a": None}, Mark.SKIPPED, "no peer"),
        ({}, Mark.SKIPPED, "no peer"),
    ],
)
def test_the_clock(skews, mark, said):
    finding = host.clock(skews)

    assert (finding.mark, said in finding.said) == (mark, True)


@pytest.mark.parametrize(
    ("found", "mark", "said", "remedy"),
    [
        (Disk("/data", fault="ENOSPC"), Mark.BROKEN, "/data is full", "du -axh /data"),
        (Disk("/data", files_free=0, fault="ENOSPC", mount="/data"), Mark.BROKEN, "no more files", "inodes -x /data"),
        (Disk("/data", fault="EDQUOT"), Mark.BROKEN, "quota", "make room"),
        (Disk("/data", fault="EROFS", mount="/disk"), Mark.BROKEN, "read-only", "mount -o remount,rw /disk)"),
        (Disk("/data", fault="EACCES"), Mark.BROKEN, "cannot be written by this user", "chown"),
        (Disk("/data", fault="ENOTDIR"), Mark.BROKEN, "is a file", "folder"),
        (Disk("/data", fault="EIO"), Mark.BROKEN, "fails", "dmesg"),
        (Disk("/data", fault="ESTALE"), Mark.BROKEN, "cannot be written (ESTALE)", "DATA_DIR"),
        (Disk("/data", free=1_000_000), Mark.BROKEN, "only 1 MB", "make room"),
        (Disk("/data", free=50 * GB, files_free=3), Mark.BROKEN, "only 3 more files", "inodes"),
        (Disk("/data", free=50 * GB, took=0.8), Mark.DOUBT, "0.80 s", "disk of this machine"),
        (Disk("/data", free=5 * GB), Mark.DOUBT, "kept audio may take 10,000 MB", "BRIDGE_AUDIO_LIMIT=2500"),
        (Disk("/data", free=30 * GB), Mark.DOUBT, "recordings may take 50,000 MB", "BRIDGE_RECORDING_LIMIT=15000"),
    ],
)
def test_a_disk_that_will_not_do(found, mark, said, remedy):
    (finding,) = [each for each in host.disk(found, 10 * GB, 50 * GB) if each.mark is mark and said in each.said]

    assert remedy in finding.remedy


def test_a_disk_that_will_do():
    (finding,) = host.disk(Disk("/data", free=100 * GB, files_free=10**6, took=0.001), 10 * GB, None)

    assert (finding.mark, "100,000 MB" in finding.said) == (Mark.FINE, True)


@pytest.mark.parametrize(
    ("limit", "enough", "mark", "remedy"),
    [
        (65536, 9830, Mark.FINE, None),
        (1024, 153, Mark.DOUBT, "BRIDGE_MAX_CALLS=153"),
        (1024, 153, Mark.DOUBT, "ulimit -n 6693"),
        (6, 0, Mark.BROKEN, "LimitNOFILE"),
    ],
)
def test_the_files_that_may_be_open(limit, enough, mark, remedy):
    finding = host.files(limit, enough, 1000)

    assert finding.mark is mark
    assert (remedy or "") in (finding.remedy or "")


def test_libraries_that_are_too_old():
    given = [Library("aiohttp", ">=3.14", "3.9.1", suits=False), Library("yarl", ">=1", None, suits=False)]
    given.append(Library("rich", ">=1", "13.0", suits=True))
    old, missing = host.versions("3.11.7", given, [])

    assert old.said == "aiohttp 3.9.1, >=3.14 is needed"
    assert missing.said == "yarl is not installed, >=1 is needed"
    assert (old.mark, old.remedy) == (Mark.BROKEN, "pip install -U 'aiohttp>=3.14'")


@pytest.mark.parametrize(("extras", "said"), [(["local", "stream"], "extras: local, stream"), ([], "no extras")])
def test_libraries_that_are_new_enough(extras, said):
    (finding,) = host.versions("3.11.7", [Library("rich", ">=1", "13.0", suits=True)], extras)

    assert (finding.mark, said in finding.said) == (Mark.FINE, True)


def test_a_bridge_that_is_not_installed_cannot_tell():
    assert [finding.mark for finding in host.versions("3.11.7", None, [])] == [Mark.SKIPPED]


@pytest.mark.parametrize(
    ("finding", "mark", "said", "remedy"),
    [
        (host.served("http://127.0.0.1:8080"), Mark.FINE, "serves at http://127.0.0.1:8080", ""),
        (host.held(4711, "/data"), Mark.BROKEN, "process 4711 has the record in /data", "kill 4711"),
        (host.held(0, "/data"), Mark.BROKEN, "another process has the record", "set DATA_DIR"),
        (host.place(None, "0.0.0.0", 8080), Mark.SKIPPED, "port 8080 is free", "bridge serve"),
        (host.place(None, "127.0.0.1", 80, local=True), Mark.SKIPPED, "port 80 of 127.0.0.1", "bridge serve --local"),
        (host.place("EADDRINUSE", "0.0.0.0", 8080, free=8083), Mark.BROKEN, "another program listens", "set PORT=8083"),
        (host.place("EADDRINUSE", "0.0.0.0", 65535), Mark.BROKEN, "another program listens", "set PORT=0"),
        (host.place("EACCES", "0.0.0.0", 80), Mark.BROKEN, "may not listen at port 80", "set PORT=8080"),
        (host.place("EADDRNOTAVAIL", "192.0.2.1", 80), Mark.BROKEN, "192.0.2.1 is no address", "unset HOST"),
    ],
)
def test_whether_a_bridge_serves_or_could(finding, mark, said, remedy):
    assert (finding.check, finding.mark) == ("serving", mark)
    assert said in finding.said and remedy in (finding.remedy or "")
