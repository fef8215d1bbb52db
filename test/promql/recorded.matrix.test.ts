import { representative, testDifferential } from './recorded.ts';

testDifferential((name) => name !== representative);
