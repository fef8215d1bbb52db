import { representatives, testReplays } from './replay.ts';

testReplays((name) => !representatives.has(name));
