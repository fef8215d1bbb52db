# Image of xen-exporter for guests: see docs/install/container.md. Contains the program and its libraries, no shell, no
# packages.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates nodejs npm
WORKDIR /xen-exporter
COPY . .
RUN npm ci && npm run package -- image

FROM scratch
COPY --from=build /xen-exporter/dist/package/image/ /
ENV MALLOC_ARENA_MAX=1
USER 65534:65534
EXPOSE 28697
HEALTHCHECK --interval=30s --timeout=10s CMD ["/usr/bin/xen-exporter", "health"]
ENTRYPOINT ["/usr/bin/xen-exporter"]
