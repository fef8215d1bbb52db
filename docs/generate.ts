// npm run docs: writes what the docs take from the code.
import { readFileSync, writeFileSync } from 'node:fs';
import { metricsReference, withFlagTable } from './reference.ts';

const file = (name: string): URL => new URL(name, import.meta.url);

writeFileSync(file('metrics.md'), metricsReference());
writeFileSync(file('../README.md'), withFlagTable(readFileSync(file('../README.md'), 'utf8')));
