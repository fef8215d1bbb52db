import { describe } from 'vitest';
import { useStage } from '../harness/stage.ts';
import { describeProbes } from './probes.ts';

describe('Xen on processors that run in turn', () => {
  // A PVH guest does not boot with processors in turn.
  describeProbes(useStage({ scheduler: 'credit', threads: 'single', guests: ['domu1', 'domu2'] }));
});
