# Sourced by the scripts beside it: makes `.venv` with what they need, once, and again when pyproject.toml changes.
# Sets $python. PYTHON names the interpreter to make it with; VENV another place for it; CONSTRAINTS other versions than
# those in requirements-dev.lock.

cd "$(dirname "$0")/.." || exit 1
venv=${VENV:-.venv}
python=$venv/bin/python
constraints=${CONSTRAINTS:-requirements-dev.lock}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python3.14}; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "This needs Python 3.11 or later, with its venv module (on Debian: apt install python3-venv)." >&2
    return 1
}

# prepare EXTRAS: install the project with these extras, if that has not been done since pyproject.toml or the lock last
# changed.
prepare() {
    stamp=$venv/installed.$1
    if [ -x "$python" ] && [ -e "$stamp" ] && [ "$stamp" -nt pyproject.toml ] && [ "$stamp" -nt "$constraints" ]; then
        return
    fi
    if ! [ -x "$python" ]; then
        interpreter=$(find_python) || exit 1
        echo "Making $venv with $interpreter (once) …" >&2
        "$interpreter" -m venv "$venv" || { echo "Could not make $venv with $interpreter." >&2; exit 1; }
    fi
    echo "Installing into $venv (once, some 40 packages) …" >&2
    # Without a wheel of PocketSphinx for this interpreter the rest still works: recognition then follows a script.
    if ! install -e ".[local,$1]"; then
        install -e ".[$1]" || { tail -n 20 "$venv/install.log" >&2; exit 1; }
        echo "PocketSphinx does not install on this Python; the local engine will follow the script instead." >&2
    fi
    touch "$stamp"
}

# install REQUIREMENTS: by pip. What it is at is shown on a terminal in one line, elsewhere as dots; all that it says
# stays in install.log.
install() {
    : >"$venv/install.log"
    {
        status=0
        "$python" -m pip --disable-pip-version-check install --progress-bar off -c "$constraints" "$@" 2>&1 || status=$?
        echo "$status" >"$venv/install.status"
    } | while IFS= read -r line; do
        printf '%s\n' "$line" >>"$venv/install.log"
        case $line in
        Collecting* | Obtaining* | *Building* | "Installing collected"*)
            if [ -t 2 ]; then printf '\r\033[K  %.60s' "${line#"${line%%[! ]*}"}" >&2; else printf . >&2; fi
            ;;
        esac
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; else echo >&2; fi
    return "$(cat "$venv/install.status")"
}

# prepare_browser: Chromium for the tests of the page, from the system's packages where we may install them.
prepare_browser() {
    for name in chromium chromium-browser google-chrome; do
        if "$name" --version >/dev/null 2>&1; then return; fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Chromium (once) …" >&2
        export DEBIAN_FRONTEND=noninteractive
        if (apt-get update -q && apt-get install -q -y --no-install-recommends chromium) >/dev/null; then return; fi
    fi
    echo "There is no Chromium on this machine: the tests of the page are skipped." >&2
}
