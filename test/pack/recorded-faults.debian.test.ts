import { testReplays } from './replay.ts';

testReplays(() => true);
