# The bridge in a container: docker build -t media-stream-bridge .
# bridge/docs/hosting.md says how to run it. EXTRAS=[local] adds the local engine, for `serve --local` and `call`.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=
WORKDIR /src
RUN python -m venv /opt/bridge
# The versions that the tests pass with.
COPY pyproject.toml requirements-dev.lock README.md LICENSE ./
COPY bridge ./bridge
COPY twiml ./twiml
RUN /opt/bridge/bin/pip install --no-cache-dir -c requirements-dev.lock ".${EXTRAS}" \
    && /opt/bridge/bin/pip uninstall -q -y pip

FROM python:${PYTHON}-slim AS runtime
COPY --from=build /opt/bridge /opt/bridge
# What SQLite cannot hold in memory goes to the volume: with `--read-only` there may be no other place.
ENV PATH=/opt/bridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    SQLITE_TMPDIR=/data \
    HOST=0.0.0.0 \
    PORT=8080
RUN groupadd --system --gid 10001 bridge \
    && useradd --system --uid 10001 --gid bridge --home-dir /data --shell /usr/sbin/nologin bridge \
    && install -d -o bridge -g bridge -m 0700 /data
VOLUME /data
EXPOSE 8080
# SIGTERM leaves calls open for the next process. The process is the container's first, so that it gets the signal.
STOPSIGNAL SIGTERM
# Whether the process is alive, not whether it takes calls: a full disk is not mended by a restart.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["python", "-I", "-c", "import http.client, os, sys; \
    server = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
    server.request('GET', '/healthz'); \
    sys.exit(server.getresponse().status != 200)"]
CMD ["serve"]

# For a host whose disks belong to root (Fly): makes the folder the bridge's, and then is root no more.
FROM runtime AS root-disk
# hadolint ignore=DL3002
USER 0
ENTRYPOINT ["sh", "-c", "chown bridge:bridge \"$DATA_DIR\" && exec setpriv --reuid=bridge --regid=bridge \
    --init-groups --no-new-privs bridge \"$@\"", "bridge"]
CMD ["serve"]

FROM runtime
USER 10001:10001
ENTRYPOINT ["bridge"]
CMD ["serve"]
