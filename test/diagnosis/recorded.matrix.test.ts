import { representatives } from '../pack/replay.ts';
import { testVerdicts } from './recorded-verdicts.ts';

testVerdicts((name) => !representatives.has(name));
