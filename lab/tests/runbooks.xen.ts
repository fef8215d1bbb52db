import { describe } from 'vitest';
import { USUAL_GUESTS } from '../harness/lab.ts';
import { testedSchedulers, useLab } from '../harness/stage.ts';
import { describeRunbooks, RUNBOOK_CPUS } from './runbooks.ts';

describe.each(testedSchedulers())(`Xen with the scheduler %s, ${RUNBOOK_CPUS} CPUs and systemd`, (scheduler) => {
  describeRunbooks(useLab({ scheduler, guests: USUAL_GUESTS, init: 'systemd', cpus: RUNBOOK_CPUS }));
});
