import { ignore } from '../../formats/parse-error.ts';
import { parseInterrupts, type InterruptRow } from '../../formats/proc-interrupts.ts';
import type { Host } from '../../host/host.ts';
import {
  eventSource,
  interruptsFile,
  maxInterruptsBytes,
  netbackQueue,
  netfrontQueue,
  networkDevices,
  type EventSource,
  type NetworkDevices,
} from '../../sources/event-source.ts';
import { naming, uncounted } from '../../sources/parsed.ts';

/** The purpose of an event channel of this kernel. */
export interface EventChannel {
  readonly source: EventSource;
  /** The guest's domid if the channel belongs to a vif. */
  readonly domid: number | undefined;
  /** Empty if it belongs to no network device. */
  readonly vif: string;
  readonly queue: string;
}

const channelOf = ({ kind, action }: InterruptRow, devices: NetworkDevices): EventChannel => {
  const source = eventSource(kind, action, devices);
  const netback = source === 'netback' ? netbackQueue(action, devices) : undefined;
  const netfront = source === 'netfront' ? netfrontQueue(action, devices) : undefined;
  return {
    source,
    domid: netback?.vif.domid,
    vif: netback?.vif.device ?? netfront?.vif ?? '',
    queue: netback?.queue ?? netfront?.queue ?? '',
  };
};

/** The event channels of this kernel, by their IRQ. Throws FileError or ParseError. */
export const eventChannels = ({ procfs, sysfs }: Pick<Host, 'procfs' | 'sysfs'>): Map<string, EventChannel> => {
  const devices = networkDevices(sysfs, uncounted);
  const channels = new Map<string, EventChannel>();
  const bytes = procfs.bytes(interruptsFile, maxInterruptsBytes);
  const path = procfs.path(interruptsFile);
  const visit = (row: InterruptRow): void => void channels.set(row.label, channelOf(row, devices));
  naming(path, () => parseInterrupts(bytes, visit, ignore));
  return channels;
};
