#!/usr/bin/env node
import './host/v8-flags.ts';
import { main } from './commands/command.ts';
import { commands } from './commands/registry.ts';

// Not awaited: the single executable is CommonJS, which has no top-level await.
void main(commands, process.argv.slice(2));
