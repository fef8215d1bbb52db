import { describe } from 'vitest';
import { describePrivileges } from './privileges.ts';
import { GUEST_NAMES, USUAL_GUESTS } from '../harness/lab.ts';
import { describeToolstackEvents } from './toolstack-events.ts';
import type { SchedulerName } from '../harness/qemu.ts';
import { describeReadings, setSchedulerParameters } from './readings.ts';
import { isFullForm, useStage } from '../harness/stage.ts';
import { describeRunStates } from './run-states.ts';
import { describeStorm } from './storm.ts';

/** All tests of one boot of Xen. */
export function describeHost(scheduler: SchedulerName): void {
  describe(`Xen with the scheduler ${scheduler}`, () => {
    const guests = isFullForm ? GUEST_NAMES : USUAL_GUESTS;
    const stage = useStage({ scheduler, guests }, setSchedulerParameters);
    describeReadings(stage);
    describeStorm(stage);
    if (!isFullForm) return;
    describePrivileges(stage);
    describeRunStates(stage);
    describeToolstackEvents(stage);
  });
}
