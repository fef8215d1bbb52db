import { VICTIM, type Fault } from './fault.ts';

export const packetStorm: Fault = {
  name: 'packet-storm',
  title: 'packets that come one by one, each with an interrupt',
  expected: { alert: 'XenEventChannelStorm', severity: 'warning', domain: VICTIM },
  inject: (scene) => scene.load('packets', 9, 5000),
  nearMiss: (scene) => scene.load('packets', 9, 50),
};
