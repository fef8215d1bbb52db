import { expect, test } from 'vitest';
import { nearest } from '../../src/config/nearest.ts';

const names = ['listen-address', 'telemetry-path', 'max-requests', 'cpu', 'tcp'];

test.each([
  ['listen_address', 'listen-address'],
  ['listenAddress', 'listen-address'],
  ['telemetry-pat', 'telemetry-path'],
  ['max-request', 'max-requests'],
  ['cpus', 'cpu'],
  ['nope', undefined],
  ['ab', undefined],
  ['', undefined],
  [`listen-address${'x'.repeat(60)}`, undefined],
])('%j', (given, meant) => expect(nearest(given, names)).toBe(meant));

test('of no names none', () => expect(nearest('cpu', [])).toBeUndefined());
