#!/bin/sh
# Starts xen-exporter with the C library that lies beside it, where the system's own is older than 2.28.
here=$(dirname "$(readlink -f "$0")")
exec "$here"/ld-linux-*.so.* --library-path "$here" "$here/xen-exporter" "$@"
