import { describe } from 'vitest';
import { setSchedulerParameters } from './readings.ts';
import { useStage } from './stage.ts';
import { describeTrace } from './trace.ts';

describe('Xen on processors that run in turn', () => {
  describeTrace(useStage('credit', setSchedulerParameters, 'single'));
});
