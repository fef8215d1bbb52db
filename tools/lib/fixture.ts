import { readFileSync } from 'node:fs';

const folder = new URL('../../test/fixtures/', import.meta.url);

/** A file of test/fixtures as text. */
export const readText = (path: string): string => readFileSync(new URL(path, folder), 'utf8');

/** A file of test/fixtures as bytes. */
export const readBytes = (path: string): Uint8Array => readFileSync(new URL(path, folder));
