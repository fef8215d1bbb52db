#!/usr/bin/env node
import './host/v8-flags.ts';
import { main } from './commands/command.ts';
import { commands } from './commands/registry.ts';

await main(commands, process.argv.slice(2));
