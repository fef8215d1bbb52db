import { testDifferential } from './recorded.ts';

testDifferential(() => true);
