#!/bin/sh
# Runs after npm ci and npm install: makes the Node that came with the packages the one that npm scripts use.
set -eu

# npm 9, which Debian 12 ships, drops .bin/node when it leaves out the package for the other processor, whose program has the same name.
link_node() {
  for node in node_modules/node-linux-*/bin/node; do
    if [ -x "$node" ]; then ln -sf "../../$node" node_modules/.bin/node; fi
  done
}

link_node

# npm leaves out optional packages that ask for a newer Node than the one npm itself runs on, among them the native parts of the test tools:
# where that one is too old, install once more on ours.
is_too_old='process.exit(Number(process.versions.node.split(".")[0]) < 22 ? 0 : 1)'
if [ -x node_modules/.bin/node ] && "$npm_node_execpath" -e "$is_too_old"; then
  node_modules/.bin/node "$npm_execpath" ci --ignore-scripts --no-audit --no-fund
  link_node
fi
