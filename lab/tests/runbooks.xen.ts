import { describe } from 'vitest';
import { testedSchedulers, useLab } from '../harness/stage.ts';
import { describeRunbooks, RUNBOOK_CPUS } from './runbooks.ts';

describe.each(testedSchedulers())(`Xen with the scheduler %s, ${RUNBOOK_CPUS} CPUs and systemd`, (scheduler) => {
  describeRunbooks(useLab({ scheduler, guests: ['domu1', 'domu2'], init: 'systemd', cpus: RUNBOOK_CPUS }));
});
