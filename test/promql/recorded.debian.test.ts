import { testDifferential } from './recorded.ts';

testDifferential((name) => name === 'credit2-exporter-killed');
