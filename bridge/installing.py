"""What to type where a library is missing that one of the extras has."""

import json
import shlex
from typing import Any
from urllib.parse import unquote, urlsplit

_NAME = "media-stream-bridge"


def with_extra(extra: str) -> str:
    """The command that installs this bridge with an extra, from where it was installed: no index need have it."""
    return f"pip install {_told(extra)}"


def _told(extra: str) -> str:
    from importlib import metadata  # takes longer than the start has time for, and is needed where something is missing

    try:
        written = metadata.distribution(_NAME).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return f"'.[{extra}]'"  # run from its folder
    return _from(json.loads(written), extra) if written else f"'{_NAME}[{extra}]'"


def _from(source: dict[str, Any], extra: str) -> str:
    """From a folder, a file or a repository, as `direct_url.json` has it. Source: packaging.python.org, Direct URL."""
    url = urlsplit(source["url"])
    if url.scheme == "file":
        is_editable = source.get("dir_info", {}).get("editable")
        place = f"{unquote(url.path)}[{extra}]"
        return ("-e " if is_editable else "") + (f"'{place}'" if "'" not in place else shlex.quote(place))
    vcs = source.get("vcs_info", {})
    at = f"@{vcs['commit_id']}" if "commit_id" in vcs else ""
    return f"'{_NAME}[{extra}] @ {vcs['vcs'] + '+' if 'vcs' in vcs else ''}{source['url']}{at}'"
