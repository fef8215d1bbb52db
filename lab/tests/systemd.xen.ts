import { describe } from 'vitest';
import { describePackages } from './packages.ts';
import { useLab } from '../harness/stage.ts';

describe('Xen whose Dom0 and guest have systemd', () => {
  describePackages(useLab({ scheduler: 'credit', guests: ['domu1'], init: 'systemd' }));
});
