#!/bin/sh
# Starts xen-exporter with the C library next to it if the system's is older than 2.28.
here=$(dirname "$(readlink -f "$0")")
exec "$here"/ld-linux-*.so.* --library-path "$here" "$here/xen-exporter" "$@"
