# Weir in a small image: `docker build -t weir .`; docker-compose.yml runs it. Built by the same scripts and preset as everywhere else.
FROM debian:12.11-slim AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY scripts/install_dependencies.sh scripts/
RUN scripts/install_dependencies.sh build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release -DWEIR_TESTS=OFF -DWEIR_BENCH=OFF \
    && ninja -C build/release weir \
    && strip build/release/weir

FROM debian:12.11-slim
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN --mount=type=bind,source=scripts,target=/scripts \
    /scripts/install_dependencies.sh runtime \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 weir \
    && useradd --uid 10001 --gid weir --no-create-home --home-dir /var/lib/weir --shell /usr/sbin/nologin weir \
    && install -d -o weir -g weir /var/lib/weir
WORKDIR /opt/weir
COPY --from=build /src/build/release/weir /usr/local/bin/weir
COPY configs configs
COPY data data
COPY scripts/replay.sh scripts/
USER 10001:10001
VOLUME ["/var/lib/weir"]
ENTRYPOINT ["/usr/local/bin/weir"]
CMD ["--help"]
