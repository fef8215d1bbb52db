#!/bin/sh
# Runs after npm ci and npm install: makes npm scripts use the Node in node_modules.
set -eu

# npm 9 of Debian 12 drops .bin/node when it skips the other processor's package, whose program has the same name.
link_node() {
  for node in node_modules/node-linux-*/bin/node; do
    if [ -x "$node" ]; then ln -sf "../../$node" node_modules/.bin/node; fi
  done
}

link_node

# npm skips optional packages that need a newer Node than npm's own, including native parts of the test tools. If npm's
# Node is too old, install once more with ours.
is_too_old='process.exit(Number(process.versions.node.split(".")[0]) < 22 ? 0 : 1)'
if [ -x node_modules/.bin/node ] && "$npm_node_execpath" -e "$is_too_old"; then
  node_modules/.bin/node "$npm_execpath" ci --ignore-scripts --no-audit --no-fund
  link_node
fi
