import { describe } from 'vitest';
import { useStage } from './stage.ts';
import { describeTrace } from './trace.ts';

describe('Xen on processors that run in turn', () => {
  // A PVH guest does not boot there.
  describeTrace(useStage({ scheduler: 'credit', threads: 'single', guests: ['domu1', 'domu2'] }));
});
